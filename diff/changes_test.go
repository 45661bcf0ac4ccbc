package diff_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/diff"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// wanted returns the changes between two Go maps, as text, in the order of the
// digests of their keys.
func wanted(t testing.TB, a, b hamttest.Model) (all []string) {
	t.Helper()
	keys := map[string]bool{}
	for _, m := range []hamttest.Model{a, b} {
		for key := range m {
			keys[key] = true
		}
	}
	for _, key := range slices.SortedFunc(maps.Keys(keys), func(x, y string) int {
		hashX, hashY := sha256.Sum256([]byte(x)), sha256.Sum256([]byte(y))
		return bytes.Compare(hashX[:], hashY[:])
	}) {
		before, after := encoded(t, a[key]), encoded(t, b[key])
		switch {
		case bytes.Equal(before, after):
		case before == nil:
			all = append(all, fmt.Sprintf("added %q: %x → %x", key, before, after))
		case after == nil:
			all = append(all, fmt.Sprintf("removed %q: %x → %x", key, before, after))
		default:
			all = append(all, fmt.Sprintf("changed %q: %x → %x", key, before, after))
		}
	}
	return all
}

func encoded(t testing.TB, value datamodel.Node) []byte {
	t.Helper()
	if value == nil {
		return nil
	}
	raw, err := ipld.Encode(value, dagcbor.Encode)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// text is how wanted writes a change.
func text(c diff.Change) string {
	key := string(c.Key)
	for _, outer := range slices.Backward(c.Path) {
		key = string(outer) + "/" + key
	}
	return fmt.Sprintf("%s %q: %x → %x", c.Kind, key, c.Before.Raw(), c.After.Raw())
}

func changes(t testing.TB, a, b *adl.Node, options ...diff.Option) (all []string) {
	t.Helper()
	for c, err := range diff.Changes(t.Context(), a, b, options...) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text(c))
	}
	return all
}

