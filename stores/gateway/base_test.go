package gateway

import (
	"testing"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/internal/storetest"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

func TestBase(t *testing.T) {
	storetest.TestReading(t, func(t *testing.T, blocks map[cid.Cid][]byte) stores.Store {
		b := newContent()
		for c, data := range blocks {
			b.Bag[c.KeyString()] = data
		}
		return open(t, remote.Options{Retries: -1, Timeout: time.Minute}, serve(t, honest(b)))
	})
}
