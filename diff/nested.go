package diff

import (
	"errors"
	"slices"

	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// pairs are pairs of nested maps that were found to have the same entries. They are
// what keeps maps that link to each other many times over, and differ in nothing but
// their shape, from being compared again and again.
type pairs map[[2]string]struct{}

// maxPairs bounds their number.
const maxPairs = 1 << 16

func (p *pairs) add(pair [2]string) {
	if *p == nil || len(*p) == maxPairs {
		*p = pairs{}
	}
	(*p)[pair] = struct{}{}
}

// nested goes into a change of one map into another. done is false if it is no such
// change; if it is, more is whether more changes are wanted.
func (d *differ) nested(a, b *trie.Tree, c keyChange) (done, more bool) {
	before, after := linkIn(c.before, a), linkIn(c.after, b)
	if before == nil || after == nil {
		return false, true
	}
	pair := [2]string{before.Binary(), after.Binary()}
	if _, equal := d.equal[pair]; equal {
		return true, true
	}
	path := append(slices.Clip(d.path), c.key)
	innerA, err := d.open(a, before)
	if err != nil {
		return true, d.fail(at(err, A, path))
	}
	if innerA == nil {
		return false, true
	}
	innerB, err := d.open(b, after)
	if err != nil {
		return true, d.fail(at(err, B, path))
	}
	if innerB == nil || !innerA.SameHash(innerB) && !d.byLookup {
		return false, true
	}
	if len(path) > params.MaxDepth {
		return true, d.fail(at(faults.At(faults.New(fault.ErrMaxDepth, "maps are nested in each other more than %d times", params.MaxDepth), nil, before, nil), A, path))
	}

	outer, outerPath, found := d.settings, d.path, d.found
	d.path = path
	d.settings.keys, d.settings.bits, d.settings.after = nil, 0, nil
	if len(outer.after) > 1 && string(outer.after[0]) == string(c.key) {
		d.settings.after = outer.after[1:]
	}
	resumed := d.settings.after != nil
	more = d.maps(innerA, innerB)
	if more && d.found == found && !resumed {
		d.equal.add(pair)
	}
	d.settings, d.path = outer, outerPath
	return true, more
}

// linkIn returns the link that a value is, if it may be that of a map nested in one: it
// has the codec of its blocks. Otherwise it returns nil.
func linkIn(raw []byte, t *trie.Tree) datamodel.Link {
	from, to, err := cbor.Link(raw, 0)
	if err != nil || to != len(raw) {
		return nil
	}
	link, err := blockio.Link(raw[from:to])
	if err != nil || codecOf(link.Prototype()) != codecOf(t.LinkPrototype()) {
		return nil
	}
	return link
}

func codecOf(lp datamodel.LinkPrototype) uint64 {
	if lp, ok := lp.(cidlink.LinkPrototype); ok {
		return lp.Codec
	}
	return 0
}

// open opens a map that is nested in another. It returns nil if there is no map.
func (d *differ) open(outer *trie.Tree, link datamodel.Link) (*trie.Tree, error) {
	inner, err := trie.Open(d.ctx, outer.Loader(), link, outer.Params())
	var f *fault.Error
	if !errors.As(err, &f) {
		return inner, err
	}
	for _, kind := range []error{fault.ErrMissing, fault.ErrHashMismatch, fault.ErrTooLarge} {
		if errors.Is(err, kind) {
			return nil, err
		}
	}
	return nil, nil
}
