package transfer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"
	"github.com/multiformats/go-multihash"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/params"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/internal/links"
)

// memory is a store in memory that counts what is asked for.
type memory struct {
	mu     sync.Mutex
	blocks map[cid.Cid][]byte
	gets   map[cid.Cid]int
	puts   map[cid.Cid]int
	fail   func(c cid.Cid) error // before a block is given

	synced  int
	syncing error
}

func newMemory() *memory {
	return &memory{blocks: map[cid.Cid][]byte{}, gets: map[cid.Cid]int{}, puts: map[cid.Cid]int{}}
}

func (m *memory) LinkSystem() *linking.LinkSystem {
	return stores.Writing(stores.ReadingBlocks(m.Get), m.Put)
}

func (m *memory) Get(_ context.Context, c cid.Cid) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gets[c]++
	if m.fail != nil {
		if err := m.fail(c); err != nil {
			return nil, err
		}
	}
	block, ok := m.blocks[c]
	if !ok {
		return nil, stores.NotFound{CID: c}
	}
	return block, nil
}

func (m *memory) Has(_ context.Context, c cid.Cid) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.blocks[c]
	return ok, nil
}

func (m *memory) Put(_ context.Context, c cid.Cid, block []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blocks[c] = block
	m.puts[c]++
	return nil
}

func (m *memory) Publish(context.Context, cid.Cid) error { return nil }
func (m *memory) DefaultRoot() (cid.Cid, bool)           { return cid.Undef, false }
func (m *memory) Close() error                           { return nil }

func (m *memory) Sync() error { m.synced++; return m.syncing }

func (m *memory) forget() { m.gets, m.puts = map[cid.Cid]int{}, map[cid.Cid]int{} }

var small = params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 3, BucketSize: 2}

// add puts a block and gives its link.
func (m *memory) add(t *testing.T, codec uint64, block []byte) cidlink.Link {
	t.Helper()
	c, err := cid.V1Builder{Codec: codec, MhType: multihash.SHA2_256}.Sum(block)
	if err != nil {
		t.Fatal(err)
	}
	m.blocks[c] = block
	return cidlink.Link{Cid: c}
}

// build puts a map of n entries, each set by value, and gives its root.
func (m *memory) build(t *testing.T, n int, value func(txn *builder.Txn, key string, i int) error) cid.Cid {
	t.Helper()
	return m.buildIn(t, cid.DagCBOR, n, value)
}

// buildIn is build of blocks in a codec.
func (m *memory) buildIn(t *testing.T, codec uint64, n int, value func(txn *builder.Txn, key string, i int) error) cid.Cid {
	t.Helper()
	links := cidlink.LinkPrototype{Prefix: cid.NewPrefixV1(codec, multihash.SHA2_256)}
	txn, err := builder.Prototype{Params: small, LinkSystem: m.LinkSystem(), LinkPrototype: links}.NewTxn()
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := value(txn, fmt.Sprint("key-", i), i); err != nil {
			t.Fatal(err)
		}
	}
	_, root, err := txn.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return root.(cidlink.Link).Cid
}

func number(txn *builder.Txn, key string, i int) error {
	return txn.SetString(key, basicnode.NewInt(int64(i)))
}

func sameBlocks(t *testing.T, got, want *memory) {
	t.Helper()
	if !maps.EqualFunc(got.blocks, want.blocks, func(a, b []byte) bool { return string(a) == string(b) }) {
		t.Errorf("%d blocks, want the %d", len(got.blocks), len(want.blocks))
	}
}

// TestCopyMovesWhatIsMissing, and nothing else, whatever the destination has.
func TestCopyMovesWhatIsMissing(t *testing.T) {
	from := newMemory()
	root := from.build(t, 500, number)
	all := slices.Collect(maps.Keys(from.blocks))
	random := rand.New(rand.NewPCG(1, 2))
	for _, share := range []float64{0, 0.3, 0.9, 1} {
		from.forget()
		to := newMemory()
		missing := 0
		for _, c := range all {
			if random.Float64() < share {
				to.blocks[c] = from.blocks[c]
			} else {
				missing++
			}
		}
		var seen Progress
		var mu sync.Mutex
		done, err := Copy(t.Context(), root, from, to, Options{Progress: func(p Progress) {
			mu.Lock()
			defer mu.Unlock()
			seen.Seen = max(seen.Seen, p.Seen)
		}})
		if err != nil {
			t.Fatal(err)
		}
		if int(done.Moved) != missing || len(from.gets) != missing || len(to.puts) != missing || int(done.Seen) != len(all) || seen.Seen != done.Seen {
			t.Errorf("%.1f there: %+v, %d asked for, %d put, %d missing of %d", share, done, len(from.gets), len(to.puts), missing, len(all))
		}
		sameBlocks(t, to, from)
	}
}

