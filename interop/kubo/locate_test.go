package kubo_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-car/v2"

	"github.com/ipld-hamt/go-ipld-hamt/interop/kubo/daemon"
	"github.com/ipld-hamt/go-ipld-hamt/stores/kubo"
)

// TestLocate: a node that knows nothing of HAMTs shows a value by the path that
// Locate returns, and one request to its gateway for that path has the blocks
// that prove the value, and no others.
func TestLocate(t *testing.T) {
	t.Parallel()
	node := daemon.Start(t, nil)
	m := usual.into(t, open(t, node.API, kubo.Options{}), entries)
	c := root(t, m).String()
	depths := map[int]bool{}
	for i := 0; i < entries && len(depths) < 2; i++ {
		location, err := m.LocateString(t.Context(), key(i))
		if err != nil {
			t.Fatal(err)
		}
		if depths[len(location.Blocks)] {
			continue
		}
		depths[len(location.Blocks)] = true
		p := c + "/" + location.Path.String()

		if got := node.IPFS("dag", "get", p); got != strconv.Itoa(i) {
			t.Errorf("ipfs dag get %s: %q, want %d", p, got, i)
		}

		var proof []cid.Cid
		for _, link := range location.Blocks {
			proof = append(proof, cidOf(link))
		}
		if got := carOf(t, node.Gateway+"/ipfs/"+p+"?format=car&dag-scope=block"); !slices.EqualFunc(got, proof, cid.Cid.Equals) {
			t.Errorf("the gateway's CAR for %s has %s, want %s", p, got, proof)
		}
	}
	if len(depths) < 2 {
		t.Errorf("keys at depths %v only", depths)
	}
}

// carOf returns the CIDs of the blocks of a CAR at a URL.
func carOf(t *testing.T, url string) (blocks []cid.Cid) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, response.Status)
	}
	return blocksIn(t, response.Body)
}

// blocksIn returns the CIDs of the blocks of a CAR, whose bytes are checked.
func blocksIn(t *testing.T, archive io.Reader) (blocks []cid.Cid) {
	t.Helper()
	reader, err := car.NewBlockReader(archive)
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
