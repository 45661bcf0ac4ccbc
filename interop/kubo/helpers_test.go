package kubo_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
	"github.com/ipld-hamt/go-ipld-hamt/stores/kubo"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// entries is the size of a map that has some levels and a thousand blocks.
const entries = 20_000

// kind is a kind of blocks.
type kind struct {
	codec, hash multicodec.Code
}

var usual = kind{multicodec.DagCbor, multicodec.Sha2_256}

// prototype makes maps of 32 elements a node.
func (k kind) prototype(lsys *linking.LinkSystem) builder.Prototype {
	p := params.Default()
	p.BitWidth, p.BucketSize = 5, 3
	return builder.Prototype{Params: p, LinkSystem: lsys, LinkPrototype: cidlink.LinkPrototype{Prefix: cid.Prefix{
		Version: 1, Codec: uint64(k.codec), MhType: uint64(k.hash), MhLength: 32,
	}}}
}

// tryBuild builds the map of n entries. progress, if not nil, sees how many
// blocks were written.
func (k kind) tryBuild(ctx context.Context, lsys *linking.LinkSystem, n int, progress func(blocks int64)) (*adl.Node, error) {
	bulk, err := k.prototype(lsys).NewBulk(builder.BulkOptions{Progress: func(p builder.BulkProgress) {
		if progress != nil {
			progress(p.Blocks)
		}
	}})
	if err != nil {
		return nil, err
	}
	defer bulk.Close()
	for i := range n {
		if err := bulk.SetString(key(i), basicnode.NewInt(int64(i))); err != nil {
			return nil, err
		}
	}
	m, _, err := bulk.Finish(ctx)
	return m, err
}

func key(i int) string { return "precip/" + strconv.Itoa(i/1000) + "." + strconv.Itoa(i%1000) }

func (k kind) build(t *testing.T, lsys *linking.LinkSystem, n int) *adl.Node {
	t.Helper()
	node, err := k.tryBuild(t.Context(), lsys, n, nil)
	if err != nil {
		t.Fatal(err)
	}
	return node
}

// inMemory builds the map that Kubo is to hold, too, and loads it.
func (k kind) inMemory(t *testing.T, n int) (*hamttest.Store, *adl.Node) {
	t.Helper()
	store := hamttest.NewStore()
	return store, load(t, store.LinkSystem(), root(t, k.build(t, store.LinkSystem(), n)))
}

// into builds the map into a store and publishes it.
func (k kind) into(t *testing.T, s *kubo.Store, n int) *adl.Node {
	t.Helper()
	node := k.build(t, s.LinkSystem(), n)
	if err := s.Publish(t.Context(), root(t, node)); err != nil {
		t.Fatal(err)
	}
	return node
}

// quick are options of a client that does not try for long.
var quick = remote.Options{Timeout: 5 * time.Second, Retries: 2}

func open(t *testing.T, url string, o kubo.Options) *kubo.Store {
	t.Helper()
	s, err := kubo.Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func root(t *testing.T, node *adl.Node) cid.Cid {
	t.Helper()
	link, err := node.Link()
	if err != nil {
		t.Fatal(err)
	}
	return link.(cidlink.Link).Cid
}

func load(t *testing.T, lsys *linking.LinkSystem, root cid.Cid) *adl.Node {
	t.Helper()
	node, err := hamt.Load(t.Context(), lsys, cidlink.Link{Cid: root})
	if err != nil {
		t.Fatal(err)
	}
	return node
}

// holds checks that a map is the one of n entries, whole and canonical.
func holds(t *testing.T, node *adl.Node, n int) {
	t.Helper()
	for err := range node.Verify(t.Context()) {
		t.Error(err)
	}
	seen := 0
	for entry, err := range node.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		value, err := entry.Value()
		if err != nil {
			t.Fatal(err)
		}
		if i, err := value.AsInt(); err != nil || entry.KeyString() != key(int(i)) {
			t.Fatalf("%q: %d, %v", entry.Key(), i, err)
		}
		seen++
	}
	if seen != n {
		t.Errorf("%d entries, not %d", seen, n)
	}
}

func blocks(t *testing.T, node *adl.Node) (links []datamodel.Link) {
	t.Helper()
	for link, err := range node.Blocks(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		links = append(links, link)
	}
	return links
}

// sameBlocks checks that every block of a map that is in memory comes byte for
// byte from a URL, which ends where the CID begins.
func sameBlocks(t *testing.T, want *hamttest.Store, node *adl.Node, fetch func(c cid.Cid) (*http.Response, error)) {
	t.Helper()
	for _, link := range blocks(t, node) {
		response, err := fetch(link.(cidlink.Link).Cid)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil {
			t.Error(err)
		}
		if response.StatusCode != http.StatusOK || !bytes.Equal(got, want.Block(link)) {
			t.Fatalf("block %s: %s, %d bytes which are others", link, response.Status, len(got))
		}
	}
}

// byRPC fetches a block with Kubo's own command.
func byRPC(api string) func(c cid.Cid) (*http.Response, error) {
	return func(c cid.Cid) (*http.Response, error) {
		return http.Post(fmt.Sprintf("%s/api/v0/block/get?arg=%s&offline=true", api, c), "", nil)
	}
}

// byGateway fetches a block from a trustless gateway.
func byGateway(gateway string) func(c cid.Cid) (*http.Response, error) {
	return func(c cid.Cid) (*http.Response, error) {
		return http.Get(fmt.Sprintf("%s/ipfs/%s?format=raw", gateway, c))
	}
}
