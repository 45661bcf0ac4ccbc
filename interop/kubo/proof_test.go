package kubo_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/interop/kubo/daemon"
	"github.com/ipld-hamt/go-ipld-hamt/proof"
	"github.com/ipld-hamt/go-ipld-hamt/stores/kubo"
)

// TestProof: a node that knows nothing of HAMTs serves proofs. What its gateway gives
// for the path of a key, as a CAR of the blocks on the way, is the proof of what the
// value is, or that the key is not there: block for block as Write has it, behind a
// header that names another root.
func TestProof(t *testing.T) {
	t.Parallel()
	node := daemon.Start(t, nil)
	m := usual.into(t, open(t, node.API, kubo.Options{}), entries)
	c := root(t, m)
	type kind struct {
		blocks  int
		present bool
	}
	seen := map[kind]bool{}
	for i := 0; i < 200+entries && len(seen) < 4; i++ {
		key := []byte(key(i + entries - 100)) // the first hundred are there
		location, err := m.Locate(t.Context(), key)
		present := !errors.As(err, new(datamodel.ErrNotExists))
		if err != nil && present {
			t.Fatal(err)
		}
		this := kind{len(location.Blocks), present}
		if seen[this] {
			continue
		}
		seen[this] = true
		served := get(t, node.Gateway+"/ipfs/"+c.String()+"/"+location.Path.String()+"?format=car&dag-scope=block")
		results, err := proof.Check(bytes.NewReader(served), c, key)
		if err != nil || results[0].Present() != present {
			t.Fatalf("%s, %d blocks: %v, %v", key, len(location.Blocks), results, err)
		}
		if raw, _, err := m.GetRaw(t.Context(), key); err != nil || !bytes.Equal(results[0].Value, raw) {
			t.Errorf("%s: it is proven that it is %x, and it is %x, %v", key, results[0].Value, raw, err)
		}
		var written bytes.Buffer
		if err := proof.Write(t.Context(), &written, m, key); err != nil || !bytes.Equal(sections(served), sections(written.Bytes())) {
			t.Errorf("%s: the gateway gives\n%x, and we\n%x, %v", key, served, written.Bytes(), err)
		}
		if _, err := proof.Check(bytes.NewReader(served), c, []byte("precip/-1.0")); !errors.Is(err, proof.ErrNotProven) {
			t.Errorf("%s proves another key: %v", key, err)
		}
	}
	if len(seen) < 4 {
		t.Errorf("only %v", seen)
	}
}

// sections returns a CARv1 without its header.
func sections(car []byte) []byte {
	n, width := binary.Uvarint(car)
	return car[width+int(n):]
}

// get returns what is at a URL.
func get(t *testing.T, url string) []byte {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, response.Status, err)
	}
	return body
}
