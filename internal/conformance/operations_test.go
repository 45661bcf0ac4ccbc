package conformance_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/fluent/qp"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/internal/nodes"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// clusteredHash returns the four keys of machine.key that follow one another the
// same digest, of 16 bits: trees end soon, and for small buckets there is no
// tree at all.
type clusteredHash struct{ last byte }

const clusteredHashCode = 0x300002

func (h *clusteredHash) Write(p []byte) (int, error) {
	if len(p) > 0 {
		h.last = p[len(p)-1]
	}
	return len(p), nil
}
func (h *clusteredHash) Sum(b []byte) []byte { return append(b, h.last>>2, h.last&^3) }
func (h *clusteredHash) Reset()              { h.last = 0 }
func (h *clusteredHash) Size() int           { return 2 }
func (h *clusteredHash) BlockSize() int      { return 1 }

func init() {
	if err := hamt.RegisterHash(clusteredHashCode, func() hash.Hash { return new(clusteredHash) }); err != nil {
		panic(err)
	}
}

// machine runs a script of operations on a Txn and on a plain Go map, and
// expects that they agree: in every answer, in the root after every commit
// (which has to be that of a fresh build), and in the blocks that a commit
// writes (those that the new tree has and the old one had not).
//
// A script is bytes, so that a fuzzer can write it; every string of bytes is
// one. The first four are the parameters.
type machine struct {
	t         *testing.T
	script    []byte
	store     *hamttest.Store
	prototype builder.Prototype
	txn       *builder.Txn
	content   hamttest.Model // as the transaction should have it
	changed   map[string]bool
	versions  []version // all that were committed; the last is what txn began with
}

// version is a map that was committed, and what it should hold.
type version struct {
	node    *adl.Node
	content hamttest.Model
}

func runScript(t *testing.T, script []byte) {
	t.Helper()
	m := &machine{t: t, script: script, store: hamttest.NewStore(), content: hamttest.Model{}, changed: map[string]bool{}}
	p := params.Params{
		HashAlg:    []multicodec.Code{multicodec.Sha2_256, multicodec.Identity, multicodec.Murmur3X64_64, clusteredHashCode}[m.next()%4],
		BitWidth:   3 + int(m.next())%14,
		BucketSize: 1 + int(m.next())%8,
	}
	form := m.next() % 3
	if form == 2 {
		p.Layout, p.BitWidth = params.PyHAMT3, 8
	}
	m.prototype = builder.Prototype{Params: p, LinkSystem: m.store.LinkSystem()}
	if form == 1 {
		m.prototype.InlineBytes = 20
	}
	m.txn = hamttest.Must(m.prototype.NewTxn())
	m.versions = []version{{m.txn.Base(), hamttest.Model{}}}
	for len(m.script) > 0 {
		m.operation()
	}
	m.commit()
	m.finish()
}

func (m *machine) next() (b byte) {
	if len(m.script) > 0 {
		b, m.script = m.script[0], m.script[1:]
	}
	return b
}

func (m *machine) operation() {
	m.t.Helper()
	switch op := m.next(); op % 16 {
	case 0, 1, 2, 3:
		m.set(m.next(), m.next())
	case 4:
		m.setIfAbsent(m.next(), m.next())
	case 5, 6, 7:
		m.delete(m.next())
	case 8:
		m.get(m.next())
	case 9: // many, so that buckets become nodes
		from, value := m.next(), m.next()
		for i := range 32 {
			m.set(from+byte(i), value)
		}
	case 10: // and nodes become buckets
		from := m.next()
		for i := range 32 {
			m.delete(from + byte(3*i))
		}
	case 11, 12:
		m.commit()
	case 13:
		m.failedCommit(int(m.next()) % 8)
	case 14:
		m.cancelledCommit()
	case 15:
		m.goBack(m.next())
	}
}

// key returns one of 256 keys. Under the identity hash their prefixes collide at
// several levels, and they are of one length, without which a short key would
// have no tree.
func (m *machine) key(b byte) []byte {
	if m.prototype.Params.Layout == params.PyHAMT3 { // all keys are text
		return []byte("key" + string(rune(b)))
	}
	if m.prototype.Params.HashAlg == multicodec.Identity {
		return []byte{0, 7, b & 0xc0, 0, b & 0x30, b & 0x0f}
	}
	return []byte{'k', 'e', 'y', b}
}

