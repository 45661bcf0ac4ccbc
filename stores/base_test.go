package stores_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// endless counts what is read of it.
type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) {
	e.n += len(p)
	return len(p), nil
}

func TestReadBlock(t *testing.T) {
	var r endless
	if block, err := stores.ReadBlock(&r, 0); !errors.Is(err, stores.ErrTooLarge) || block != nil || r.n != stores.MaxBlockBytes+1 {
		t.Errorf("%d bytes, %v, after %d", len(block), err, r.n)
	}
	r.n = 0
	if block, err := stores.ReadBlock(&r, stores.MaxBlockBytes+1); !errors.Is(err, stores.ErrTooLarge) || block != nil || r.n != 0 {
		t.Errorf("%d bytes, %v, after %d", len(block), err, r.n)
	}
	for _, likely := range []int64{-1, 0, 4, 5, 100} { // a file may have grown, or been cut
		if block, err := stores.ReadBlock(bytes.NewReader([]byte("block")), likely); err != nil || string(block) != "block" {
			t.Errorf("%q, %v", block, err)
		}
	}
	if block, err := stores.ReadBlock(io.MultiReader(bytes.NewReader([]byte("blo")), failing{}), 5); !errors.Is(err, io.ErrNoProgress) || block != nil {
		t.Errorf("%q, %v", block, err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrNoProgress }
