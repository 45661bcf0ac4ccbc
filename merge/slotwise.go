package merge

import (
	"bytes"
	"context"
	"slices"

	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
	"github.com/ipld-hamt/go-ipld-hamt/internal/nodes"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
)

// slotwise is a map that is merged slot by slot.
type slotwise struct {
	*merger
	staged  nodes.Staged
	emitter *trie.Emitter
	walk    *trie.CoWalker
	root    []byte // binary CID

	holds  []bool              // whether each map is where the merged one will be
	opened map[string]struct{} // nodes of those maps
	grafts [][]hashsort.Prefix // of each other map, what was taken of it
	lists  [][]hashsort.Entry  // of the trees at one index
	values [][]byte            // of one key
}

// slotwise merges the maps slot by slot.
func (m *merger) slotwise(ctx context.Context) (*slotwise, error) {
	staged, err := nodes.Stage(m.into)
	if err != nil {
		return nil, err
	}
	k := len(m.trees)
	s := &slotwise{
		merger: m, staged: staged, holds: make([]bool, k), opened: map[string]struct{}{},
		grafts: make([][]hashsort.Prefix, k), lists: make([][]hashsort.Entry, k), values: make([][]byte, k),
	}
	hasher, err := keyhash.For(staged.Params().HashAlg)
	if err != nil {
		return nil, err
	}
	s.emitter = trie.NewEmitter(staged.Params(), hasher, staged.Put())
	some := false
	for i, t := range m.trees {
		s.holds[i] = t != nil && staged.Holds(t)
		some = some || t != nil
	}
	if some {
		if err := s.each(ctx); err != nil {
			return nil, err
		}
	}
	root, err := s.emitter.Finish()
	if err != nil {
		return nil, err
	}
	if s.root, err = staged.Finish(root); err != nil {
		return nil, err
	}
	return s, nil
}

// each walks all maps together, and emits what they are merged to.
func (s *slotwise) each(ctx context.Context) error {
	s.walk = trie.CoWalk{Trees: s.trees, Ahead: s.ahead, Choose: func(slots []trie.Slot) trie.Choice {
		if take := s.take(slots); take >= 0 {
			if slots[take].Len() == 0 && !slots[take].IsLink() {
				return s.pass(slots)
			}
			return trie.Stop
		}
		return trie.Descend // or Stop, where there are only entries
	}}.Start(ctx)
	for {
		event, more := s.walk.Next()
		if !more {
			return nil
		}
		var err error
		switch event.Kind {
		case trie.CoFailed:
			err = at(event.Err, s.side(event.Tree), s.path)
		case trie.CoEnter:
			s.enter(event.Visit)
		case trie.CoSlot:
			err = s.slot(ctx, event)
		}
		if err != nil {
			return err
		}
	}
}

// pass passes by slots of which the one that is taken has nothing, unless somebody wants
// to know.
func (s *slotwise) pass(slots []trie.Slot) trie.Choice {
	if s.Explain == nil {
		return trie.Pass
	}
	return trie.Stop
}

// take returns the map whose slot is what the slots are merged to: a version that differs
// from the base, if all that do are equal, or the first one. It returns -1 where that
// cannot be told without looking closer.
func (s *slotwise) take(slots []trie.Slot) int {
	taken := -1
	for i := 1; i < len(slots); i++ {
		switch {
		case slots[i].Equal(slots[0]):
		case taken < 0 || slots[i].Equal(slots[taken]):
			if taken < 0 || s.holds[i] && !s.holds[taken] { // what is there need not be copied
				taken = i
			}
		default:
			return -1
		}
	}
	if taken >= 0 {
		return taken
	}
	// Nobody has changed it.
	return max(0, slices.Index(s.holds, true))
}

// enter notes the nodes at a place.
func (s *slotwise) enter(visit *trie.CoVisit) {
	s.report.Merged++
	for i := range s.trees {
		if cid := visit.CID(i); cid != nil && s.holds[i] {
			s.opened[string(cid)] = struct{}{}
		}
	}
	if s.Explain != nil && visit.Depth() > 0 {
		s.Explain(Step{Keys: s.path, Path: visit.Path(), Taken: Base})
	}
}

