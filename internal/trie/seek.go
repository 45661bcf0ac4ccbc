package trie

import (
	"context"

	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
)

// WalkAfter returns a walker that begins where a key leads; see WalkFrom.
func (t *Tree) WalkAfter(ctx context.Context, key []byte, ahead int) (w *Walker, there bool, err error) {
	var buf keyhash.Buffer
	return t.WalkFrom(ctx, t.hasher.Sum(&buf, key), ahead)
}

// WalkFrom returns a walker that begins where a digest leads: at the bucket there, or
// where there is none, and there is false, at what comes next. Only the nodes on the way
// there are loaded at once, and they are no stops.
func (t *Tree) WalkFrom(ctx context.Context, digest []byte, ahead int) (w *Walker, there bool, err error) {
	w = t.Walk(ctx, ahead)
	w.begun = true
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	visit := &Visit{load: load{node: t.root, loaded: true}}
	for {
		depth := visit.Depth()
		if !hasBits(8*len(digest), depth, t.params.BitWidth) {
			w.push(visit) // below there are longer digests only
			return w, false, nil
		}
		at := frame{visit: visit}
		index := keyhash.Index(digest, depth, t.params.BitWidth)
		visit.node.Indexes(func(position, before int) bool {
			if before >= index {
				there = before == index
				return false
			}
			at.position++
			if visit.node.IsLink(position) {
				at.child++
			}
			return true
		})
		link := there && visit.node.IsLink(at.position)
		if !link {
			w.stack = append(w.stack, at)
			return w, there, nil
		}
		there = false
		child := &visit.expand()[at.child]
		at.position++
		at.child++
		w.stack = append(w.stack, at)
		if w.load(&child.load); child.err != nil {
			return nil, false, locatedCID(child.err, child.CID(), child.Path())
		}
		visit = child
	}
}
