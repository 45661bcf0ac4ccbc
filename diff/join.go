package diff

import (
	"bytes"
	"context"

	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
)

// stream is the entries of one map, in hash order.
type stream struct {
	walk    *trie.CoWalker
	region  hashsort.Region
	entries []hashsort.Entry // of the current bucket
	entry   hashsort.Entry   // the current one
	ok      bool             // there is one
}

func newStream(ctx context.Context, t *trie.Tree, ahead int, region hashsort.Region) *stream {
	return &stream{region: region, walk: trie.CoWalk{Trees: []*trie.Tree{t}, Ahead: ahead, Region: region, Choose: func(slots []trie.Slot) trie.Choice {
		if slots[0].IsLink() {
			return trie.Descend
		}
		return trie.Stop
	}}.Start(ctx)}
}

// next goes to the next entry.
func (s *stream) next() error {
	for {
		for len(s.entries) > 0 {
			s.entry, s.entries, s.ok = s.entries[0], s.entries[1:], true
			if s.region == nil || s.region.Holds(s.entry.Head, s.entry.Key) {
				return nil
			}
		}
		event, more := s.walk.Next()
		if !more {
			s.ok = false
			return nil
		}
		err := event.Err
		if event.Kind == trie.CoSlot {
			s.entries, err = s.walk.Entries(event.Visit, 0, event.Index, event.Slots[0])
		}
		if err != nil {
			return err
		}
	}
}

// sideBySide reads both maps whole, and joins their entries: their trees have nothing
// in common but the order.
func (d *differ) sideBySide(a, b *trie.Tree) bool {
	order := a.Order()
	region := d.region(order, true)
	ahead := max(1, d.ahead/2)
	before, after := newStream(d.ctx, a, ahead, region), newStream(d.ctx, b, ahead, region)
	advance := func(s *stream, side Side) bool {
		err := s.next()
		return err == nil || d.fail(at(err, side, d.path))
	}
	for goOn := advance(before, A) && advance(after, B); goOn; {
		if !before.ok && !after.ok {
			return true
		}
		x, y := before.entry, after.entry
		c := 0
		switch {
		case !before.ok:
			c = 1
		case !after.ok:
			c = -1
		default:
			c = order.Compare(x.Head, x.Key, y.Head, y.Key)
		}
		switch {
		case c < 0:
			goOn = d.changed(a, b, keyChange{x.Head, x.Key, x.Value, nil}) && advance(before, A)
		case c > 0:
			goOn = d.changed(a, b, keyChange{y.Head, y.Key, nil, y.Value}) && advance(after, B)
		default:
			goOn = (bytes.Equal(x.Value, y.Value) || d.changed(a, b, keyChange{x.Head, x.Key, x.Value, y.Value})) &&
				advance(before, A) && advance(after, B)
		}
	}
	return false
}
