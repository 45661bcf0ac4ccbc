package adl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
)

// Verify loads all blocks and reports every fault, each as a *fault.Error with
// the link and the path of its block: blocks that are missing, do not match
// their link or have no valid structure (what is below them stays unseen), and
// what every lookup tolerates but no canonical tree has: empty buckets, overfull
// ones in layouts that do not say how many entries are too many, buckets that are
// not sorted, misplaced keys, nodes that should be a bucket, values that cannot be
// decoded, an encoding that is not canonical or not the one of the root. No report
// means that the map is whole
// and canonical: its root is the one that any implementation gives for these
// entries. Stats is known then.
//
// A context that is done is reported as the last error, and so is a tree of
// which so many nodes are reached in vain that the walk would not end. Values
// are not followed where they are links.
func (n *Node) Verify(ctx context.Context) iter.Seq[error] {
	return func(yield func(error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		v, err := newVerifier(n)
		if err != nil {
			yield(err)
			return
		}
		var seen census
		faults := 0
		report := func(err error) bool {
			faults++
			return yield(err)
		}
		walk := n.tree.WalkNodes(ctx, n.settings.ReadAhead)
		for {
			event, more := walk.Next()
			if !more {
				break
			}
			if event.Err != nil {
				if !report(event.Err) || isContextError(event.Err) {
					return
				}
				continue
			}
			if !v.check(event.Visit, report) {
				return
			}
			seen.add(event.Visit)
		}
		if faults == 0 {
			n.keep(seen)
		}
	}
}

func isContextError(err error) bool {
	return !errors.As(err, new(*fault.Error)) &&
		(errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
}

type verifier struct {
	node   *Node
	root   datamodel.Link
	layout *block.Layout
	writer *blockio.Writer // makes the blocks that there should be
}

func newVerifier(n *Node) (*verifier, error) {
	root, err := n.Link()
	if err != nil {
		return nil, err
	}
	writer, err := blockio.NewWriter(n.tree.Loader().LinkSystem(), n.LinkPrototype(), math.MaxInt)
	return &verifier{n, root, block.LayoutOf(n.Params().Layout), writer}, err
}

// check reports the faults of one node that parsing tolerates.
func (v *verifier) check(visit *trie.Visit, yield func(error) bool) bool {
	node, p, isRoot := visit.Node(), v.node.Params(), visit.CID() == nil
	report := func(f *fault.Error) bool {
		f.Path, f.Link = visit.Path(), v.link(visit)
		return yield(f)
	}
	if !v.canonical(visit) && !report(faults.New(fault.ErrNotCanonical, "")) {
		return false
	}
	if !isRoot && node.Links() == 0 && node.Entries() <= p.BucketSize &&
		!report(faults.New(fault.ErrNotCollapsed, "%d entries, bucketSize %d", node.Entries(), p.BucketSize)) {
		return false
	}
	ok := true
	node.Indexes(func(position, index int) bool {
		if node.IsLink(position) {
			return true
		}
		bucket := node.Bucket(position)
		if bucket.Len() == 0 {
			ok = report(faults.New(fault.ErrEmptyBucket, "index %d", index))
		} else if bucket.Len() > p.BucketSize { // else it was refused
			ok = report(faults.New(fault.ErrBucketOverfull, "%d entries at index %d, bucketSize %d", bucket.Len(), index, p.BucketSize))
		}
		var previous []byte
		for first := true; ok && bucket.Next(); first = false {
			if !v.node.tree.Placed(bucket.Key(), visit, index) {
				ok = report(&fault.Error{Kind: fault.ErrMisplaced, Key: bucket.Key(), Detail: fmt.Sprintf("index %d", index)})
			}
			if ok && !first && v.layout.CompareKeys(previous, bucket.Key()) > 0 {
				ok = report(faults.New(fault.ErrBucketOrder, "index %d: key %q comes after %q", index, bucket.Key(), previous))
			}
			previous = bucket.Key()
			if !ok || !node.Undecodable() {
				continue
			}
			if _, err := cbor.Decode(bucket.Value()); err != nil {
				ok = report(&fault.Error{Kind: fault.ErrUndecodable, Key: bucket.Key(), Detail: fmt.Sprintf("index %d", index), Cause: err})
			}
		}
		return ok
	})
	return ok
}

// canonical reports whether a block is written, and named, the one way that the
// root's link prototype allows.
func (v *verifier) canonical(visit *trie.Visit) bool {
	node, p := visit.Node(), v.node.Params()
	if !block.Canonical(node, p, visit.CID() == nil) {
		return false
	}
	name := visit.CID()
	if name == nil {
		name = []byte(v.root.Binary())
	}
	if isFile := len(slices.Collect(node.Parts)) > 0; isFile {
		return true // it is too large for one block
	}
	if v.writer.Prototype().Codec == uint64(multicodec.DagCbor) {
		return v.writer.Names(name) // the bytes are, by block.Canonical
	}
	encoded, err := v.writer.Encode(node.Raw())
	return err == nil && bytes.Equal(encoded.CID, name)
}

func (v *verifier) link(visit *trie.Visit) datamodel.Link {
	if visit.CID() == nil {
		return v.root
	}
	link, err := blockio.Link(visit.CID())
	if err != nil {
		return nil // the block came by it, so this cannot be
	}
	return link
}
