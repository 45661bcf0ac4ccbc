package trie

import (
	"context"

	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
)

// Prefetch loads the nodes on the way to keys into the cache, up to ahead of
// them at the same time, where the store is slow. It says nothing of what
// cannot be loaded, and ends with the first of that: a lookup will come to it.
func (t *Tree) Prefetch(ctx context.Context, keys [][]byte, ahead int) {
	if len(keys) < 2 || ahead < 2 || !t.loader.Cache().Keeps() {
		return
	}
	if !t.loader.Slow() { // or nothing was loaded yet
		if _, _, err := t.Lookup(ctx, keys[0]); err != nil || !t.loader.Slow() {
			return
		}
	}
	o := hashsort.NewOrder(t.hasher, t.params.BitWidth)
	items := make([]hashsort.Entry, len(keys))
	for i, key := range keys {
		items[i] = hashsort.Entry{Head: o.Head(key), Key: key}
	}
	o.Sort(items)
	l := newLoader(ctx, t, 1, ahead)
	defer l.end()
	p := l.plans[0]
	l.takeAll(p, l.begin(p, t.root, 0, items))
}

// takeAll takes visits, each with those below it, and lets go of the nodes. It
// answers false where one cannot be loaded.
func (l *loader) takeAll(p *plan, visits []visit) bool {
	for i := range visits {
		if _, below, err := l.take(p, &visits[i]); err != nil || !l.takeAll(p, below) {
			return false
		}
	}
	return true
}