func expect(t testing.TB, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %d changes, want %d:\n%.2000s\nwant\n%.2000s", len(got), len(want), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// failure returns the first error of a diff.
func failure(ctx context.Context, a, b *adl.Node, options ...diff.Option) error {
	for _, err := range diff.Changes(ctx, a, b, options...) {
		if err != nil {
			return err
		}
	}
	return nil
}

// pair is two maps, each in a store of its own.
type pair struct {
	before, after hamttest.Model
	storeA        *hamttest.Store
	storeB        *hamttest.Store
	rootA, rootB  datamodel.Link
	paramsA       params.Params
	paramsB       params.Params
	now, most     atomic.Int64 // loads under way, of both; with slowDown
}

// slowDown makes each load take its time, and counts those that are under way.
func (p *pair) slowDown() {
	p.storeA.Delay = func(datamodel.Link) time.Duration {
		p.most.Store(max(p.most.Load(), p.now.Add(1)))
		time.AfterFunc(hamttest.Delay-1, func() { p.now.Add(-1) })
		return hamttest.Delay
	}
	p.storeB.Delay = p.storeA.Delay
}

func newPair(t testing.TB, a, b params.Params, before, after hamttest.Model) *pair {
	t.Helper()
	p := &pair{before: before, after: after, paramsA: a, paramsB: b}
	p.storeA, p.rootA = hamttest.Stored(t, a, before)
	p.storeB, p.rootB = hamttest.Stored(t, b, after)
	p.take()
	return p
}

// load opens both maps with nothing in memory but their roots.
func (p *pair) load(t testing.TB, options ...hamt.Option) (a, b *adl.Node) {
	t.Helper()
	a = hamttest.Load(t, p.storeA, p.rootA, append(options, hamt.WithParams(p.paramsA))...)
	b = hamttest.Load(t, p.storeB, p.rootB, append(options, hamt.WithParams(p.paramsB))...)
	p.take()
	return a, b
}

func (p *pair) take() (a, b []string) { return p.storeA.TakeLoads(), p.storeB.TakeLoads() }

// edited returns a copy of a map with some keys deleted, changed and added at random.
func edited(random *rand.Rand, m hamttest.Model, changes int) hamttest.Model {
	next := maps.Clone(m)
	keys := slices.Sorted(maps.Keys(m))
	for range changes {
		key := fmt.Sprint("new-", random.IntN(1000))
		if len(keys) > 0 && random.IntN(3) > 0 {
			key = keys[random.IntN(len(keys))]
		}
		if random.IntN(3) == 0 {
			delete(next, key)
		} else {
			next[key] = basicnode.NewString(fmt.Sprint("value ", random.IntN(4)))
		}
	}
	return next
}

func withLayout(p params.Params, layout params.Layout) params.Params {
	p.Layout = layout
	return p
}

func sha2(bitWidth, bucketSize int) params.Params {
	return params.Params{HashAlg: multicodec.Sha2_256, BitWidth: bitWidth, BucketSize: bucketSize}
}

// TestChanges compares random pairs of maps with Go maps: equal parameters and
// different ones, stores that are fast and slow, few and many loads at a time.
func TestChanges(t *testing.T) {
	all := []params.Params{sha2(3, 1), sha2(3, 3), sha2(5, 3), sha2(8, 1), sha2(8, 5), withLayout(sha2(5, 3), params.FilecoinV3), withLayout(sha2(3, 1), params.FilecoinV3)}
	for i, pa := range all {
		for j, pb := range all {
			t.Run(fmt.Sprintf("%v to %v", pa, pb), func(t *testing.T) {
				random := rand.New(rand.NewPCG(uint64(i), uint64(j)))
				for _, n := range []int{0, 1, 3, 40, 250} {
					for _, most := range []int{0, 2, 100} {
						before := edited(random, hamttest.Numbered(n), n/10)
						after := edited(random, before, most)
						p := newPair(t, pa, pb, before, after)
						a, b := p.load(t)
						want := wanted(t, before, after)
						expect(t, changes(t, a, b), want)
						if t.Failed() {
							t.FailNow()
						}
					}
				}
			})
		}
	}
}

// TestAnyParallelism: the changes are the same, and in the same order, however many
// blocks are loaded at the same time and whichever comes first.
func TestAnyParallelism(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	before := hamttest.Numbered(1500)
	after := edited(random, before, 200)
	for _, width := range []int{3, 4} {
		p := newPair(t, sha2(3, 2), sha2(width, 2), before, after)
		want := wanted(t, before, after)
		for _, ahead := range []int{0, 1, 2, 7, 64} {
			for slow := range 4 {
				synctest.Test(t, func(t *testing.T) {
					p.storeA.Delay, p.storeB.Delay = nil, nil
					if slow&1 > 0 {
						p.storeA.Delay = anyDelay
					}
					if slow&2 > 0 {
						p.storeB.Delay = anyDelay
					}
					a, b := p.load(t)
					expect(t, changes(t, a, b, diff.ReadAhead(ahead)), want)
				})
			}
		}
	}
}

// anyDelay is another delay for every block.
func anyDelay(link datamodel.Link) time.Duration {
	hash := sha256.Sum256([]byte(link.Binary()))
	return time.Duration(1+hash[0]) * hamttest.Delay / 50
}

// TestEitherEmpty: nil is the empty map, whatever the other one is, and so is a map
// without entries.
func TestEitherEmpty(t *testing.T) {
	content := hamttest.Numbered(100)
	p := newPair(t, sha2(4, 2), sha2(4, 2), content, hamttest.Model{})
	full, empty := p.load(t)
	added, removed := wanted(t, nil, content), wanted(t, content, nil)
	for _, none := range []*adl.Node{nil, empty} {
		expect(t, changes(t, none, full), added)
		expect(t, changes(t, full, none), removed)
		expect(t, changes(t, none, none), nil)
		expect(t, changes(t, none, nil), nil)
		expect(t, changes(t, nil, none), nil)
	}
	expect(t, changes(t, full, full), nil)
}

// TestReadsAheadOnBothSides: while one block is waited for, others of both maps are
// being loaded, no more than there may be.
func TestReadsAheadOnBothSides(t *testing.T) {
	before := hamttest.Numbered(4000)
	after := hamttest.Model{}
	for key := range before {
		after[key] = basicnode.NewString("x")
	}
	for _, width := range []int{4, 5} {
		p := newPair(t, sha2(4, 2), sha2(width, 2), before, after)
		nodes := p.storeA.Len() + p.storeB.Len()
		synctest.Test(t, func(t *testing.T) {
			p.slowDown()
			a, b := p.load(t)
			began := time.Now()
			if got := len(changes(t, a, b)); got != 4000 {
				t.Errorf("%d changes", got)
			}
			serially := time.Duration(nodes) * hamttest.Delay
			if took := time.Since(began); took > serially/30 {
				t.Errorf("it took %v, and one load after the other %v", took, serially)
			}
			if most := p.most.Load(); most > 64 || most < 32 {
				t.Errorf("%d loads at the same time", most)
			}
		})
	}
}

// TestLoads: of nodes that both maps have none is loaded, and no other twice, from a
// fast store or a slow one; each map's come from its own store.
func TestLoads(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, changed := range []int{0, 1, 5, 50, 1000} {
		before := hamttest.Numbered(3000)
		p := newPair(t, sha2(4, 3), sha2(4, 3), before, edited(random, before, changed))
		a, b := p.load(t)
		onlyA, onlyB := nodesOf(t, a), nodesOf(t, b)
		for link := range onlyA {
			if onlyB[link] {
				delete(onlyA, link)
				delete(onlyB, link)
			}
		}
		for _, slow := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				if slow {
					p.slowDown()
				}
				a, b := p.load(t, hamt.WithCacheBytes(0))
				changes(t, a, b)
				loadsA, loadsB := p.take()
				for _, side := range []struct {
					loads []string
					want  map[string]bool
				}{{loadsA, onlyA}, {loadsB, onlyB}} {
					slices.Sort(side.loads)
					if want := slices.Sorted(maps.Keys(side.want)); !slices.Equal(side.loads, want) {
						t.Errorf("%d changes: %d loads, and %d nodes differ", changed, len(side.loads), len(want))
					}
				}
			})
		}
	}
}