func (m *machine) value(b byte) datamodel.Node {
	switch b % 8 {
	case 0:
		return basicnode.NewInt(int64(b) - 100)
	case 1:
		return basicnode.NewString(fmt.Sprint("a longer string than others: ", b))
	case 2:
		return datamodel.Null
	case 3:
		return basicnode.NewBytes(make([]byte, b))
	case 4:
		return basicnode.NewBool(b > 100)
	case 5:
		return basicnode.NewUint(1<<63 + uint64(b))
	case 6:
		return hamttest.Must(qp.BuildMap(basicnode.Prototype.Map, -1, func(ma datamodel.MapAssembler) {
			qp.MapEntry(ma, "b", qp.Float(float64(b)))
			qp.MapEntry(ma, "a", qp.List(-1, func(la datamodel.ListAssembler) { qp.ListEntry(la, qp.Null()) }))
		}))
	}
	return basicnode.NewLink(hamttest.BlockOf([]byte{b}).Link)
}

// stored is what stands in the map for a value.
func (m *machine) stored(value datamodel.Node) datamodel.Node {
	raw := hamttest.Must(ipld.Encode(value, dagcbor.Encode))
	if m.prototype.Params.Layout == params.PyHAMT3 {
		switch value.Kind() {
		case datamodel.Kind_Link:
			return value
		case datamodel.Kind_Bytes:
			raw = hamttest.Must(value.AsBytes())
		}
		return basicnode.NewLink(hamttest.PyHAMTLink(multicodec.Raw, raw))
	}
	if m.prototype.InlineBytes == 0 || len(raw) <= m.prototype.InlineBytes {
		return value
	}
	return basicnode.NewLink(hamttest.BlockOf(raw).Link)
}

func (m *machine) set(k, v byte) {
	m.t.Helper()
	key, value := m.key(k), m.value(v)
	var err error
	if k%2 == 0 {
		err = m.txn.Set(key, value)
	} else {
		err = m.txn.SetRaw(key, hamttest.Must(ipld.Encode(value, dagcbor.Encode)))
	}
	if err != nil {
		m.t.Fatal(err)
	}
	m.content[string(key)], m.changed[string(key)] = m.stored(value), true
}

func (m *machine) setIfAbsent(k, v byte) {
	m.t.Helper()
	key, value := m.key(k), m.value(v)
	_, there := m.content[string(key)]
	if did, err := m.txn.SetIfAbsent(m.t.Context(), key, value); err != nil || did == there {
		m.t.Fatalf("SetIfAbsent did it: %v, %v; it was there: %v", did, err, there)
	}
	if !there {
		m.content[string(key)], m.changed[string(key)] = m.stored(value), true
	}
}

func (m *machine) delete(k byte) {
	m.t.Helper()
	key := m.key(k)
	_, there := m.content[string(key)]
	if existed, err := m.txn.Delete(m.t.Context(), key); err != nil || existed != there {
		m.t.Fatalf("Delete says it existed: %v, %v; want %v", existed, err, there)
	}
	if there {
		delete(m.content, string(key))
		m.changed[string(key)] = true
	}
}

func (m *machine) get(k byte) {
	m.t.Helper()
	key := m.key(k)
	want, there := m.content[string(key)]
	if has, err := m.txn.Has(m.t.Context(), key); err != nil || has != there {
		m.t.Fatalf("Has: %v, %v; want %v", has, err, there)
	}
	got, err := m.txn.Get(m.t.Context(), key)
	if !there {
		if !errors.As(err, new(datamodel.ErrNotExists)) {
			m.t.Fatalf("Get of what is not there: %v, %v", got, err)
		}
		return
	}
	if err != nil || !hamttest.Equal(m.t, got, want) {
		m.t.Fatalf("Get: %v, %v", got, err)
	}
	if m.txn.Changes() != len(m.changed) {
		m.t.Fatalf("%d changes, want %d", m.txn.Changes(), len(m.changed))
	}
}

func (m *machine) base() version { return m.versions[len(m.versions)-1] }

// fresh builds the content anew, elsewhere, without the option of keeping
// values in blocks of their own: the content has their links.
func (m *machine) fresh() (*adl.Node, error) {
	return hamttest.ByAssembler(m.t.Context(), builder.Prototype{Params: m.prototype.Params, LinkSystem: hamttest.NewStore().LinkSystem()}, m.content)
}

func (m *machine) commit() {
	m.t.Helper()
	fresh, freshErr := m.fresh()
	m.store.TakeWrites()
	next, link, err := m.txn.Commit(m.t.Context())
	writes := m.store.TakeWrites()
	if freshErr != nil {
		m.refused(err, writes)
		return
	}
	if err != nil {
		m.t.Fatal(err)
	}
	if want := hamttest.Must(fresh.Link()); link != want {
		m.t.Fatalf("root %s, want %s for %d entries", link, want, len(m.content))
	}
	if count, known := next.KnownCount(); !known || count != int64(len(m.content)) {
		m.t.Fatalf("%d entries are known (%v), want %d", count, known, len(m.content))
	}
	m.expectWrites(writes, next)
	if next != m.base().node {
		m.versions = append(m.versions, version{next, maps.Clone(m.content)})
	}
	clear(m.changed)
}

