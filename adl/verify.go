package adl

import (
	"context"
	"errors"
	"iter"

	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
	"github.com/ipld-hamt/go-ipld-hamt/internal/store"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
)

// Verify loads all blocks and reports every fault, each as a *fault.Error with
// the link and the path of its block: blocks that are missing, do not match
// their link or have no valid structure (what is below them stays unseen), and
// what every lookup tolerates but no canonical tree has: empty buckets,
// misplaced keys, nodes that should be a bucket, an encoding that is not
// canonical. No report means that the map is whole and canonical: its root is
// the one that any implementation gives for these entries.
//
// A context that is done is reported as the last error. Values are not
// followed where they are links.
func (n *Node) Verify(ctx context.Context) iter.Seq[error] {
	return func(yield func(error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		hasher, err := keyhash.For(n.Params().HashAlg)
		if err != nil {
			yield(err)
			return
		}
		v := verifier{node: n, hasher: hasher}
		walk := n.tree.WalkNodes(ctx, n.ahead)
		for {
			step, more := walk.Next()
			if !more {
				return
			}
			if step.Err != nil {
				if !yield(step.Err) || isContextError(step.Err) {
					return
				}
				continue
			}
			if !v.check(step.Place, yield) {
				return
			}
		}
	}
}

func isContextError(err error) bool {
	return !errors.As(err, new(*fault.Error)) &&
		(errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
}

type verifier struct {
	node   *Node
	hasher *keyhash.Hasher
}

// check reports the faults of one node that parsing tolerates.
func (v *verifier) check(place *trie.Place, yield func(error) bool) bool {
	node, p, isRoot := place.Node(), v.node.Params(), place.CID() == nil
	path := place.Path()
	report := func(f *fault.Error) bool {
		f.Path = path
		f.Link = v.link(place)
		return yield(f)
	}
	if !block.Canonical(node, p, isRoot) && !report(fault.New(fault.ErrNotCanonical, "")) {
		return false
	}
	if !isRoot && node.Links() == 0 && node.Entries() <= p.BucketSize &&
		!report(fault.New(fault.ErrNotCollapsed, "%d entries, bucketSize %d", node.Entries(), p.BucketSize)) {
		return false
	}
	ok := true
	node.Indexes(func(position, index int) bool {
		if node.IsLink(position) {
			return true
		}
		bucket := node.Bucket(position)
		if bucket.Len() == 0 {
			ok = report(fault.New(fault.ErrEmptyBucket, "index %d", index))
		}
		for ok && bucket.Next() {
			if !v.placed(bucket.Key(), path, index) {
				ok = report(fault.New(fault.ErrMisplaced, "key %q, index %d", bucket.Key(), index))
			}
		}
		return ok
	})
	return ok
}

func (v *verifier) link(place *trie.Place) datamodel.Link {
	if place.CID() == nil {
		link, err := v.node.Link()
		if err != nil {
			return nil
		}
		return link
	}
	link, err := store.Link(place.CID())
	if err != nil {
		return nil
	}
	return link
}

// placed says whether the hash of a key leads to a place.
func (v *verifier) placed(key []byte, path fault.Path, index int) bool {
	var buf keyhash.Buffer
	digest := v.hasher.Sum(&buf, key)
	width := v.node.Params().BitWidth
	if depth := len(path); depth > 0 && depth*width >= 8*len(digest) {
		return false
	}
	for depth, at := range path {
		if keyhash.Index(digest, depth, width) != at {
			return false
		}
	}
	return keyhash.Index(digest, len(path), width) == index
}
