package cache

import (
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/internal/storetest"
)

func TestBase(t *testing.T) {
	storetest.TestReading(t, func(t *testing.T, blocks map[cid.Cid][]byte) stores.Store {
		below, _ := newSource(t)
		below.blocks = blocks
		c := open(t, t.TempDir(), below, 0)
		t.Cleanup(func() { closeCache(t, c) })
		return c
	})
}
