package trie

import (
	"fmt"
	"slices"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// Emitter turns entries that come in hash order into the blocks of their tree,
// in one pass and bottom-up: every block is made once, after all its children,
// and the memory is that of one path through the tree.
//
// It keeps the nodes on the way to where it is as open encoders, and up to
// bucketSize entries pending: those that share an index in the deepest open
// node so far. One entry more, and there is a node at that index:
//
//	open[0] ── open[1] ── … ── open[depth]
//	  path[0]    path[1]          slot ← pending
type Emitter struct {
	order  hashsort.Order
	params params.Params
	layout *block.Layout
	put    Put

	open    []*block.Encoder // by depth; kept for reuse beyond the open ones
	depth   int              // of the deepest open node
	path    []int            // path[d]: where open[d+1] stands in open[d]
	slot    int              // where pending will stand in open[depth]
	last    []int            // last[d]: the last index filled in open[d], -1 for none
	pending []hashsort.Entry
	buffer  []byte
	entries int64
}

// Put takes a finished block at a depth below the root, in DAG-CBOR and valid
// only during the call, and returns its binary CID.
type Put func(raw []byte, depth int) (binaryCID []byte, err error)

// NewEmitter returns an emitter that calls put for every block but the root's.
func NewEmitter(p params.Params, hasher *keyhash.Hasher, put Put) *Emitter {
	e := &Emitter{order: hashsort.NewOrder(hasher, p.BitWidth), params: p, layout: block.LayoutOf(p.Layout), put: put}
	e.openNode()
	return e
}

// openNode readies the encoder of open[e.depth].
func (e *Emitter) openNode() {
	if e.depth == len(e.open) {
		e.open = append(e.open, block.NewEncoder(e.params))
		e.last = append(e.last, -1)
	} else {
		e.open[e.depth].Reset()
		e.last[e.depth] = -1
	}
}

// Entries returns the number of entries added so far.
func (e *Emitter) Entries() int64 { return e.entries }

// Add adds an entry. Entries have to come in hash order, as far as it matters
// for where they stand, and no key twice. Key and value must stay as they are
// until a few entries later, so: until Finish.
func (e *Emitter) Add(entry hashsort.Entry) error {
	shared := 0
	for shared < e.depth && e.order.Index(entry.Head, entry.Key, shared) == e.path[shared] {
		shared++
	}
	if shared < e.depth {
		if err := e.closeTo(shared); err != nil {
			return err
		}
	}
	if err := e.checkBits(entry.Key, e.depth); err != nil {
		return err
	}
	e.entries++
	index := e.order.Index(entry.Head, entry.Key, e.depth)
	if len(e.pending) == 0 || index != e.slot {
		if err := e.flush(); err != nil {
			return err
		}
		e.slot = index
		e.pending = append(e.pending, entry)
		return nil
	}
	e.pending = append(e.pending, entry)
	for len(e.pending) > e.params.BucketSize {
		if err := e.descend(); err != nil {
			return err
		}
	}
	return nil
}

// AddLink adds a whole subtree that exists already: the node with the given
// binary CID, to stand at path. It must come in hash order. It
// has more than bucketSize entries, so whatever else is in the nodes between
// the root and it, they are nodes.
func (e *Emitter) AddLink(path []int, binaryCID []byte) error {
	parent := len(path) - 1
	if err := e.openTo(path[:parent]); err != nil {
		return err
	}
	if err := e.claim(path[parent]); err != nil {
		return err
	}
	e.open[parent].AddLink(path[parent], binaryCID)
	return nil
}

// AddElements adds elements, as they are encoded, to the node at path. They
// must come in hash order, and be enough, with what else comes into the node,
// for it to stay a node.
func (e *Emitter) AddElements(path, indexes []int, encoded []byte) error {
	if err := e.openTo(path); err != nil {
		return err
	}
	if err := e.claim(indexes[0]); err != nil {
		return err
	}
	e.last[e.depth] = indexes[len(indexes)-1]
	e.open[e.depth].AddElements(indexes, encoded)
	return nil
}

// openTo closes and opens nodes until the deepest open one is at path, with
// nothing pending.
func (e *Emitter) openTo(path []int) error {
	shared := 0
	for shared < min(e.depth, len(path)) && path[shared] == e.path[shared] {
		shared++
	}
	if shared < e.depth {
		if err := e.closeTo(shared); err != nil {
			return err
		}
	}
	for e.depth < len(path) {
		if len(e.pending) > 0 && e.slot != path[e.depth] {
			if err := e.flush(); err != nil {
				return err
			}
		}
		e.slot = path[e.depth]
		if err := e.descend(); err != nil {
			return err
		}
	}
	return e.flush()
}

// descend opens the node at slot and spreads what is pending there in it: all
// but the last bucket, which stays pending.
func (e *Emitter) descend() error {
	e.path = append(e.path[:e.depth], e.slot)
	e.depth++
	if e.depth > params.MaxDepth {
		return e.tooDeep()
	}
	for _, entry := range e.pending {
		if err := e.checkBits(entry.Key, e.depth); err != nil {
			return err
		}
	}
	e.openNode()
	all := e.pending
	first := 0
	for i := range all {
		index := e.order.Index(all[i].Head, all[i].Key, e.depth)
		if i > first && index != e.slot {
			if err := e.writeBucket(all[first:i]); err != nil {
				return err
			}
			first = i
		}
		e.slot = index
	}
	e.pending = append(e.pending[:0], all[first:]...)
	return nil
}

// checkBits refuses a key that has no hash bits left at depth.
func (e *Emitter) checkBits(key []byte, depth int) error {
	if hasBits(e.order.Bits(key), depth, e.params.BitWidth) {
		return nil
	}
	return e.tooDeep()
}

func (e *Emitter) tooDeep() error {
	keys := make([]string, len(e.pending))
	for i, entry := range e.pending {
		keys[i] = fmt.Sprintf("%.40q", entry.Key)
	}
	return &fault.Error{Kind: fault.ErrMaxDepth, Path: slices.Clone(e.path[:e.depth]),
		Detail: fmt.Sprintf("more than %d keys collide: %s", e.params.BucketSize, keys)}
}

// flush writes what is pending as a bucket.
func (e *Emitter) flush() error {
	if len(e.pending) == 0 {
		return nil
	}
	err := e.writeBucket(e.pending)
	e.pending = e.pending[:0]
	return err
}

func (e *Emitter) writeBucket(entries []hashsort.Entry) error {
	if err := e.claim(e.slot); err != nil {
		return err
	}
	// Insertion sort: a bucket is short, and sorted already more often than not.
	for i := 1; i < len(entries); i++ {
		for j := i; j > 0 && e.layout.CompareKeys(entries[j-1].Key, entries[j].Key) > 0; j-- {
			entries[j-1], entries[j] = entries[j], entries[j-1]
		}
	}
	encoder := e.open[e.depth]
	encoder.AddBucket(e.slot, len(entries))
	for _, entry := range entries {
		encoder.AddEntry(entry.Key, entry.Value)
	}
	return nil
}

// claim refuses an index that is not above the last one: it would silently make
// a wrong block.
func (e *Emitter) claim(slot int) error {
	if slot <= e.last[e.depth] {
		return fmt.Errorf("hamt: internal error: entries out of hash order at %s/%d", fault.Path(e.path[:e.depth]), slot)
	}
	e.last[e.depth] = slot
	return nil
}

// closeTo finishes the open nodes below depth.
func (e *Emitter) closeTo(depth int) error {
	if err := e.flush(); err != nil {
		return err
	}
	for e.depth > depth {
		e.buffer = e.open[e.depth].Append(e.buffer[:0])
		binaryCID, err := e.put(e.buffer, e.depth)
		if err != nil {
			return Oversized(err, e.buffer, slices.Clone(e.path[:e.depth]), e.params)
		}
		e.depth--
		slot := e.path[e.depth]
		if err := e.claim(slot); err != nil {
			return err
		}
		e.open[e.depth].AddLink(slot, binaryCID)
	}
	return nil
}

// Finish closes all nodes but the root, whose encoder it returns.
func (e *Emitter) Finish() (*block.Encoder, error) {
	if err := e.closeTo(0); err != nil {
		return nil, err
	}
	return e.open[0], nil
}

// Oversized adds to the fault of a block that is too large where it stands and
// which of its entries are to blame.
func Oversized(err error, raw []byte, path fault.Path, p params.Params) error {
	f, ok := err.(*fault.Error)
	if !ok || f.Kind != fault.ErrTooLarge {
		return located(err, nil, path)
	}
	return located(faults.New(fault.ErrTooLarge, "%s; its largest entries: %s", f.Detail, largest(raw, p, len(path) == 0)), nil, path)
}

// largest names the keys of the largest entries in a block.
func largest(raw []byte, p params.Params, isRoot bool) string {
	node, err := block.Parse(raw, p)
	if isRoot {
		node, _, err = block.ParseRoot(raw, p)
	}
	if err != nil {
		return err.Error()
	}
	type sized struct {
		key  []byte
		size int
	}
	var all []sized
	for position := range node.Len() {
		if node.IsLink(position) {
			continue
		}
		for b := node.Bucket(position); b.Next(); {
			all = append(all, sized{b.Key(), len(b.Key()) + len(b.Value())})
		}
	}
	slices.SortFunc(all, func(a, b sized) int { return b.size - a.size })
	const named = 3
	var text []byte
	for i, large := range all[:min(named, len(all))] {
		if i > 0 {
			text = append(text, ", "...)
		}
		text = fmt.Appendf(text, "%.80q (%d bytes)", large.key, large.size)
	}
	return string(text)
}
