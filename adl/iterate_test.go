package adl_test

import (
	"fmt"
	"testing"

	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hamttest"
)

// TestMapIterator goes through it by the letter: Done, over-reading, and an
// error that is told once.
func TestMapIterator(t *testing.T) {
	s, root := hamttest.Stored(t, hamttest.ManyLevels(), hamttest.Numbered(30))
	it := hamttest.Load(t, s, root).MapIterator()
	for seen := range 30 {
		if it.Done() {
			t.Fatalf("done after %d", seen)
		}
		k, v, err := it.Next()
		if err != nil || k.Kind() != datamodel.Kind_String {
			t.Fatal(k, err)
		}
		if want := fmt.Sprint("key-", hamttest.Must(v.AsInt())); hamttest.Must(k.AsString()) != want {
			t.Errorf("%s is the key of the value of %s", hamttest.Must(k.AsString()), want)
		}
	}
	for range 3 {
		if !it.Done() {
			t.Error("not done")
		}
		if k, v, err := it.Next(); k != nil || v != nil || err != (datamodel.ErrIteratorOverread{}) {
			t.Errorf("over-reading gives %v, %v, %v", k, v, err)
		}
	}
}

func TestMapIteratorError(t *testing.T) {
	b := hamttest.NewBrokenTree(t)
	b.Store.Remove(b.Link)
	it := hamttest.Load(t, b.Store, b.Root).MapIterator()
	seen := 0
	for {
		if it.Done() {
			t.Fatal("done, and no word of the missing block")
		}
		if _, _, err := it.Next(); err != nil {
			hamttest.ExpectFaultAt(t, err, fault.ErrMissing, b.Link, b.Path)
			break
		}
		seen++
	}
	if seen == 0 {
		t.Error("the error came before what stands before it")
	}
	if !it.Done() {
		t.Error("not done after the error")
	}
	if _, _, err := it.Next(); err != (datamodel.ErrIteratorOverread{}) {
		t.Errorf("after the error: %v", err)
	}
}

// TestRangeError: an error ends the iteration, after what stands before it.
func TestRangeError(t *testing.T) {
	b := hamttest.NewBrokenTree(t)
	b.Store.Remove(b.Link)
	entries, errs := 0, 0
	for e, err := range hamttest.Load(t, b.Store, b.Root).Entries(t.Context()) {
		if err != nil {
			errs++
			if e.Key() != nil || e.Raw() != nil {
				t.Error("an entry comes with the error")
			}
		} else if entries++; errs > 0 {
			t.Fatal("an entry after the error")
		}
	}
	if errs != 1 || entries == 0 {
		t.Errorf("%d entries, %d errors", entries, errs)
	}
}
