package diff

import (
	"slices"

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
	before, after := a.NestedLink(c.before), b.NestedLink(c.after)
	if before == nil || after == nil {
		return false, true
	}
	pair := [2]string{before.Binary(), after.Binary()}
	if _, equal := d.equal[pair]; equal {
		return true, true
	}
	path := append(slices.Clip(d.path), c.key)
	innerA, err := a.OpenNested(d.ctx, before)
	if err != nil {
		return true, d.fail(at(err, A, path))
	}
	if innerA == nil {
		return false, true
	}
	innerB, err := b.OpenNested(d.ctx, after)
	if err != nil {
		return true, d.fail(at(err, B, path))
	}
	if innerB == nil || !innerA.SameHash(innerB) && !d.byLookup {
		return false, true
	}
	if len(path) > params.MaxDepth {
		return true, d.fail(at(faults.NestedTooDeep(before), A, path))
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