// refused expects what a map without a tree has to come to, and goes back to
// the last version.
func (m *machine) refused(err error, writes []string) {
	m.t.Helper()
	if !errors.Is(err, fault.ErrMaxDepth) {
		m.t.Fatalf("Commit says %v, and a fresh build cannot be made", err)
	}
	if len(writes) > 0 {
		m.t.Fatalf("a refused commit wrote %d blocks", len(writes))
	}
	m.begin(m.base())
}

// begin begins a transaction on a version.
func (m *machine) begin(v version) {
	m.t.Helper()
	m.txn = hamttest.Must(m.prototype.Edit(v.node))
	m.content = maps.Clone(v.content)
	clear(m.changed)
}

// expectWrites expects each block that is new, once, children before parents,
// the root last; beside them, only blocks of values.
func (m *machine) expectWrites(writes []string, next *adl.Node) {
	m.t.Helper()
	old := map[string]bool{}
	if base := m.base().node; nodes.OriginOf(base).Tree.Link() != nil {
		old = hamttest.Links(m.t, base)
	}
	want := hamttest.Links(m.t, next)
	maps.DeleteFunc(want, func(link string, _ bool) bool { return old[link] })
	ownValues := map[string]bool{}
	for _, value := range m.content {
		if value.Kind() == datamodel.Kind_Link {
			ownValues[hamttest.Must(value.AsLink()).String()] = true
		}
	}
	done := map[string]bool{}
	for i, name := range writes {
		if done[name] {
			m.t.Fatalf("block %s was written twice", name)
		}
		done[name] = true
		if (m.prototype.InlineBytes > 0 || m.prototype.Params.Layout == params.PyHAMT3) && ownValues[name] {
			continue
		}
		if !want[name] {
			m.t.Fatalf("block %s was written, and is not new in the tree", name)
		}
		for _, child := range m.childrenOf(name) {
			if want[child] && !done[child] {
				m.t.Fatalf("block %s was written before its child %s", name, child)
			}
		}
		if root := hamttest.Must(next.Link()).String(); name == root && i != len(writes)-1 {
			m.t.Fatal("the root was not the last block written")
		}
	}
	for name := range want {
		if !done[name] {
			m.t.Fatalf("block %s is new and was not written", name)
		}
	}
}

// childrenOf returns the links in a node's block that are to nodes.
func (m *machine) childrenOf(name string) (children []string) {
	m.t.Helper()
	raw := m.store.Block(hamttest.LinkTo(m.t, name))
	n, _, err := block.ParseRoot(raw, m.prototype.Params)
	if err != nil {
		if n, err = block.Parse(raw, m.prototype.Params); err != nil {
			m.t.Fatal(err)
		}
	}
	for position := range n.Len() {
		if n.IsLink(position) {
			children = append(children, cid.MustParse(n.Link(position)).String())
		}
	}
	return children
}

// failedCommit lets the write after n others fail. The next commit tries again.
func (m *machine) failedCommit(n int) {
	m.t.Helper()
	m.store.OnWrite = func(datamodel.Link, []byte) error {
		if n--; n < 0 {
			return hamttest.ErrStore
		}
		return nil
	}
	before := m.txn.Base()
	next, _, err := m.txn.Commit(m.t.Context())
	m.store.OnWrite = nil
	switch {
	case err == nil: // fewer blocks than that, so it went through
		m.adopt(next)
		return
	case errors.Is(err, fault.ErrMaxDepth):
		m.begin(m.base())
		return
	case !errors.Is(err, hamttest.ErrStore):
		m.t.Fatalf("Commit says %v", err)
	}
	if m.txn.Base() != before || m.txn.Changes() != len(m.changed) {
		m.t.Fatal("a failed commit changed the transaction")
	}
	hamttest.ExpectContent(m.t, m.load(m.base()), m.base().content)
}

// adopt takes over a version that was committed without looking at the writes.
func (m *machine) adopt(next *adl.Node) {
	m.t.Helper()
	if fresh := hamttest.Must(m.fresh()); hamttest.Must(fresh.Link()) != hamttest.Must(next.Link()) {
		m.t.Fatal("another root than a fresh build's")
	}
	if next != m.base().node {
		m.versions = append(m.versions, version{next, maps.Clone(m.content)})
	}
	clear(m.changed)
}

// load opens a version again, from its blocks.
func (m *machine) load(v version) *adl.Node {
	m.t.Helper()
	if nodes.OriginOf(v.node).Tree.Link() == nil { // the empty map that was never written
		return v.node
	}
	node, err := hamt.Load(m.t.Context(), m.prototype.LinkSystem, nodes.OriginOf(v.node).Tree.Link(), hamt.WithParams(m.prototype.Params))
	if err != nil {
		m.t.Fatal(err)
	}
	return node
}

