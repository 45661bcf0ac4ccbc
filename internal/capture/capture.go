// Package capture collects errors whose callers do not pass them on. A context
// carries the collection to where they arise.
package capture

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/traversal"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
)

// kept is how many errors a List keeps; the others it counts.
const kept = 1000

// List is a list of errors. The zero List is empty; it is safe for concurrent
// use.
type List struct {
	mu      sync.Mutex
	entries []entry
	at      map[string]int // in entries, by identity
	more    int
}

type entry struct {
	err    error
	link   datamodel.Link // of the block; nil for none
	placed bool           // err says where in a map it stands
}

type key struct{}

// Context returns a context that carries the list.
func (l *List) Context(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, l) }

// Report adds an error to the list that a context carries, if it carries one.
func Report(ctx context.Context, err error) {
	if l, ok := ctx.Value(key{}).(*List); ok {
		l.Add(err)
	}
}

// Add adds an error, unless it is none: datamodel.ErrNotExists is an answer, and
// traversal.SkipMe how storage asks to leave out a block. The same fault of the
// same block is kept once, as a *fault.Error if anybody reported it as one.
func (l *List) Add(err error) {
	var f *fault.Error
	if errors.As(err, &f) && f.Link != nil {
		l.add(f.Kind.Error()+" "+f.Link.Binary(), entry{err, f.Link, true})
	} else if err != nil {
		l.add(err.Error(), entry{err: err})
	}
}

// AddLoad adds an error of storage, whose callers may say more of it.
func (l *List) AddLoad(link datamodel.Link, err error) {
	wrapped := fmt.Errorf("hamt: %w: %w (block %s)", fault.ErrMissing, err, link)
	l.add(fault.ErrMissing.Error()+" "+link.Binary(), entry{err: wrapped, link: link})
}

func (l *List) add(identity string, e entry) {
	if errors.As(e.err, new(datamodel.ErrNotExists)) || errors.As(e.err, new(traversal.SkipMe)) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, known := l.at[identity]; known {
		if e.placed {
			l.entries[at] = e
		}
		return
	}
	if len(l.entries) == kept {
		l.more++
		return
	}
	if l.at == nil {
		l.at = map[string]int{}
	}
	l.at[identity] = len(l.entries)
	l.entries = append(l.entries, e)
}

// Errors returns the errors in the order in which they were added.
func (l *List) Errors() (all []error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		all = append(all, e.err)
	}
	return all
}

// Links returns the links of the blocks that the errors concern, each once.
func (l *List) Links() (all []datamodel.Link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := map[datamodel.Link]bool{nil: true}
	for _, e := range l.entries {
		if !seen[e.link] {
			seen[e.link] = true
			all = append(all, e.link)
		}
	}
	return all
}

// Err returns all errors joined, or nil.
func (l *List) Err() error {
	all := l.Errors()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.more > 0 {
		all = append(all, fmt.Errorf("and %d more errors", l.more))
	}
	return errors.Join(all...)
}
