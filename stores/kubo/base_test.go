package kubo

import (
	"testing"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/internal/storetest"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

func TestBase(t *testing.T) {
	once := Options{Remote: remote.Options{Retries: -1, Timeout: time.Minute}}
	storetest.TestReading(t, func(t *testing.T, blocks map[cid.Cid][]byte) stores.Store {
		f := newFakeNode(t)
		for c, data := range blocks {
			f.blocks[c.String()] = data
		}
		return openFake(t, f, once)
	})
	storetest.TestWriting(t, openFake(t, newFakeNode(t), once))
}