// nodesOf returns the links of all nodes below the root.
func nodesOf(t *testing.T, n *adl.Node) map[string]bool {
	t.Helper()
	all := hamttest.Links(t, n)
	delete(all, hamttest.RootOf(t, n).String())
	return all
}

// TestBucketAgainstSubtree: where one map has a bucket and the other a subtree, that is
// read as a stream: the first changes are there after a few loads.
func TestBucketAgainstSubtree(t *testing.T) {
	content := hamttest.Numbered(3000)
	few := hamttest.Model{"key-7": content["key-7"], "key-8": datamodel.Null, "another": datamodel.Null}
	for _, p := range []*pair{
		newPair(t, sha2(3, 3), sha2(3, 3), few, content),
		newPair(t, sha2(3, 3), sha2(3, 3), content, few),
	} {
		a, b := p.load(t)
		expect(t, changes(t, a, b), wanted(t, p.before, p.after))
		a, b = p.load(t)
		for _, err := range diff.Changes(t.Context(), a, b) {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		if loadsA, loadsB := p.take(); len(loadsA)+len(loadsB) > 10 {
			t.Errorf("%d loads before the first change", len(loadsA)+len(loadsB))
		}
	}
}

// TestAfter resumes a diff after each of its changes, and loads hardly more than what
// was not loaded before.
func TestAfter(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	before := hamttest.Numbered(800)
	after := edited(random, before, 60)
	for _, width := range []int{3, 5} {
		p := newPair(t, sha2(3, 2), sha2(width, 2), before, after)
		want := wanted(t, before, after)
		a, b := p.load(t)
		changes(t, a, b)
		wholeA, wholeB := p.take()
		var keys [][]byte
		for c, err := range diff.Changes(t.Context(), a, b) {
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, c.Key)
		}
		for i, key := range keys {
			a, b := p.load(t)
			expect(t, changes(t, a, b, diff.After(key)), want[i+1:])
			loadsA, loadsB := p.take()
			if share := float64(len(want)-i) / float64(len(want)); float64(len(loadsA)+len(loadsB)) > 1.3*share*float64(len(wholeA)+len(wholeB))+12 {
				t.Errorf("after %d of %d changes: %d loads, and %d for all", i+1, len(want), len(loadsA)+len(loadsB), len(wholeA)+len(wholeB))
			}
		}
		a, b = p.load(t)
		// A key that is in neither map is a place in hash order, too.
		for _, key := range []string{"", "x", "nobody"} {
			var rest []string
			for i, c := range keys {
				if sum, at := sha256.Sum256(c), sha256.Sum256([]byte(key)); bytes.Compare(sum[:], at[:]) > 0 {
					rest = append(rest, want[i])
				}
			}
			expect(t, changes(t, a, b, diff.After([]byte(key))), rest)
		}
	}
}

