package slowstore_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/bench/memstore"
	"github.com/ipld-hamt/go-ipld-hamt/bench/slowstore"
)

// loadAll loads ten blocks of 1,000 bytes, all at once, and returns how long
// each took and how long it took in all.
func loadAll(t *testing.T, network slowstore.Network) (each [10]time.Duration, all time.Duration) {
	from := memstore.New()
	var links [len(each)]cidlink.Link
	for i := range links {
		block := make([]byte, 1000)
		block[0] = byte(i)
		c, err := cid.V1Builder{Codec: cid.Raw, MhType: multihash.SHA2_256}.Sum(block)
		if err != nil {
			t.Fatal(err)
		}
		from.Put(c, block)
		links[i].Cid = c
	}
	synctest.Test(t, func(t *testing.T) {
		open := network.Over(from).LinkSystem().StorageReadOpener
		begin := time.Now()
		var wait sync.WaitGroup
		for i, link := range links {
			wait.Go(func() {
				if _, err := open(linking.LinkContext{Ctx: t.Context()}, link); err != nil {
					t.Error(err)
				}
				each[i] = time.Since(begin)
			})
		}
		wait.Wait()
		all = time.Since(begin)
	})
	return each, all
}

func TestLatencyAndLimit(t *testing.T) {
	for atOnce, want := range map[int]time.Duration{0: 20, 10: 20, 5: 40, 3: 80, 1: 200} {
		_, all := loadAll(t, slowstore.Network{Latency: 20 * time.Millisecond, AtOnce: atOnce})
		if all != want*time.Millisecond {
			t.Errorf("%d at once: %v, want %d ms", atOnce, all, want)
		}
	}
}

func TestBandwidth(t *testing.T) {
	_, all := loadAll(t, slowstore.Network{Latency: 20 * time.Millisecond, BytesPerSecond: 100_000})
	if want := 120 * time.Millisecond; all != want { // ten times 10 ms, one after the other
		t.Errorf("%v, want %v", all, want)
	}
}

func TestJitterIsTheSameEachTime(t *testing.T) {
	network := slowstore.Network{Latency: 20 * time.Millisecond, Jitter: 10 * time.Millisecond, Seed: 7}
	first, _ := loadAll(t, network)
	again, _ := loadAll(t, network)
	if first != again {
		t.Errorf("%v, then %v", first, again)
	}
	differ := false
	for _, d := range first {
		if d < 10*time.Millisecond || d > 30*time.Millisecond {
			t.Errorf("%v is out of range", d)
		}
		differ = differ || d != first[0]
	}
	if !differ {
		t.Error("there is no jitter")
	}
	network.Seed = 8
	if other, _ := loadAll(t, network); other == first {
		t.Error("another seed gives the same")
	}
}
