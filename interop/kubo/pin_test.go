package kubo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/interop/kubo/daemon"
	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/kubo"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// TestPins: what is pinned stays, whatever happens to its name.
func TestPins(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	node := daemon.Start(t, nil)
	s := open(t, node.API, kubo.Options{Pin: true, Remote: quick})
	loose := open(t, node.API, kubo.Options{})

	// Sizes of maps, which stand for the maps.
	pinned, first, second, third := 3000, 1000, 1001, 1002
	at := map[int]cid.Cid{}
	at[pinned] = root(t, usual.into(t, s, pinned))
	for _, n := range []int{first, second, third} {
		at[n] = root(t, usual.into(t, loose, n))
	}
	dropped := root(t, usual.into(t, loose, 2000))

	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.SetName(ctx, "words", at[first]))
	has(t, s, "words", at[first])
	must(s.Publish(ctx, at[first])) // which is pinned, and keeps its name
	must(s.MoveName(ctx, "words", at[first], at[second]))
	has(t, s, "words", at[second])
	must(s.SetName(ctx, "words", at[third]))
	has(t, s, "words", at[third])
	must(s.SetName(ctx, "old", at[first])) // which is pinned without a name
	has(t, s, "old", at[first])

	if err := s.MoveName(ctx, "words", at[first], at[second]); !errors.Is(err, stores.ErrMoved) {
		t.Errorf("a name that was moved: %v", err)
	}
	if err := s.SetName(ctx, "words", at[first]); !errors.Is(err, kubo.ErrOtherName) {
		t.Errorf("a root with another name: %v", err)
	}
	if err := s.SetName(ctx, "words", dropped); err != nil {
		t.Error(err)
	}
	must(s.SetName(ctx, "words", at[third]))
	node.IPFS("pin", "rm", dropped.String()) // which SetName left pinned

	if got, want := listNames(t, s), fmt.Sprintf("[{old %s} {words %s}]", at[first], at[third]); got != want {
		t.Errorf("names: %s, want %s", got, want)
	}
	if found, err := s.RenameName(ctx, "old", "words"); !found || !errors.Is(err, stores.ErrNameTaken) {
		t.Errorf("a name that is taken: %v, %v", found, err)
	}
	for from, want := range map[string]bool{"old": true, "nobody": false} {
		if found, err := s.RenameName(ctx, from, from+"er"); found != want || err != nil {
			t.Errorf("rename %s: %v, %v", from, found, err)
		}
	}
	has(t, s, "older", at[first])
	if _, found, err := s.Lookup(ctx, "old"); found || err != nil {
		t.Errorf("a name that was renamed: %v, %v", found, err)
	}
	if found, err := s.RenameName(ctx, "older", "old"); !found || err != nil {
		t.Errorf("and back: %v, %v", found, err)
	}
	for _, want := range []bool{true, false} {
		if found, err := s.RemoveName(ctx, "old"); found != want || err != nil {
			t.Errorf("remove: %v, %v", found, err)
		}
	}

	// The four, each pinned as it should be, and nothing else: no pin is left
	// that held one meanwhile.
	want := map[string]string{at[pinned].String(): "", at[first].String(): "", at[second].String(): "", at[third].String(): "words"}
	got := pinList(node)
	delete(got, emptyDir)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("pins: %v, want %v", got, want)
	}
	node.IPFS("repo", "gc", "--quiet")
	for n, root := range at {
		holds(t, load(t, s.LinkSystem(), root), n)
	}
	if has, err := s.Has(ctx, dropped); has || err != nil {
		t.Errorf("what is not pinned is there after the garbage was collected: %v", err)
	}
}

// emptyDir is what every repository has pinned from the beginning.
const emptyDir = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"

// pinList is what Kubo's own command says: the names of recursive pins by root.
func pinList(node *daemon.Node) map[string]string {
	pins := map[string]string{}
	for line := range strings.Lines(node.IPFS("pin", "ls", "--type=recursive", "--names")) {
		fields := append(strings.Fields(line), "", "")
		pins[fields[0]] = fields[2]
	}
	return pins
}

func has(t *testing.T, s *kubo.Store, name string, want cid.Cid) {
	t.Helper()
	if got, found, err := s.Lookup(t.Context(), name); err != nil || !found || !got.Equals(want) {
		t.Errorf("name %q: %s, %v, %v, and it should be %s", name, got, found, err, want)
	}
}

