package adl_test

import (
	"errors"
	"testing"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// TestEmptyKeyBelowALink looks an empty key up whose digest is empty, too: it can
// stand in the root alone, and is looked for where its index, of zeros only, has
// become a link that is in memory.
func TestEmptyKeyBelowALink(t *testing.T) {
	content := hamttest.Model{}
	for i := range 8 {
		content[string([]byte{0, byte(i)})] = basicnode.NewInt(int64(i))
	}
	s, root := hamttest.Stored(t, params.Params{IdentityHash: true, BitWidth: 4, BucketSize: 1}, content)
	n := hamttest.Load(t, s, root)
	for range 3 {
		if value, err := n.Get(t.Context(), []byte{0, 5}); err != nil || hamttest.Must(value.AsInt()) != 5 {
			t.Fatalf("%v, %v", value, err)
		}
		if there, err := n.Has(t.Context(), nil); err != nil || there {
			t.Fatalf("%v, %v", there, err)
		}
	}
}

// TestLookups finds a key in every form of it, and says of every other kind of
// node that it is none.
func TestLookups(t *testing.T) {
	odd := "\xff\x00key"
	s, root := hamttest.Stored(t, params.Default(), hamttest.Model{"key": basicnode.NewInt(1), "": basicnode.NewInt(2), odd: basicnode.NewInt(3), "7": basicnode.NewInt(4)})
	n := hamttest.Load(t, s, root)
	for key, want := range map[string]int64{"key": 1, "": 2, odd: 3, "7": 4} {
		for way, look := range map[string]func() (datamodel.Node, error){
			"LookupByString":         func() (datamodel.Node, error) { return n.LookupByString(key) },
			"LookupByNode of string": func() (datamodel.Node, error) { return n.LookupByNode(basicnode.NewString(key)) },
			"LookupByNode of bytes":  func() (datamodel.Node, error) { return n.LookupByNode(basicnode.NewBytes([]byte(key))) },
			"LookupBySegment":        func() (datamodel.Node, error) { return n.LookupBySegment(datamodel.PathSegmentOfString(key)) },
			"Get":                    func() (datamodel.Node, error) { return n.Get(t.Context(), []byte(key)) },
			"GetString":              func() (datamodel.Node, error) { return n.GetString(t.Context(), key) },
		} {
			value, err := look()
			if err != nil || hamttest.Must(value.AsInt()) != want {
				t.Errorf("%s of %q: %v, %v", way, key, value, err)
			}
		}
		if ok, err := n.HasString(t.Context(), key); err != nil || !ok {
			t.Errorf("Has of %q: %v, %v", key, ok, err)
		}
	}
	if value, err := n.LookupBySegment(datamodel.PathSegmentOfInt(7)); err != nil || hamttest.Must(value.AsInt()) != 4 {
		t.Errorf("segment 7: %v, %v", value, err)
	}
	if _, err := n.Get(t.Context(), nil); err != nil {
		t.Errorf("a nil key is the empty one: %v", err)
	}
	for name, key := range map[string]datamodel.Node{
		"nil": nil, "int": basicnode.NewInt(7), "null": datamodel.Null, "absent": datamodel.Absent, "bool": basicnode.NewBool(true),
		"float": basicnode.NewFloat(7), "link": basicnode.NewLink(root), "map": n, "list": hamttest.DecodeJSON(t, `["key"]`),
	} {
		if _, err := n.LookupByNode(key); !errors.As(err, new(datamodel.ErrWrongKind)) {
			t.Errorf("a key of kind %s: %v", name, err)
		}
	}
	for _, missing := range []string{"Key", "key ", "\x00", "\xff\x00ke"} {
		_, err := n.LookupByString(missing)
		var notThere datamodel.ErrNotExists
		if !errors.As(err, &notThere) || notThere.Segment.String() != missing {
			t.Errorf("%q: %v", missing, err)
		}
		if _, ok, err := n.GetRaw(t.Context(), []byte(missing)); ok || err != nil {
			t.Errorf("GetRaw of %q: %v, %v", missing, ok, err)
		}
	}
}
