package fault_test

import (
	"errors"
	"io"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
)

const someCID = "bafyreic672jz6huur4c2yekd3uycswe2xfqhjlmtmm5dorb6yoytgflova"

func someLink() datamodel.Link { return cidlink.Link{Cid: cid.MustParse(someCID)} }

// TestErrorText is the one line that people see: what, why, which block, where.
func TestErrorText(t *testing.T) {
	for _, test := range []struct {
		fault *fault.Error
		want  string
	}{
		{&fault.Error{Kind: fault.ErrValue, Detail: "it is of kind absent"},
			"hamt: value cannot be stored: it is of kind absent"},
		{&fault.Error{Kind: fault.ErrMissing, Link: someLink(), Path: fault.Path{5, 17}, Cause: io.ErrUnexpectedEOF},
			"hamt: block cannot be loaded: unexpected EOF (block " + someCID + " at /5/17)"},
		{&fault.Error{Kind: fault.ErrTooLarge, Path: fault.Path{}},
			"hamt: block is too large (node at /)"},
	} {
		if got := test.fault.Error(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

// TestErrorChain: the kind and the cause are both found.
func TestErrorChain(t *testing.T) {
	var err error = &fault.Error{Kind: fault.ErrMissing, Cause: io.ErrUnexpectedEOF}
	if !errors.Is(err, fault.ErrMissing) || !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, fault.ErrTooLarge) {
		t.Error("errors.Is does not find what the fault is made of")
	}
}

// TestChildPath: paths never share memory, so one cannot change under another.
func TestChildPath(t *testing.T) {
	parent := append(make(fault.Path, 0, 8), 1)
	first, second := parent.Child(2), parent.Child(3)
	if first.String() != "/1/2" || second.String() != "/1/3" || parent.String() != "/1" {
		t.Errorf("%s, %s below %s", first, second, parent)
	}
}