func listNames(t *testing.T, s *kubo.Store) string {
	t.Helper()
	var names []stores.Name
	for name, err := range s.Names(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return fmt.Sprint(names)
}

// TestTwoRoots is what a MoveName leaves that was killed between its steps. It
// can be done again, and so can SetName.
func TestTwoRoots(t *testing.T) {
	t.Parallel()
	node := daemon.Start(t, nil)
	s := open(t, node.API, kubo.Options{Remote: quick})
	from, to := root(t, usual.into(t, s, 100)), root(t, usual.into(t, s, 101))
	for _, again := range []func() error{
		func() error { return s.MoveName(t.Context(), "words", from, to) },
		func() error { return s.SetName(t.Context(), "words", to) },
	} {
		node.IPFS("pin", "add", "--name=words", from.String(), to.String())
		if _, _, err := s.Lookup(t.Context(), "words"); err == nil ||
			!strings.Contains(err.Error(), from.String()) || !strings.Contains(err.Error(), to.String()) {
			t.Errorf("two roots with a name: %v", err)
		}
		if err := again(); err != nil {
			t.Fatal(err)
		}
		has(t, s, "words", to)
		if _, pinned := pinList(node)[from.String()]; !pinned {
			t.Error("the old root is not pinned")
		}
	}
}

// TestPinOfValues: a pin takes in what values link to, and says so where that is
// nowhere. A pin that was there before stays.
func TestPinOfValues(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	node := daemon.Start(t, nil)
	o := kubo.Options{Remote: remote.Options{Timeout: 2 * time.Second, Retries: -1}}
	s := open(t, node.API, o)
	data := []byte("what a value links to")
	value, err := cid.V1Builder{Codec: cid.Raw, MhType: multihash.SHA2_256}.Sum(data)
	if err != nil {
		t.Fatal(err)
	}
	txn, err := usual.prototype(s.LinkSystem()).NewTxn()
	if err != nil {
		t.Fatal(err)
	}
	if err := txn.SetString("link", basicnode.NewLink(cidlink.Link{Cid: value})); err != nil {
		t.Fatal(err)
	}
	_, link, err := txn.Commit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	root := cidOf(link)

	stuck := func(err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "values link to") || !strings.Contains(err.Error(), node.API) {
			t.Errorf("pin of what is nowhere: %v", err)
		}
	}
	begun := time.Now()
	stuck(s.SetName(ctx, "words", root))
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("that took %v", took)
	}

	// With the value there, it is pinned. Then the value goes: a name cannot be
	// had, and the pin stays as it was.
	putValue := func(s *kubo.Store) {
		t.Helper()
		if err := s.Put(ctx, value, data); err != nil {
			t.Fatal(err)
		}
		if err := s.Publish(ctx, root); err != nil {
			t.Fatal(err)
		}
	}
	putValue(s)
	node.IPFS("pin", "add", root.String())
	node.Kill()
	loseBlock(t, node, data)
	node.Start()
	s = open(t, node.API, o)
	stuck(s.SetName(ctx, "words", root))
	if got, pinned := pinList(node)[root.String()]; !pinned || got != "" {
		t.Errorf("the pin that was there: %v, %q", pinned, got)
	}

	// Nor is the map lost if the daemon is killed while it tries.
	time.AfterFunc(time.Second, node.Kill)
	if err := s.SetName(ctx, "words", root); err == nil {
		t.Error("no error")
	}
	node.Start()
	if _, pinned := pinList(node)[root.String()]; pinned {
		t.Log("the daemon has kept the pin itself")
	}
	s = open(t, node.API, o)
	putValue(s)
	node.IPFS("repo", "gc", "--quiet")
	for _, c := range []cid.Cid{root, value} {
		if has, err := s.Has(ctx, c); !has || err != nil {
			t.Errorf("block %s is lost: %v", c, err)
		}
	}
	if err := s.SetName(ctx, "words", root); err != nil {
		t.Fatal(err)
	}
	has(t, s, "words", root)
}

// loseBlock removes a block from a repository behind the node's back.
func loseBlock(t *testing.T, node *daemon.Node, block []byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(node.Repo(), "blocks", "*", "*.data"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, block) {
			continue
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatal("the block is in none of the repository's files")
}

func cidOf(link datamodel.Link) cid.Cid { return link.(cidlink.Link).Cid }

// TestNowhere: a block that nobody has is an error after a time, and that soon
// where the node has no peers to ask.
func TestNowhere(t *testing.T) {
	t.Parallel()
	node := daemon.Start(t, nil)
	s := open(t, node.API, kubo.Options{Remote: remote.Options{Timeout: 2 * time.Second}})
	absent, err := cid.V1Builder{Codec: cid.Raw, MhType: multihash.SHA2_256}.Sum([]byte("absent"))
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	_, err = s.Get(context.Background(), absent)
	if err == nil || stores.IsNotFound(err) || !strings.Contains(err.Error(), node.API) || !strings.Contains(err.Error(), "within 1.8s") {
		t.Errorf("%v", err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("that took %v", took)
	}
	if has, err := s.Has(context.Background(), absent); has || err != nil {
		t.Errorf("%v, %v", has, err)
	}
}