// TestKeys asks for the changes of some keys, and loads the nodes on the way to them.
func TestKeys(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	before := hamttest.Numbered(2000)
	after := edited(random, before, 1000)
	for _, width := range []int{3, 5} {
		p := newPair(t, sha2(3, 2), sha2(width, 2), before, after)
		for _, n := range []int{0, 1, 3, 30} {
			var keys [][]byte
			someBefore, someAfter := hamttest.Model{}, hamttest.Model{}
			for range n {
				key := fmt.Sprint("key-", random.IntN(2100))
				keys = append(keys, []byte(key))
				if value, ok := before[key]; ok {
					someBefore[key] = value
				}
				if value, ok := after[key]; ok {
					someAfter[key] = value
				}
			}
			a, b := p.load(t)
			expect(t, changes(t, a, b, diff.Keys(keys...)), wanted(t, someBefore, someAfter))
			loadsA, loadsB := p.take()
			if most := 12 * n; len(loadsA)+len(loadsB) > most {
				t.Errorf("%d keys: %d loads", n, len(loadsA)+len(loadsB))
			}
		}
	}
}

// TestHashPrefix cuts a diff into parts, by prefixes of any length.
func TestHashPrefix(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	before := hamttest.Numbered(2000)
	after := edited(random, before, 500)
	for _, width := range []int{3, 5} {
		p := newPair(t, sha2(3, 2), sha2(width, 2), before, after)
		want := wanted(t, before, after)
		a, b := p.load(t)
		expect(t, changes(t, a, b, diff.HashPrefix(nil, 0)), want)
		wholeA, wholeB := p.take()
		for bits := 1; bits <= 9; bits++ {
			var all []string
			for part := range 1 << bits {
				prefix := []byte{byte(part << (16 - bits) >> 8), byte(part << (16 - bits))}
				a, b := p.load(t)
				all = append(all, changes(t, a, b, diff.HashPrefix(prefix, bits))...)
				loadsA, loadsB := p.take()
				if loads, whole := len(loadsA)+len(loadsB), len(wholeA)+len(wholeB); loads > whole*2>>bits+12 {
					t.Errorf("%d bits: %d loads for a part, and %d for all", bits, loads, whole)
				}
			}
			expect(t, all, want)
		}
		// A whole digest and more is a prefix as well.
		key := []byte("key-1")
		digest := sha256.Sum256(key)
		a, b = newPair(t, sha2(3, 2), sha2(width, 2), before, nil).load(t)
		expect(t, changes(t, a, b, diff.HashPrefix(digest[:], 256)), wanted(t, hamttest.Model{"key-1": before["key-1"]}, nil))
		expect(t, changes(t, a, b, diff.HashPrefix(append(digest[:], 1), 264)), nil)
		expect(t, changes(t, a, b, diff.HashPrefix(digest[:], 256), diff.Keys([]byte("key-2"))), nil)
	}
}

