package trie

import (
	"context"

	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
)

// Prefetch loads the nodes on the way to keys into the cache, up to ahead of
// them at the same time, where the store is slow. It returns early when one cannot
// be loaded, without an error: a lookup will come to it.
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
	l := newPreloader(ctx, t, 1, ahead)
	defer l.end()
	p := l.plans[0]
	l.takeAll(p, l.planChildren(p, t.root, 0, items))
}

// takeAll takes planned loads, each with those below it, and drops the nodes. It
// returns false if one fails.
func (l *preloader) takeAll(p *plan, loads []plannedLoad) bool {
	for i := range loads {
		if _, below, err := l.take(p, &loads[i]); err != nil || !l.takeAll(p, below) {
			return false
		}
	}
	return true
}