// slot merges what the maps have at an index.
func (s *slotwise) slot(ctx context.Context, event trie.CoEvent) error {
	take := s.take(event.Slots)
	if take < 0 {
		return s.entries(ctx, event)
	}
	slot := event.Slots[take]
	path := event.Visit.Path().Child(event.Index)
	changed := !slot.Equal(event.Slots[0])
	step := Step{Keys: s.path, Path: path, Taken: s.side(take)}
	if !slot.IsLink() {
		entries, err := s.walk.Entries(event.Visit, take, event.Index, slot)
		if err != nil {
			return at(err, s.side(take), s.path)
		}
		for _, e := range entries {
			if err := s.emitter.Add(e); err != nil {
				return err
			}
		}
	} else {
		if err := s.graft(take, path, slot.Link()); err != nil {
			return err
		}
		if changed {
			s.report.Taken++
			var err error
			if step.Link, err = blockio.Link(slot.Link()); err != nil {
				return err
			}
		}
	}
	if changed && s.Explain != nil {
		s.Explain(step)
	}
	return nil
}

// graft links to a subtree of one of the maps.
func (s *slotwise) graft(side int, path fault.Path, binaryCID []byte) error {
	if !s.holds[side] {
		width := s.walk.Order().BitWidth()
		s.grafts[side] = append(s.grafts[side], hashsort.Prefix{Bytes: keyhash.PrefixOf(path, width), Bits: len(path) * width})
	}
	return s.emitter.AddLink(path, binaryCID)
}

// entries merges the entries that the maps have at an index, where none has a link.
func (s *slotwise) entries(ctx context.Context, event trie.CoEvent) error {
	if s.Explain != nil {
		s.Explain(Step{Keys: s.path, Path: event.Visit.Path().Child(event.Index), Taken: Base})
	}
	for i, slot := range event.Slots {
		var err error
		if s.lists[i], err = s.walk.Entries(event.Visit, i, event.Index, slot); err != nil {
			return at(err, s.side(i), s.path)
		}
	}
	order := s.walk.Order()
	for {
		var first *hashsort.Entry
		for i := range s.lists {
			if list := s.lists[i]; len(list) > 0 && (first == nil || order.Compare(list[0].Head, list[0].Key, first.Head, first.Key) < 0) {
				first = &list[0]
			}
		}
		if first == nil {
			return nil
		}
		e := *first
		for i, list := range s.lists {
			s.values[i] = nil
			if len(list) > 0 && list[0].Head == e.Head && bytes.Equal(list[0].Key, e.Key) {
				s.values[i], s.lists[i] = list[0].Value, list[1:]
			}
		}
		var err error
		if e.Value, err = s.value(ctx, e.Key, s.values); err != nil {
			return err
		}
		if e.Value == nil {
			continue
		}
		if err := s.emitter.Add(e); err != nil {
			return err
		}
	}
}

// value returns what the values of a key are merged to, as it stands in the map; nil for
// none. The first is the base's.
func (s *slotwise) value(ctx context.Context, key []byte, values [][]byte) ([]byte, error) {
	merged, made, err := s.merged(ctx, key, values)
	if err != nil || !made || merged == nil {
		return merged, err
	}
	return s.staged.Inline(merged)
}

// known reports whether a block is where the merged map will be.
func (s *slotwise) known(binaryCID []byte) bool {
	_, opened := s.opened[string(binaryCID)]
	return opened
}

// publish writes the map, and before it those that are nested in it.
func (s *slotwise) publish(ctx context.Context, dry bool) (*adl.Node, datamodel.Link, error) {
	link, err := blockio.Link(s.root)
	if err != nil || dry {
		return nil, link, err
	}
	for _, inner := range s.inner {
		if _, _, err := inner.publish(ctx, false); err != nil {
			return nil, nil, err
		}
	}
	node, err := s.staged.Write(ctx, s.known, func(add nodes.AddBlock) error { return s.copyGrafts(ctx, add) }, -1)
	if err != nil {
		return nil, nil, err
	}
	return node.(*adl.Node), link, nil
}
