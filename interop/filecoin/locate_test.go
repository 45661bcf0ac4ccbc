package filecoin_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/traversal"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// TestLocate follows the path to every value of Filecoin's maps, in both forms,
// as go-ipld-prime does that knows nothing of HAMTs.
func TestLocate(t *testing.T) {
	s, c := newStore(), randomContents(random(t), 500)
	for name, m := range map[string]struct {
		root   cid.Cid
		params params.Params
	}{
		"older": {olderBuild(t, s, 3, c), olderForm(3)},
		"newer": {theirBuild(t, s, blake2b, 3, c), filecoin(3)},
	} {
		t.Run(name, func(t *testing.T) {
			lsys := s.LinkSystem()
			n := load(t, lsys, m.root, m.params)
			start, err := lsys.Load(linking.LinkContext{}, cidlink.Link{Cid: m.root}, basicnode.Prototype.Any)
			if err != nil {
				t.Fatal(err)
			}
			progress := traversal.Progress{Cfg: &traversal.Config{
				LinkSystem: *lsys,
				LinkTargetNodePrototypeChooser: func(datamodel.Link, linking.LinkContext) (datamodel.NodePrototype, error) {
					return basicnode.Prototype.Any, nil
				},
			}}
			deepest := 0
			for key, want := range c {
				l, err := n.LocateString(t.Context(), key)
				if err != nil {
					t.Fatal(err)
				}
				deepest = max(deepest, len(l.Blocks))
				s.TakeLoads()
				entry, err := progress.Get(start, l.Path.Pop()) // a value that is a link would be followed
				if err != nil {
					t.Fatal(err)
				}
				blocks := []string{m.root.String()}
				if blocks = append(blocks, s.TakeLoads()...); !slices.EqualFunc(blocks, l.Blocks, func(name string, link datamodel.Link) bool { return name == link.String() }) {
					t.Fatalf("%s leads through %v, and %v were named", l.Path, blocks, l.Blocks)
				}
				value, err := entry.LookupBySegment(l.Path.Last())
				if err != nil || !ipld.DeepEqual(value, decode(t, want)) {
					t.Fatalf("%q at %s is %v, %v", key, l.Path, value, err)
				}
			}
			if deepest < 3 {
				t.Errorf("the deepest entry is in block %d", deepest)
			}

			// With nothing but the root there, paths lead to links.
			alone, links := newStore(), 0
			alone.Store.Put(m.root, s.Block(cidlink.Link{Cid: m.root}))
			n = load(t, alone.LinkSystem(), m.root, m.params)
			for key := range c {
				l, err := n.LocateString(t.Context(), key)
				if !errors.Is(err, fault.ErrMissing) {
					continue
				}
				holder, err := progress.Get(start, l.Path.Pop())
				if err != nil {
					t.Fatal(err)
				}
				if link, err := holder.LookupBySegment(l.Path.Last()); err != nil || link.Kind() != datamodel.Kind_Link {
					t.Fatalf("%s leads to %v, %v", l.Path, link, err)
				}
				links++
			}
			if links == 0 {
				t.Error("no key is below a link")
			}
		})
	}
}