// TestCollisions: keys of one digest are in the order of their bytes.
func TestCollisions(t *testing.T) {
	p := params.Params{HashAlg: hamttest.ConstantHashCode, BitWidth: 4, BucketSize: 8}
	before := hamttest.Model{"a": datamodel.Null, "c": datamodel.Null, "d": datamodel.Null}
	after := hamttest.Model{"a": datamodel.Null, "b": datamodel.Null, "d": basicnode.NewInt(1)}
	want := []string{`added "b":  → f6`, `removed "c": f6 → `, `changed "d": f6 → 01`}
	q := p
	q.BitWidth = 5
	for _, other := range []params.Params{p, q} {
		a, b := newPair(t, p, other, before, after).load(t)
		expect(t, changes(t, a, b), want)
		expect(t, changes(t, a, b, diff.After([]byte("b"))), want[1:])
		expect(t, changes(t, a, b, diff.Keys([]byte("a"), []byte("d"))), want[2:])
	}
}

// TestValue: what a change holds can be decoded, and that there is nothing is no error.
func TestValue(t *testing.T) {
	a, b := newPair(t, sha2(4, 2), sha2(4, 2), hamttest.Model{"k": basicnode.NewString("v")}, nil).load(t)
	for c, err := range diff.Changes(t.Context(), a, b) {
		if err != nil {
			t.Fatal(err)
		}
		before, err := c.Before.Node()
		if err != nil || !hamttest.Equal(t, before, basicnode.NewString("v")) || !c.Before.Exists() {
			t.Errorf("before: %v, %v", before, err)
		}
		after, err := c.After.Node()
		if err != nil || after != datamodel.Absent || c.After.Exists() || c.After.Raw() != nil {
			t.Errorf("after: %v, %v", after, err)
		}
	}
}

// TestMemory: what is held at a time is about one path through each tree.
func TestMemory(t *testing.T) {
	const most = 4 << 20
	content := hamttest.Model{}
	for i := range 40_000 {
		content[fmt.Sprint(i)] = basicnode.NewString(strings.Repeat("x", 300))
	}
	for _, widths := range [][2]int{{3, 3}, {11, 11}, {11, 10}} {
		p := newPair(t, sha2(widths[0], 3), sha2(widths[1], 3), content, nil)
		a, b := p.load(t, hamt.WithCacheBytes(0))
		before, n := hamttest.Heap(), 0
		for _, err := range diff.Changes(t.Context(), a, b) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == 20_000 || n == 39_000 {
				if held := hamttest.Heap() - before; held > most {
					t.Errorf("bit widths %d: %d KiB are held after %d changes", widths, held>>10, n)
				}
			}
		}
		runtime.KeepAlive(p)
	}
}

// TestReadAheadOfMaps: without the option, no more is loaded at the same time than
// either map allows.
func TestReadAheadOfMaps(t *testing.T) {
	p := halves(t, sha2(3, 1), sha2(3, 1))
	for _, aheads := range [][2]int{{1, 64}, {64, 1}, {3, 3}} {
		synctest.Test(t, func(t *testing.T) {
			p.slowDown()
			a := hamttest.Load(t, p.storeA, p.rootA, hamt.WithReadAhead(aheads[0]))
			b := hamttest.Load(t, p.storeB, p.rootB, hamt.WithReadAhead(aheads[1]))
			p.most.Store(0)
			changes(t, a, b)
			if most := p.most.Load(); most != int64(min(aheads[0], aheads[1])) {
				t.Errorf("%d loads at the same time, and the maps allow %d", most, aheads)
			}
		})
	}
}

// TestEarlyStop: a diff that is broken off loads no more, and leaves nothing running.
func TestEarlyStop(t *testing.T) {
	before := hamttest.Numbered(3000)
	for _, width := range []int{3, 4} {
		p := newPair(t, sha2(3, 2), sha2(width, 2), before, nil)
		for _, most := range []int{1, 100} {
			synctest.Test(t, func(t *testing.T) {
				p.slowDown()
				a, b := p.load(t)
				n := 0
				for _, err := range diff.Changes(t.Context(), a, b) {
					if err != nil {
						t.Fatal(err)
					}
					if n++; n == most {
						break
					}
				}
				synctest.Wait()
				p.take()
				time.Sleep(time.Minute)
				if loadsA, loadsB := p.take(); len(loadsA)+len(loadsB) > 0 {
					t.Errorf("%d loads after the end", len(loadsA)+len(loadsB))
				}
			})
		}
	}
}
