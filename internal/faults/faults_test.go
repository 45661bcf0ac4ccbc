package faults_test

import (
	"errors"
	"io"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
)

func someLink() datamodel.Link {
	return cidlink.Link{Cid: cid.MustParse("bafyreic672jz6huur4c2yekd3uycswe2xfqhjlmtmm5dorb6yoytgflova")}
}

// TestAt: a fault gets its place once, and keeps it; another error becomes one.
func TestAt(t *testing.T) {
	bare := faults.New(fault.ErrPopcount, "")
	var placed *fault.Error
	if !errors.As(faults.At(bare, nil, someLink(), fault.Path{1}), &placed) || placed.Link != someLink() || len(placed.Path) != 1 {
		t.Errorf("not placed: %v", placed)
	}
	if bare.Link != nil {
		t.Error("the fault itself was changed")
	}
	if again := faults.At(placed, nil, nil, fault.Path{2, 3}); again != error(placed) {
		t.Errorf("placed twice: %v", again)
	}
	if other := faults.At(io.EOF, fault.ErrMissing, someLink(), nil); !errors.Is(other, fault.ErrMissing) || !errors.Is(other, io.EOF) {
		t.Errorf("not wrapped: %v", other)
	}
}
