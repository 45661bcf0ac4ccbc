//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"

	"github.com/ipld-hamt/go-ipld-hamt/bench/workload"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
)

// mostReference is the largest size whose root is compared.
const mostReference = 1_000_000

// checkRoots compares roots with those that the library gives in memory. It
// comes after all that is measured: memory that this process has had counts as
// that of the processes it starts.
func checkRoots(ctx context.Context, roots map[int]string) error {
	for _, n := range slices.Sorted(maps.Keys(roots)) {
		if n > mostReference {
			return nil
		}
		want, err := reference(ctx, n)
		if err != nil {
			return err
		}
		if roots[n] != want {
			return fmt.Errorf("wrong answer: the root of %d entries is %s, and in memory %s", n, roots[n], want)
		}
	}
	return nil
}

// reference builds the map of the first n entries in memory, and keeps its root
// alone.
func reference(ctx context.Context, n int) (root string, err error) {
	lsys := cidlink.DefaultLinkSystem()
	lsys.StorageWriteOpener = func(linking.LinkContext) (io.Writer, linking.BlockWriteCommitter, error) {
		return new(bytes.Buffer), func(datamodel.Link) error { return nil }, nil
	}
	bulk, err := builder.Prototype{LinkSystem: &lsys}.NewBulk(builder.BulkOptions{MemoryBytes: 1 << 30})
	if err != nil {
		return "", err
	}
	defer bulk.Close() // nothing was spilled
	for i := range n {
		e := workload.At(i)
		if err := bulk.SetRaw(e.Bytes, e.Raw); err != nil {
			return "", err
		}
	}
	m, err := bulk.Finish(ctx)
	if err != nil {
		return "", err
	}
	link, err := m.Link()
	if err != nil {
		return "", err
	}
	return link.String(), nil
}
