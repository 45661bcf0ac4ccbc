package transfer

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/ipfs/go-cid"
	"golang.org/x/sync/errgroup"

	"github.com/ipld-hamt/go-ipld-hamt/adl"

	"github.com/ipld-hamt/go-ipld-hamt/stores/internal/links"
)

// Value is the value of a key, in DAG-CBOR.
type Value struct{ Key, Raw []byte }

// EachLinked visits the blocks that the values of a map link to, and all that
// those link to, in no order, as many at the same time as the map reads ahead.
// get returns a block that was checked against its CID. A block is visited once, unless it is in the raw codec and
// so links to nothing; the others' CIDs are kept in memory for that, in some 100
// bytes each. opaque says that the block's codec is not known here.
// visit is called by one goroutine at a time.
func EachLinked(
	ctx context.Context, m *adl.Node,
	get func(ctx context.Context, c cid.Cid) ([]byte, error),
	visit func(c cid.Cid, block []byte, opaque bool) error,
) error {
	return EachLinkedFrom(ctx, func(ctx context.Context) iter.Seq2[Value, error] {
		return func(yield func(Value, error) bool) {
			for entry, err := range m.Entries(ctx) {
				if !yield(Value{entry.Key(), entry.Raw()}, err) {
					return
				}
			}
		}
	}, m.ReadAhead(), get, visit)
}

// EachLinkedFrom is EachLinked from any values, up to atOnce blocks at the same time. The
// context that values are asked for with ends when a block cannot be visited.
func EachLinkedFrom(
	ctx context.Context, values func(context.Context) iter.Seq2[Value, error], atOnce int,
	get func(ctx context.Context, c cid.Cid) ([]byte, error),
	visit func(c cid.Cid, block []byte, opaque bool) error,
) error {
	group, ctx := errgroup.WithContext(ctx)
	f := &follower{get: get, visit: visit, seen: map[cid.Cid]struct{}{}, most: max(1, atOnce)}
	f.changed.L = &f.mu
	defer context.AfterFunc(ctx, f.wake)()
	for range f.most {
		group.Go(func() error { return f.work(ctx) })
	}
	group.Go(func() error {
		defer f.close()
		for value, err := range values(ctx) {
			if err != nil {
				return err
			}
			linked, err := links.InDagCBOR(value.Raw)
			if err != nil {
				return fmt.Errorf("key %q: %w", value.Key, err)
			}
			if err := f.add(ctx, linksFrom(value.Key, linked)); err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}

// linkFrom is a link, and the key of the value that led to it.
type linkFrom struct {
	key []byte
	cid cid.Cid
}

func linksFrom(key []byte, linked []cid.Cid) []linkFrom {
	all := make([]linkFrom, len(linked))
	for i, c := range linked {
		all[i] = linkFrom{key, c}
	}
	return all
}

// follower follows links. The links that wait are a stack, so that they stay
// few: what a block links to comes before its siblings.
type follower struct {
	get   func(ctx context.Context, c cid.Cid) ([]byte, error)
	visit func(c cid.Cid, block []byte, opaque bool) error
	most  int

	mu      sync.Mutex
	changed sync.Cond
	stack   []linkFrom
	seen    map[cid.Cid]struct{}
	busy    int  // workers with a block in their hands, which may link to more
	closed  bool // no more links from the map itself

	visiting sync.Mutex
}

func (f *follower) wake() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changed.Broadcast()
}

func (f *follower) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.changed.Broadcast()
}

// add adds links of the map itself, once there is room for them.
func (f *follower) add(ctx context.Context, links []linkFrom) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.stack) > f.most && ctx.Err() == nil {
		f.changed.Wait()
	}
	f.push(links)
	return ctx.Err()
}

// push adds links. f.mu is locked.
func (f *follower) push(links []linkFrom) {
	for _, link := range links {
		if link.cid.Prefix().Codec != cid.Raw {
			if _, ok := f.seen[link.cid]; ok {
				continue
			}
			f.seen[link.cid] = struct{}{}
		}
		f.stack = append(f.stack, link)
	}
	f.changed.Broadcast()
}

// take returns the next link, or false when there will be none.
func (f *follower) take(ctx context.Context) (linkFrom, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.stack) == 0 && (f.busy > 0 || !f.closed) && ctx.Err() == nil {
		f.changed.Wait()
	}
	if len(f.stack) == 0 || ctx.Err() != nil {
		return linkFrom{}, false
	}
	link := f.stack[len(f.stack)-1]
	f.stack = f.stack[:len(f.stack)-1]
	f.busy++
	f.changed.Broadcast()
	return link, true
}

func (f *follower) done(links []linkFrom) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy--
	f.push(links)
}

func (f *follower) work(ctx context.Context) error {
	for {
		link, ok := f.take(ctx)
		if !ok {
			return ctx.Err()
		}
		linked, err := f.follow(ctx, link.cid)
		f.done(linksFrom(link.key, linked))
		if err != nil {
			return fmt.Errorf("key %q: %w", link.key, err)
		}
	}
}

// follow visits a block and returns what it links to.
func (f *follower) follow(ctx context.Context, c cid.Cid) ([]cid.Cid, error) {
	block, err := f.get(ctx, c)
	if err != nil {
		return nil, err
	}
	linked, known, err := links.Of(c, block)
	if err != nil {
		return nil, err
	}
	f.visiting.Lock()
	defer f.visiting.Unlock()
	return linked, f.visit(c, block, !known)
}
