package kubo_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/codec/dagjson"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/interop/kubo/daemon"
	"github.com/ipld-hamt/go-ipld-hamt/stores/kubo"
)

// TestBuild builds maps into a daemon, of blocks of several kinds, and asks the
// daemon what it has.
func TestBuild(t *testing.T) {
	t.Parallel()
	node := daemon.Start(t, nil)
	for _, k := range []kind{
		usual,
		{multicodec.DagJson, multicodec.Sha2_256},
		{multicodec.DagCbor, multicodec.Blake3},
		{multicodec.DagJson, multicodec.Blake2b256},
	} {
		t.Run(fmt.Sprintf("%s %s", k.codec, k.hash), func(t *testing.T) {
			// Batches that are small against the map, so that there are many.
			s := open(t, node.API, kubo.Options{BatchBytes: 64 << 10})
			built := k.into(t, s, entries)
			memory, want := k.inMemory(t, entries)
			if got, want := root(t, built), root(t, want); got != want {
				t.Fatalf("root %s, and in memory %s", got, want)
			}
			theySee(t, node, want)
			sameBlocks(t, memory, want, byRPC(node.API))
			sameBlocks(t, memory, want, byGateway(node.Gateway))
			holds(t, load(t, s.LinkSystem(), root(t, want)), entries)
		})
	}
}

// theySee checks what Kubo's own commands say about a map.
func theySee(t *testing.T, node *daemon.Node, want *adl.Node) {
	t.Helper()
	c := root(t, want).String()
	stats, err := want.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	var dag struct{ UniqueBlocks, TotalSize int64 }
	if err := json.Unmarshal([]byte(node.IPFS("dag", "stat", "--progress=false", "--enc=json", c)), &dag); err != nil {
		t.Fatal(err)
	}
	if dag.UniqueBlocks != stats.Blocks || dag.TotalSize != stats.Bytes {
		t.Errorf("ipfs dag stat: %+v, and we have %d blocks of %d bytes", dag, stats.Blocks, stats.Bytes)
	}

	// refs is what the root reaches, in the order of a walk.
	links := blocks(t, want)
	refs := strings.Split(node.IPFS("refs", "-r", c), "\n")
	if len(refs) != len(links)-1 {
		t.Fatalf("ipfs refs -r: %d, and we have a root and %d", len(refs), len(links)-1)
	}
	for i, ref := range refs {
		if ref != links[i+1].String() {
			t.Fatalf("ipfs refs -r: the %dth is %s, not %s", i, ref, links[i+1])
		}
	}

	got, err := ipld.Decode([]byte(node.IPFS("dag", "get", c+"/hamt")), dagjson.Decode)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := want.Substrate().LookupByString("hamt")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encode(t, got), encode(t, ours)) {
		t.Errorf("ipfs dag get ROOT/hamt: %s", encode(t, got))
	}
}

func encode(t *testing.T, node datamodel.Node) []byte {
	t.Helper()
	block, err := ipld.Encode(node, dagcbor.Encode)
	if err != nil {
		t.Fatal(err)
	}
	return block
}

// TestCommit changes a map that is in a daemon: only blocks that are new go
// there.
func TestCommit(t *testing.T) {
	t.Parallel()
	node := daemon.Start(t, nil)
	s := open(t, node.API, kubo.Options{})
	base := usual.into(t, s, entries)
	before := objects(t, node)

	memory, want := usual.inMemory(t, entries)
	memory.TakeWrites()
	change := func(base *adl.Node) *adl.Node {
		txn, err := builder.NewTxn(base)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			if err := txn.SetString(key(i*1999), basicnode.NewString("changed")); err != nil {
				t.Fatal(err)
			}
		}
		changed, _, err := txn.Commit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return changed
	}
	want = change(want)
	got := change(base)
	if err := s.Publish(t.Context(), root(t, got)); err != nil {
		t.Fatal(err)
	}
	if root(t, got) != root(t, want) {
		t.Fatalf("root %s, and in memory %s", root(t, got), root(t, want))
	}
	written := len(memory.TakeWrites())
	if more := objects(t, node) - before; more != written {
		t.Errorf("the daemon has %d blocks more, and %d were written", more, written)
	}
	theySee(t, node, want)
}

// objects is the number of blocks that a node has.
func objects(t *testing.T, node *daemon.Node) int {
	t.Helper()
	var stat struct{ NumObjects int }
	if err := json.Unmarshal([]byte(node.IPFS("repo", "stat", "--enc=json")), &stat); err != nil {
		t.Fatal(err)
	}
	return stat.NumObjects
}
