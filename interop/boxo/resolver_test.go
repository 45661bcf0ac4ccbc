package boxo_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ipfs/boxo/blockservice"
	"github.com/ipfs/boxo/exchange/offline"
	"github.com/ipfs/boxo/path"
	"github.com/ipfs/go-cid"
	format "github.com/ipfs/go-ipld-format"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/traversal"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/interop/boxo"
)

func immutable(t testing.TB, root cid.Cid, segments ...string) path.ImmutablePath {
	t.Helper()
	p, err := path.NewPathFromSegments(append([]string{path.IPFSNamespace, root.String()}, segments...)...)
	if err != nil {
		t.Fatal(err)
	}
	im, err := path.NewImmutablePath(p)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// A path to a value ends with the block that holds it and the way to it there,
// which is the same for code that knows nothing of HAMTs.
func TestResolveToLastNode(t *testing.T) {
	store := newStore()
	root := buildExample(t.Context(), store)
	inner := linkAt(t, store, root, "inner")
	resolver := boxo.NewResolver(blockservice.New(store, offline.Exchange(store)))
	for _, test := range []struct {
		path  string
		block cid.Cid
		want  string // of the value
	}{
		{"Rabbit/0/line", last(onTheWay(t, store, root, "Rabbit")), "1"},
		{"key 17", last(onTheWay(t, store, root, "key 17")), "17"},
		{"inner/deep/a/0", last(onTheWay(t, store, inner, "deep")), "7"},
		{"plain/inner/deep/a/0", last(onTheWay(t, store, inner, "deep")), "7"},
	} {
		block, remainder, err := resolver.ResolveToLastNode(t.Context(), immutable(t, root, strings.Split(test.path, "/")...))
		if err != nil {
			t.Errorf("%s: %v", test.path, err)
			continue
		}
		if !block.Equals(test.block) {
			t.Errorf("%s: block %s, want %s", test.path, block, test.block)
		}
		raw, err := linkSystem(store).Load(linking.LinkContext{}, cidlink.Link{Cid: block}, basicnode.Prototype.Any)
		if err != nil {
			t.Fatal(err)
		}
		value, err := traversal.Get(raw, datamodel.ParsePath(strings.Join(remainder, "/")))
		if err != nil {
			t.Errorf("%s: %v under %s: %v", test.path, remainder, block, err)
			continue
		}
		if got, err := value.AsInt(); err != nil || string('0'+rune(got%10)) != test.want[len(test.want)-1:] {
			t.Errorf("%s: %d, %v, want %s", test.path, got, err, test.want)
		}
	}
}

func last(cids []cid.Cid) cid.Cid { return cids[len(cids)-1] }

// All three methods find what is there, and return an error for what is missing
// that boxo does not take for a path that does not exist.
func TestResolver(t *testing.T) {
	store := newStore()
	root := buildExample(t.Context(), store)
	way := onTheWay(t, store, root, "inner")
	p := immutable(t, root, "inner", "deep")
	methods := map[string]func(*boxo.Resolver) error{
		"ResolveToLastNode": func(r *boxo.Resolver) error {
			_, _, err := r.ResolveToLastNode(t.Context(), p)
			return err
		},
		"ResolvePath": func(r *boxo.Resolver) error {
			value, link, err := r.ResolvePath(t.Context(), p)
			if err == nil && (value.Kind() != datamodel.Kind_Map || link.(cidlink.Link).Cid != linkAt(t, store, root, "inner")) {
				t.Error(value, link)
			}
			return err
		},
		"ResolvePathComponents": func(r *boxo.Resolver) error {
			values, err := r.ResolvePathComponents(t.Context(), p)
			if err == nil && (len(values) != 3 || slices.ContainsFunc(values, func(n datamodel.Node) bool { return n.Kind() != datamodel.Kind_Map })) {
				t.Error(values)
			}
			return err
		},
	}
	for name, method := range methods {
		if err := method(boxo.NewResolver(blockservice.New(store, offline.Exchange(store)))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		lacking := without{store, last(way)}
		err := method(boxo.NewResolver(blockservice.New(lacking, offline.Exchange(lacking))))
		if _, ok := errors.AsType[*boxo.Error](err); !ok || format.IsNotFound(err) {
			t.Errorf("%s without a block of the map: %T %v", name, err, err)
		}
		if f, ok := errors.AsType[*fault.Error](err); !ok || !errors.Is(err, fault.ErrMissing) {
			t.Errorf("%s without a block of the map: %v is not a fault of the map (%v)", name, err, f)
		}
	}
}

// The last key of a path is looked up by the resolver itself, without a
// traversal.
func TestResolverLastKey(t *testing.T) {
	store := newStore()
	root := buildExample(t.Context(), store)
	for _, missing := range onTheWay(t, store, root, "Rabbit")[1:] {
		lacking := without{store, missing}
		resolver := boxo.NewResolver(blockservice.New(lacking, offline.Exchange(lacking)))
		_, _, err := resolver.ResolveToLastNode(t.Context(), immutable(t, root, "Rabbit"))
		if _, ok := errors.AsType[*boxo.Error](err); !ok || format.IsNotFound(err) {
			t.Errorf("without %s: %T %v", missing, err, err)
		}
	}
}

// What is missing behind a map is not known either, whatever the exchange says;
// what is missing where no map is stays what it is for boxo.
func TestResolverBehindAMap(t *testing.T) {
	store := newStore()
	root := buildExample(t.Context(), store)
	dir := linkAt(t, store, root, "dir")
	lacking := without{store, dir}
	resolver := boxo.NewResolver(blockservice.New(lacking, offline.Exchange(lacking)))
	_, _, err := resolver.ResolveToLastNode(t.Context(), immutable(t, root, "dir", "hello.txt"))
	if _, ok := errors.AsType[*boxo.Error](err); !ok || format.IsNotFound(err) {
		t.Errorf("without the directory that the map links to: %T %v", err, err)
	}
	_, _, err = resolver.ResolveToLastNode(t.Context(), immutable(t, dir, "hello.txt"))
	if !format.IsNotFound(err) {
		t.Errorf("without the directory that the path begins with: %T %v", err, err)
	}
}