// TestCopyResumes: a copy that broke off goes on with what is missing.
func TestCopyResumes(t *testing.T) {
	from, to := newMemory(), newMemory()
	root := from.build(t, 500, number)
	broken := errors.New("broken")
	left := 100
	from.fail = func(cid.Cid) error {
		if left--; left < 0 {
			return broken
		}
		return nil
	}
	to.syncing = errors.New("the disk is full")
	done, err := Copy(t.Context(), root, from, to, Options{})
	if to.synced != 1 || !errors.Is(err, to.syncing) {
		t.Errorf("synced %d times: %v", to.synced, err)
	}
	if !errors.Is(err, broken) || done.Moved != 100 || len(to.blocks) != 100 { // nothing goes on behind our back
		t.Fatalf("%+v, %v", done, err)
	}
	from.fail = nil
	again, err := Copy(t.Context(), root, from, to, Options{})
	if err != nil || int(again.Moved) != len(from.blocks)-100 || to.synced != 1 {
		t.Errorf("%+v, %v", again, err)
	}
	sameBlocks(t, to, from)
}

// slow takes its time for each block, and gives none after some.
type slow struct {
	*memory
	left, flying atomic.Int64
}

func (s *slow) Get(ctx context.Context, c cid.Cid) ([]byte, error) {
	s.flying.Add(1)
	defer s.flying.Add(-1)
	if s.left.Add(-1) < 0 {
		return nil, errors.New("broken")
	}
	time.Sleep(20 * time.Millisecond)
	return s.memory.Get(ctx, c)
}

// TestCopyWaits: a copy that broke off is over when it returns: the stores may
// be closed then.
func TestCopyWaits(t *testing.T) {
	from := newMemory()
	root := from.build(t, 500, number)
	for left := range 20 {
		source := &slow{memory: from}
		source.left.Store(int64(left))
		if _, err := Copy(t.Context(), root, source, newMemory(), Options{AtOnce: 16}); err == nil {
			t.Fatal("no error")
		}
		if n := source.flying.Load(); n > 0 {
			t.Fatalf("%d blocks are being asked for after the copy", n)
		}
	}
}

// TestCopyChecks: wrong bytes do not get across.
func TestCopyChecks(t *testing.T) {
	from, to := newMemory(), newMemory()
	root := from.build(t, 500, number)
	for c := range from.blocks {
		if !c.Equals(root) {
			from.blocks[c] = []byte("wrong")
			break
		}
	}
	_, err := Copy(t.Context(), root, from, to, Options{})
	if !errors.Is(err, stores.ErrWrongBytes) || !errors.Is(err, fault.ErrMissing) {
		t.Errorf("%v", err)
	}
	for c, block := range to.blocks {
		if err := stores.Check(c, block); err != nil {
			t.Error(err)
		}
	}
}

// linkedMap has values that link to a small DAG each: a DAG-CBOR block, below it
// two raw ones, one of which all share; and one in a codec that nobody knows.
func linkedMap(t *testing.T) (*memory, cid.Cid) {
	t.Helper()
	m := newMemory()
	shared := m.add(t, cid.Raw, []byte("shared"))
	const unknown = 0x300001
	root := m.build(t, 60, func(txn *builder.Txn, key string, i int) error {
		leaf := m.add(t, cid.Raw, fmt.Appendf(nil, "leaf %d", i))
		nb := basicnode.Prototype.List.NewBuilder()
		list, err := nb.BeginList(2)
		if err != nil {
			return err
		}
		if err := list.AssembleValue().AssignLink(leaf); err != nil {
			return err
		}
		if err := list.AssembleValue().AssignLink(shared); err != nil {
			return err
		}
		if err := list.Finish(); err != nil {
			return err
		}
		link, err := m.LinkSystem().Store(linking.LinkContext{}, cidlink.LinkPrototype{Prefix: cid.Prefix{
			Version: 1, Codec: cid.DagCBOR, MhType: multihash.SHA2_256, MhLength: 32,
		}}, nb.Build())
		if err != nil {
			return err
		}
		if i == 7 {
			link = m.add(t, unknown, []byte("who knows"))
		}
		return txn.SetString(key, basicnode.NewLink(link))
	})
	return m, root
}

