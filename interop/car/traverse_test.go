package car_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-car/v2"
	"github.com/ipld/go-car/v2/storage"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
)

// TestTraverseV1: go-car's writer wraps the LinkSystem and notes the blocks of a
// traversal in a plain Go map.
func TestTraverseV1(t *testing.T) {
	store, root, want := large(t)
	for _, delay := range delays {
		for name, reifier := range serial {
			t.Run(fmt.Sprint(name, delay), func(t *testing.T) {
				lsys := reifying(store, delay, reifier)
				verified(t, traverse(t, &lsys, root, everything), want)
			})
		}
		t.Run(fmt.Sprint("Register", delay), func(t *testing.T) {
			lsys := reifying(store, delay, nil)
			hamt.Register(&lsys)
			verified(t, traverse(t, &lsys, root, hamt.EntitySelector()), want)
		})
	}
}

// TestSelectiveWriter: it traverses twice, and what the second traversal writes
// has to be as long as the first one said.
func TestSelectiveWriter(t *testing.T) {
	store, root, want := large(t)
	for _, delay := range delays {
		for name, reifier := range serial {
			t.Run(fmt.Sprint(name, delay), func(t *testing.T) {
				lsys := reifying(store, delay, reifier)
				writer, err := car.NewSelectiveWriter(t.Context(), &lsys, root, everything)
				if err != nil {
					t.Fatal(err)
				}
				var out bytes.Buffer
				if _, err := writer.WriteTo(&out); err != nil {
					t.Fatal(err)
				}
				verified(t, out.Bytes(), want)
				holdsAll(t, out.Bytes(), root)
			})
		}
	}
}

// traverse returns the CAR of a selector.
func traverse(t *testing.T, lsys *linking.LinkSystem, root cid.Cid, selector datamodel.Node) []byte {
	t.Helper()
	var out bytes.Buffer
	size, err := car.TraverseV1(t.Context(), lsys, root, selector, &out)
	if err != nil {
		t.Fatal(err)
	}
	if size != uint64(out.Len()) {
		t.Errorf("%d bytes, and go-car says %d", out.Len(), size)
	}
	return out.Bytes()
}

// verified checks that a CAR is whole and has these blocks, in their order.
func verified(t *testing.T, archive []byte, want []cid.Cid) {
	t.Helper()
	reader, err := car.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	stats, err := reader.Inspect(true)
	if err != nil {
		t.Fatal(err)
	}
	if !stats.RootsPresent || stats.BlockCount != uint64(len(want)) {
		t.Errorf("roots present %v, %d blocks, and the walk has %d", stats.RootsPresent, stats.BlockCount, len(want))
	}
	sameOrder(t, blocksIn(t, archive), want)
}

// blocksIn returns the CIDs of the blocks of a CAR, whose bytes are checked.
func blocksIn(t *testing.T, archive []byte) (blocks []cid.Cid) {
	t.Helper()
	reader, err := car.NewBlockReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	for {
		block, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return blocks
		}
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, block.Cid())
	}
}

// holdsAll checks that a CAR, by its index where it has one, holds the map.
func holdsAll(t *testing.T, archive []byte, root cid.Cid) {
	t.Helper()
	lsys := cidlink.DefaultLinkSystem()
	readable, err := storage.OpenReadable(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	lsys.SetReadStorage(readable)
	m, err := hamt.Load(t.Context(), &lsys, cidlink.Link{Cid: root})
	if err != nil {
		t.Fatal(err)
	}
	for err := range m.Verify(t.Context()) {
		t.Error(err)
	}
	if n, err := m.Count(t.Context()); n != entries || err != nil {
		t.Errorf("%d entries, %v", n, err)
	}
}
