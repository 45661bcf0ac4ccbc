package capture

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/traversal"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
)

func link(name string) datamodel.Link {
	c, err := cid.V1Builder{Codec: cid.DagCBOR, MhType: 0}.Sum([]byte(name))
	if err != nil {
		panic(err)
	}
	return cidlink.Link{Cid: c}
}

// load is an error that storage had.
type load struct {
	link datamodel.Link
	error
}

func (l load) Unwrap() error { return l.error }

func TestAdd(t *testing.T) {
	a, b := link("a"), link("b")
	offline := errors.New("offline")
	stored := load{a, offline}
	missing := &fault.Error{Kind: fault.ErrMissing, Link: a, Path: fault.Path{3}, Cause: offline}
	mismatch := &fault.Error{Kind: fault.ErrHashMismatch, Link: a, Path: fault.Path{3}}
	for name, c := range map[string]struct {
		add   []error
		want  []string
		links []datamodel.Link
	}{
		"none":            {nil, nil, nil},
		"no errors":       {[]error{nil, datamodel.ErrNotExists{}, fmt.Errorf("load: %w", traversal.SkipMe{}), load{a, traversal.SkipMe{}}}, nil, nil},
		"storage alone":   {[]error{stored, stored}, []string{"hamt: block cannot be loaded: offline (block " + a.String() + ")"}, []datamodel.Link{a}},
		"then the map":    {[]error{stored, missing, stored, missing}, []string{missing.Error()}, []datamodel.Link{a}},
		"another kind":    {[]error{missing, mismatch}, []string{missing.Error(), mismatch.Error()}, []datamodel.Link{a}},
		"another block":   {[]error{mismatch, load{b, offline}}, []string{mismatch.Error(), "hamt: block cannot be loaded: offline (block " + b.String() + ")"}, []datamodel.Link{a, b}},
		"not of a block":  {[]error{context.Canceled, context.Canceled, offline}, []string{context.Canceled.Error(), "offline"}, nil},
		"without a block": {[]error{&fault.Error{Kind: fault.ErrEndless}}, []string{"hamt: " + fault.ErrEndless.Error()}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var l List
			ctx := l.Context(t.Context())
			for _, err := range c.add {
				if s, ok := err.(load); ok {
					l.AddLoad(s.link, s.error)
					continue
				}
				Report(ctx, err)
				Report(t.Context(), err) // which carries no list
			}
			var got []string
			for _, err := range l.Errors() {
				got = append(got, err.Error())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("errors\n%q, want\n%q", got, c.want)
			}
			if !slices.Equal(l.Links(), c.links) {
				t.Errorf("links %v, want %v", l.Links(), c.links)
			}
			if err := l.Err(); (err == nil) != (len(c.want) == 0) || err != nil && err.Error() != strings.Join(c.want, "\n") {
				t.Errorf("Err is %v", err)
			}
		})
	}
}

// TestKept: a list has a bound, and says how many errors it has not kept.
func TestKept(t *testing.T) {
	var l List
	var wait sync.WaitGroup
	for part := range 4 {
		wait.Go(func() {
			for i := range kept / 2 {
				l.Add(fmt.Errorf("%d of part %d", i, part))
			}
		})
	}
	wait.Wait()
	if n := len(l.Errors()); n != kept {
		t.Errorf("%d errors are kept", n)
	}
	if want := fmt.Sprintf("and %d more errors", kept); !strings.HasSuffix(l.Err().Error(), want) {
		t.Errorf("Err does not end with %q", want)
	}
	l.Errors()[0] = nil
	if l.Errors()[0] == nil {
		t.Error("what Errors returns is the list itself")
	}
}
