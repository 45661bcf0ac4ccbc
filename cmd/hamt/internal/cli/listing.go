package cli

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"math/rand/v2"

	"github.com/ipfs/go-cid"
	"github.com/spf13/cobra"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// listing is what keys, values and entries have in common: which entries they print.
type listing struct {
	app    *app
	layout layoutFlags
	limit  uint64
	after  string
	prefix string
	sample uint64
	keys   keyFlags // how after and prefix are written

	changed func(name string) bool
}

// listingHelp says what the flags mean.
const listingHelp = `The order is that of the keys' hashes. --limit N prints no more than N entries, and loads
no more than they need; --after KEY goes on behind a key, which was the last of them, as
long as the root is the same. --prefix TEXT goes through the whole map, whose order is
another: it saves no time.

--sample N prints N entries that chance chooses among the 128, or N, that follow a
random hash. Keys are spread by their hashes, so that is as good as any choice among all
entries, and loads few blocks; with the hash identity it is not.`

func (l *listing) taking(c *cobra.Command) *cobra.Command {
	flags := c.Flags()
	flags.Uint64Var(&l.limit, "limit", 0, "print `N` at most")
	flags.StringVar(&l.after, "after", "", "only those after a `KEY`, in the order of a walk")
	flags.StringVar(&l.prefix, "prefix", "", "only those whose key begins with `TEXT`")
	flags.Uint64Var(&l.sample, "sample", 0, "print `N` that chance chooses")
	flags.BoolVar(&l.keys.hex, "hex", false, "KEY and TEXT are in hexadecimal")
	for _, other := range []string{"limit", "after", "prefix"} {
		c.MarkFlagsMutuallyExclusive("sample", other)
	}
	for _, name := range []string{"limit", "after", "prefix", "sample"} {
		flags.Lookup(name).DefValue = "" // there is none
	}
	l.changed = flags.Changed
	return l.layout.reading(c)
}

// each has the entries visited.
func (l *listing) each(ctx context.Context, args []string, do func(entries iter.Seq2[adl.Entry, error]) error) error {
	after, err := l.keys.key(l.after)
	if err != nil {
		return err
	}
	prefix, err := l.keys.key(l.prefix)
	if err != nil {
		return err
	}
	few := l.changed("limit") || l.changed("sample")
	if !few && !l.changed("after") {
		return l.app.wholeMap(ctx, args, &l.layout, func(m *adl.Node) error {
			return do(withPrefix(m.Entries(ctx), prefix))
		})
	}
	return l.app.readingRoot(ctx, args, 0, &l.layout, func(s stores.Store, root rootRef, _ []string) error {
		m, err := l.load(ctx, s, root.cid)
		if err != nil {
			return err
		}
		switch {
		case l.changed("sample"):
			return do(sample(ctx, m, l.sample, rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))))
		case l.changed("after"):
			return do(l.limited(withPrefix(m.EntriesAfter(ctx, after), prefix)))
		}
		return do(l.limited(withPrefix(m.Entries(ctx), prefix)))
	})
}

// load opens the map. For few entries little is loaded ahead.
func (l *listing) load(ctx context.Context, s stores.Store, root cid.Cid) (*adl.Node, error) {
	given, err := l.layout.params()
	if err != nil {
		return nil, err
	}
	const aBlock = 16 // entries, or more
	ahead := uint64(l.app.store.remote.AtOnce)
	switch {
	case l.changed("limit") && !l.changed("prefix"):
		ahead = min(ahead, 1+l.limit/aBlock)
	case l.changed("sample"):
		ahead = min(ahead, 1+max(l.sample, sampleRun)/aBlock)
	}
	options := append(l.app.readOptions(), hamt.WithParams(given), hamt.WithReadAhead(int(ahead)))
	return hamt.Load(ctx, s.LinkSystem(), linkOf(root), options...)
}

func (l *listing) limited(entries iter.Seq2[adl.Entry, error]) iter.Seq2[adl.Entry, error] {
	if !l.changed("limit") {
		return entries
	}
	return func(yield func(adl.Entry, error) bool) {
		left := l.limit
		if left == 0 {
			return
		}
		for e, err := range entries {
			if !yield(e, err) {
				return
			}
			if left--; left == 0 {
				return
			}
		}
	}
}

func withPrefix(entries iter.Seq2[adl.Entry, error], prefix []byte) iter.Seq2[adl.Entry, error] {
	if len(prefix) == 0 {
		return entries
	}
	return func(yield func(adl.Entry, error) bool) {
		for e, err := range entries {
			if err == nil && !bytes.HasPrefix(e.Key(), prefix) {
				continue
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// sampleRun is the entries among which a smaller sample is chosen. How likely an entry is
// to be among those that follow a random hash is what the hashes before it leave room
// for: of one it varies much, of as many in all by a tenth or so.
const sampleRun = 128

// sample visits n entries that chance chooses, in the order of their hashes.
func sample(ctx context.Context, m *adl.Node, n uint64, random *rand.Rand) iter.Seq2[adl.Entry, error] {
	return func(yield func(adl.Entry, error) bool) {
		if n == 0 {
			return
		}
		hash := make([]byte, 0, 64)
		for len(hash) < cap(hash) {
			hash = append(hash, byte(random.Uint32()))
		}
		run := uint64(0)
		for _, err := range round(ctx, m, hash) {
			if err != nil {
				yield(adl.Entry{}, err)
				return
			}
			if run++; run == max(n, sampleRun) {
				break
			}
		}
		// Each is chosen as likely as there are more to choose among those left.
		for e, err := range round(ctx, m, hash) {
			if err == nil && run > n && random.Uint64N(run) >= n {
				run--
				continue
			}
			run, n = run-1, n-1
			if !yield(e, err) || err != nil || n == 0 || run == 0 {
				return
			}
		}
	}
}

// round visits all entries once, from where a hash leads to on.
func round(ctx context.Context, m *adl.Node, hash []byte) iter.Seq2[adl.Entry, error] {
	return func(yield func(adl.Entry, error) bool) {
		var first adl.Entry
		begun := false
		for e, err := range m.EntriesFrom(ctx, hash) {
			if !begun {
				first, begun = e, true
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
		for e, err := range m.Entries(ctx) {
			if begun && err == nil && bytes.Equal(e.Key(), first.Key()) || !yield(e, err) || err != nil {
				return
			}
		}
	}
}

var errZero = errors.New("a key with a zero byte cannot be printed with -0: --json prints it")