func TestCopyValues(t *testing.T) {
	from, root := linkedMap(t)
	to := newMemory()
	if done, err := Copy(t.Context(), root, from, to, Options{}); err != nil || len(to.blocks) >= 60 {
		t.Fatalf("without values: %+v, %d blocks, %v", done, len(to.blocks), err)
	}
	from.forget()
	done, err := Copy(t.Context(), root, from, to, Options{Values: true})
	if err != nil || done.Opaque != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	// The seventh leaf and its parent are linked by nobody.
	if len(to.blocks) != len(from.blocks)-2 || len(from.gets) != int(done.Moved) {
		t.Errorf("%d of %d blocks, %d asked for: %+v", len(to.blocks), len(from.blocks), len(from.gets), done)
	}
	again, err := Copy(t.Context(), root, from, to, Options{Values: true})
	if err != nil || again.Moved != 0 {
		t.Errorf("again: %+v, %v", again, err)
	}
}

// TestEachLinked: every block below the values, the shared one as often as it is
// linked to; what fails names the key; what visit says ends it.
func TestEachLinked(t *testing.T) {
	from, root := linkedMap(t)
	for _, ahead := range []int{1, 16} {
		m := loadMap(t, from, root, ahead)
		seen := map[cid.Cid]int{}
		err := EachLinked(t.Context(), m, from.Get, func(c cid.Cid, block []byte, _ bool) error {
			seen[c]++
			return stores.Check(c, block)
		})
		if err != nil || len(seen) != 1+2*59+1 {
			t.Errorf("%d blocks, %v", len(seen), err)
		}
		stop := errors.New("stop")
		if err := EachLinked(t.Context(), m, from.Get, func(cid.Cid, []byte, bool) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("stopped: %v", err)
		}
		canceled, cancel := context.WithCancel(t.Context())
		err = EachLinked(canceled, m, from.Get, func(cid.Cid, []byte, bool) error { cancel(); return nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: %v", err)
		}
	}
	for c := range from.blocks {
		if c.Prefix().Codec == cid.Raw && string(from.blocks[c]) == "leaf 30" {
			delete(from.blocks, c)
		}
	}
	err := EachLinked(t.Context(), loadMap(t, from, root, 16), from.Get, func(cid.Cid, []byte, bool) error { return nil })
	if !stores.IsNotFound(err) || err.Error()[:12] != `key "key-30"` {
		t.Errorf("%v", err)
	}
}

func loadMap(t *testing.T, m *memory, root cid.Cid, ahead int) *adl.Node {
	t.Helper()
	node, err := hamt.Load(t.Context(), m.LinkSystem(), cidlink.Link{Cid: root}, hamt.WithReadAhead(ahead))
	if err != nil {
		t.Fatal(err)
	}
	return node
}

// whole is a store that can give all below a block, up to a point.
type whole struct {
	*memory
	breaks int
	asked  atomic.Int64
	gave   sync.Map // the blocks that came so
}

func (w *whole) Tree(_ context.Context, root cid.Cid, visit func(c cid.Cid, block []byte) error) error {
	w.asked.Add(1)
	seen, left := map[cid.Cid]bool{}, w.breaks
	var walk func(c cid.Cid) error
	walk = func(c cid.Cid) error {
		if seen[c] {
			return nil
		}
		if left--; left < 0 {
			return errors.New("the rest got lost")
		}
		seen[c] = true
		w.gave.Store(c, true)
		if err := visit(c, w.blocks[c]); err != nil {
			return err
		}
		linked, _, err := links.Of(c, w.blocks[c])
		for _, link := range linked {
			if err == nil {
				err = walk(link)
			}
		}
		return err
	}
	return walk(root)
}

func (w *whole) given() (n int) {
	w.gave.Range(func(any, any) bool { n++; return true })
	return n
}

// TestCopyTree: what comes in one answer is not asked for again, and what is
// missing from it is.
func TestCopyTree(t *testing.T) {
	from, root := linkedMap(t)
	for _, breaks := range []int{0, 50, 10_000} {
		from.forget()
		source, to := &whole{memory: from, breaks: breaks}, newMemory()
		if _, err := Copy(t.Context(), root, source, to, Options{Values: true, Fresh: true}); err != nil {
			t.Fatal(err)
		}
		for c := range to.blocks {
			if to.puts[c] != 1 {
				t.Errorf("%s was put %d times", c, to.puts[c])
			}
		}
		if left := len(to.blocks) - source.given(); source.asked.Load() != 1 || len(from.gets) != left || len(to.blocks) != len(from.blocks)-2 {
			t.Errorf("breaks at %d: %d blocks asked for, %d there", breaks, len(from.gets), len(to.blocks))
		}
	}
}

// TestCopyParts: of a map alone that has no links in its values, parts come in
// one answer each, whatever the codec; what is missing from one is asked for.
func TestCopyParts(t *testing.T) {
	for _, codec := range []uint64{cid.DagCBOR, cid.DagJSON} {
		from := newMemory()
		root := from.buildIn(t, codec, 3000, number)
		for _, breaks := range []int{0, 3, 10_000} {
			from.forget()
			source, to := &whole{memory: from, breaks: breaks}, newMemory()
			done, err := Copy(t.Context(), root, source, to, Options{Fresh: true, AtOnce: 16, Begun: func(m *adl.Node) {
				if _, err := m.Estimate(t.Context()); err != nil { // which loads some blocks
					t.Error(err)
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			sameBlocks(t, to, from)
			for c, n := range to.puts {
				if n != 1 {
					t.Errorf("%s was put %d times", c, n)
				}
			}
			if int(done.Moved) != len(from.blocks) || breaks == 0 && len(from.gets) != len(from.blocks) {
				t.Errorf("breaks at %d: %+v, %d of %d blocks asked for", breaks, done, len(from.gets), len(from.blocks))
			}
			// The root has 8 parts, of which 4 would be enough.
			if asked := source.asked.Load(); breaks == 0 && asked != 1 || breaks > 0 && asked != 8 {
				t.Errorf("breaks at %d: %d parts asked for", breaks, asked)
			}
			if breaks == 10_000 && len(from.gets) > 32*5 { // the estimate's
				t.Errorf("%d blocks were asked for by themselves", len(from.gets))
			}
		}
		// Into what is not new each block is asked for: none moves in vain.
		source := &whole{memory: from, breaks: 10_000}
		if _, err := Copy(t.Context(), root, source, newMemory(), Options{}); err != nil || source.asked.Load() != 0 {
			t.Errorf("%d parts were asked for, %v", source.asked.Load(), err)
		}
	}
}

// TestCopyPartsEnd: an answer is ended before it brings what a value links to.
func TestCopyPartsEnd(t *testing.T) {
	for _, linkAt := range []int{0, 2900, 3000} {
		from := newMemory()
		far := from.add(t, cid.Raw, []byte("gigabytes"))
		root := from.build(t, 3000, func(txn *builder.Txn, key string, i int) error {
			if i < linkAt || i%20 != 0 {
				// Looks as a link does, and is none.
				return txn.SetString(key, basicnode.NewBytes([]byte{0xd8, 42, byte(i)}))
			}
			return txn.SetString(key, basicnode.NewLink(far))
		})
		source, to := &whole{memory: from, breaks: 10_000}, newMemory()
		if _, err := Copy(t.Context(), root, source, to, Options{Fresh: true, AtOnce: 16}); err != nil {
			t.Fatal(err)
		}
		if len(to.blocks) != len(from.blocks)-1 {
			t.Errorf("%d of %d blocks", len(to.blocks), len(from.blocks))
		}
		if _, gave := source.gave.Load(far.Cid); gave {
			t.Error("what a value links to came along")
		}
		if asked := source.asked.Load(); linkAt == 0 && asked > 1 || linkAt == 3000 && asked != 8 {
			t.Errorf("%d parts asked for", asked)
		}
	}
}

// TestCopyOfWeakDigests: what any bytes could be is not copied, be it of the map or
// of what its values link to, unless it is asked for.
func TestCopyOfWeakDigests(t *testing.T) {
	cut := func(codec uint64, block []byte) cidlink.Link {
		hash, err := multihash.Sum(block, multihash.SHA2_256, 19)
		if err != nil {
			t.Fatal(err)
		}
		return cidlink.Link{Cid: cid.NewCidV1(codec, hash)}
	}
	from := newMemory()
	value := cut(cid.Raw, []byte("value"))
	from.blocks[value.Cid] = []byte("value")
	root := from.build(t, 1, func(txn *builder.Txn, key string, _ int) error {
		return txn.SetString(key, basicnode.NewLink(value))
	})
	weak := cut(cid.DagCBOR, from.blocks[root])
	from.blocks[weak.Cid] = from.blocks[root]
	for _, allowed := range []bool{false, true} {
		for _, root := range []cid.Cid{root, weak.Cid} {
			to := newMemory()
			_, err := Copy(t.Context(), root, from, to, Options{Values: true, WeakDigests: allowed})
			if allowed && (err != nil || len(to.blocks) != 2) {
				t.Errorf("allowed: %d blocks, %v", len(to.blocks), err)
			}
			_, copied := to.blocks[value.Cid]
			if !allowed && (!errors.Is(err, stores.ErrWeakDigest) || copied) {
				t.Errorf("%d blocks, %v", len(to.blocks), err)
			}
		}
	}
}
