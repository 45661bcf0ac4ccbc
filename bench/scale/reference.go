//go:build unix

package main

import (
	"context"
	"fmt"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/bench/work"
)

// checkRoots compares roots and numbers of blocks with those of an independent
// builder. It comes after all that is measured: memory that this process has
// had counts as that of the processes it starts.
func checkRoots(ctx context.Context, measured []measurement) error {
	for _, m := range measured {
		digest, blocks, err := work.Root(ctx, m.n)
		if err != nil {
			return err
		}
		hash, err := multihash.Encode(digest[:], multihash.SHA2_256)
		if err != nil {
			return err
		}
		if root := cid.NewCidV1(cid.DagCBOR, hash).String(); m.root != root || m.blocks != blocks {
			return fmt.Errorf("wrong answer: %d entries have the root %s of %d blocks, and should have %s of %d",
				m.n, m.root, m.blocks, root, blocks)
		}
	}
	return nil
}