func (m *machine) cancelledCommit() {
	m.t.Helper()
	if len(m.changed) == 0 {
		return
	}
	ctx, cancel := context.WithCancel(m.t.Context())
	cancel()
	m.store.TakeWrites()
	next, _, err := m.txn.Commit(ctx)
	if err == nil { // nothing was to be written after all
		m.adopt(next)
		return
	}
	if errors.Is(err, fault.ErrMaxDepth) {
		m.begin(m.base())
		return
	}
	if !errors.Is(err, context.Canceled) {
		m.t.Fatalf("Commit says %v", err)
	}
	if writes := m.store.TakeWrites(); len(writes) > 0 {
		m.t.Fatalf("a cancelled commit wrote %d blocks", len(writes))
	}
}

// goBack begins again from any version, read from its blocks.
func (m *machine) goBack(b byte) {
	m.t.Helper()
	v := m.versions[int(b)%len(m.versions)]
	v.node = m.load(v)
	if nodes.OriginOf(v.node).Tree.Link() != nil {
		v.node.Length() // so that the count is known again
	}
	m.versions = append(m.versions, v)
	m.begin(v)
}

// finish looks at every version again, and makes the last one in all ways.
func (m *machine) finish() {
	m.t.Helper()
	last := m.base()
	for _, v := range append(m.versions[max(0, len(m.versions)-4):], m.versions[0]) {
		node := m.load(v)
		hamttest.ExpectContent(m.t, node, v.content)
		hamttest.ExpectVerified(m.t, node)
	}
	if nodes.OriginOf(last.node).Tree.Link() == nil {
		return
	}
	plain := builder.Prototype{Params: m.prototype.Params, LinkSystem: hamttest.NewStore().LinkSystem()}
	expectOtherWays(m.t, plain, last.content, hamttest.Must(last.node.Link()).String())
}

// TestOperations runs random scripts; the seed is printed, and FuzzOperations
// takes the script as it is.
func TestOperations(t *testing.T) {
	scripts := 150
	if *long {
		scripts = 5000
	}
	for range scripts {
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 0))
		script := make([]byte, 4+random.IntN(400))
		for i := range script {
			script[i] = byte(random.Uint32())
		}
		if !t.Run(fmt.Sprintf("seed=%#x", seed), func(t *testing.T) { runScript(t, script) }) {
			t.Fatalf("the script: %q", script)
		}
	}
}

// scripts are seeds for FuzzOperations: each says what it is after.
var scripts = map[string][]byte{
	"nothing":                       {0, 5, 2, 0},
	"commit nothing":                {0, 5, 2, 0, 11, 11},
	"set, delete, commit":           {0, 5, 2, 0, 0, 1, 1, 5, 1, 11},
	"fill and drain":                {0, 0, 0, 0, 9, 0, 0, 9, 32, 0, 11, 10, 0, 10, 1, 10, 2, 11},
	"deep tree, collapse at once":   {1, 0, 0, 0, 9, 0, 0, 11, 10, 0, 10, 1, 10, 2, 11},
	"equal values again":            {2, 5, 2, 0, 9, 0, 0, 11, 9, 0, 0, 11},
	"fail at each block, try again": {0, 0, 0, 0, 9, 0, 0, 13, 0, 13, 1, 13, 2, 13, 3, 11},
	"no hash bits left":             {3, 0, 2, 0, 9, 0, 0, 11, 0, 0, 0, 11},
	"values of their own, replaced": {0, 5, 2, 1, 0, 0, 1, 0, 0, 9, 11, 0, 0, 1, 11, 5, 0, 11},
	"two branches":                  {0, 5, 2, 0, 9, 0, 0, 11, 9, 64, 1, 11, 15, 1, 9, 128, 2, 11, 15, 0, 4, 1, 1, 11},
	"py-hamt, fill and drain":       {0, 5, 0, 2, 9, 0, 0, 9, 32, 0, 11, 10, 0, 10, 1, 10, 2, 11},
	"py-hamt, replaced":             {2, 5, 3, 2, 0, 0, 1, 0, 200, 3, 11, 0, 0, 7, 11, 5, 200, 11, 15, 0, 4, 1, 3, 11},
	"py-hamt, no hash bits left":    {3, 5, 2, 2, 9, 0, 0, 11, 0, 0, 0, 11},
	"cancelled":                     {0, 5, 2, 0, 9, 0, 0, 14, 11, 10, 0, 14, 11},
}

func TestScripts(t *testing.T) {
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) { runScript(t, script) })
	}
}

func FuzzOperations(f *testing.F) {
	for _, name := range slices.Sorted(maps.Keys(scripts)) {
		f.Add(scripts[name])
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) > 1000 {
			return // what a longer one shows, a shorter one shows as well
		}
		runScript(t, script)
	})
}

// long asks for the long form of the tests that have one: go test -args -long.
var long = flag.Bool("long", false, "run more and larger random tests")
