package gateway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"

	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	carv2 "github.com/ipld/go-car/v2"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// MaxTreeBlocks is how many blocks Tree delivers at most: it remembers the CID
// of each, in about 100 bytes.
const MaxTreeBlocks = 2 << 20

// ErrNoCAR is the error where no gateway serves whole trees: their blocks have to be
// asked for one by one.
var ErrNoCAR = errors.New("no gateway gives whole trees")

// Tree fetches all blocks below a root, and the root, in one request: a CAR
// stream. visit gets each block once, in the order of a depth-first walk, from
// one goroutine; its block is visit's to keep. An error of visit ends the
// stream and is returned as it is.
//
// All blocks are really all: those of the values that a map links to, and what
// these link to, be it gigabytes. A gateway cannot be asked for the blocks of a
// map without them. So that is for the caller to decide, who knows whether
// values are wanted: for a map without linked values, or with all of them, this
// is one request instead of thousands; for the map alone of one with large
// linked values, read the map. visit may count bytes and end the stream.
//
// Each block is checked against its CID, and one that no block before it links
// to is refused, so that what is delivered belongs to the tree whatever the
// gateway sends, and nothing else takes memory.
//
// After an error, what was delivered stays good: the caller goes on with single
// blocks. The error is ErrNoCAR where no gateway can do this, or does it in
// another order than this one; NotFound where all said that they do not have
// the root; it wraps io.ErrUnexpectedEOF where the stream ended before the tree
// did, and stores.ErrWrongBytes where a block was not what its CID says. What a
// gateway cannot do is remembered, and it is not asked for it again. Gateways are
// asked in turn, and again after a while, only until one begins to deliver:
// what it leaves open is less to ask for in single blocks than the whole once
// more. The time limit of a request (remote.Options.Timeout) is here that of
// the first byte and of each silence within the stream.
//
// The request has one of the places in flight (remote.Options.AtOnce) until
// Tree returns, while visit may use the others.
func (s *Store) Tree(ctx context.Context, root cid.Cid, visit func(c cid.Cid, block []byte) error) error {
	able := slices.DeleteFunc(slices.Clone(s.sources), func(g *source) bool { return !g.health.givesCAR() })
	if err := s.CheckDigest(root); err != nil {
		return err
	}
	if _, inlined := stores.Inlined(root); inlined || len(able) == 0 {
		return ErrNoCAR
	}
	t := newTree(root, MaxTreeBlocks, visit)
	t.check = s.CheckDigest
	err := s.ask(ctx, "tree", root, able, func(ctx context.Context, g *source) error {
		err := g.tree(ctx, root, t)
		switch {
		case t.stopped != nil:
			return nil // it is not the gateway's fault
		case err != nil && len(t.have) > 0:
			return &broken{err}
		}
		return err
	})
	if t.stopped != nil {
		return t.stopped
	}
	return err
}

// broken is a tree that could not be delivered to its end. Nobody else is asked
// for it.
type broken struct{ err error }

func (b *broken) Error() string { return b.err.Error() }
func (b *broken) Unwrap() error { return remote.Permanent(b.err) }

// tree fetches a tree from one gateway.
func (g *source) tree(ctx context.Context, root cid.Cid, t *tree) error {
	err := g.client.TryLong(ctx, func(ctx context.Context, part func(func() error) error) error {
		response, err := g.send(ctx, http.MethodGet, root, wholeCAR)
		if err != nil {
			return err
		}
		// Not discarded: what is left after an error may be without end.
		defer response.Body.Close()
		if kind := response.Header.Get("Content-Type"); !isCAR(kind) {
			return fmt.Errorf("%w: asked for a CAR it answers with %q", ErrNoCAR, kind)
		}
		return t.read(response.Body, part)
	})
	err = g.blame(err)
	if status, ok := errors.AsType[*remote.StatusError](err); ok && refused(status.Code) {
		err = fmt.Errorf("%w: %w", ErrNoCAR, err)
	}
	if errors.Is(err, ErrNoCAR) {
		g.health.withoutCAR()
	}
	return err
}

// isCAR reports whether a Content-Type is that of a CAR that can be read as it
// comes: parents before children.
func isCAR(contentType string) bool {
	media, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || media != "application/vnd.ipld.car" {
		return false
	}
	order, said := parameters["order"]
	return !said || order == "dfs"
}

// tree is a tree as far as it was delivered.
type tree struct {
	visit    func(c cid.Cid, block []byte) error
	check    func(c cid.Cid) error // of its digest
	most     int                   // blocks that are remembered
	missing  map[cid.Cid]struct{}  // blocks that are linked to
	have     map[cid.Cid]struct{}  // blocks that were delivered
	repeated int                   // links to what was linked to before
	stopped  error                 // by visit, or at a block that nobody would get
}

func newTree(root cid.Cid, most int, visit func(c cid.Cid, block []byte) error) *tree {
	return &tree{visit: visit, check: stores.CheckDigest, most: most, missing: map[cid.Cid]struct{}{root: {}}, have: map[cid.Cid]struct{}{}}
}

// read reads a CAR, whose header and blocks are parts of the answer.
func (t *tree) read(r io.Reader, part func(func() error) error) error {
	var car *carv2.BlockReader
	err := part(func() (err error) {
		car, err = carv2.NewBlockReader(bufio.NewReaderSize(r, 1<<16), append(carfile.Limits(), carv2.WithTrustedCAR(true))...) // add checks
		return err
	})
	if err != nil {
		return t.early(err)
	}
	for len(t.missing) > 0 {
		var block blocks.Block
		err := part(func() (err error) {
			block, err = car.Next()
			return err
		})
		if err != nil {
			return t.early(err)
		}
		if err := t.add(block.Cid(), block.RawData()); err != nil {
			return err
		}
	}
	return nil
}

// early says why a CAR ends before the tree does.
func (t *tree) early(err error) error {
	missing := fmt.Errorf("%w of the CAR: %d blocks are missing", io.ErrUnexpectedEOF, len(t.missing))
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return missing
	case errors.Is(err, io.EOF):
		return remote.Permanent(missing) // the gateway says that this is all it has
	}
	return fmt.Errorf("the CAR is damaged: %w", err)
}

// add checks a block and hands it to visit.
func (t *tree) add(c cid.Cid, block []byte) error {
	if _, ok := t.missing[c]; !ok {
		return t.again(c)
	}
	if t.stopped = t.check(c); t.stopped != nil {
		return t.stopped
	}
	if err := stores.Check(c, block); err != nil {
		return err
	}
	delete(t.missing, c)
	t.have[c] = struct{}{}
	for _, linked := range linksOf(c, block) {
		t.expect(linked)
	}
	if len(t.have)+len(t.missing) > t.most {
		t.stopped = fmt.Errorf("the tree has more than %d blocks", t.most)
		return t.stopped
	}
	t.stopped = t.visit(c, block)
	return t.stopped
}

func (t *tree) expect(c cid.Cid) {
	_, have := t.have[c]
	_, missing := t.missing[c]
	if have || missing {
		t.repeated++
		return
	}
	t.missing[c] = struct{}{}
}

// again passes over a block that was delivered before, which gateways may send
// again for each link to it, and refuses one that nobody asked for.
func (t *tree) again(c cid.Cid) error {
	if _, ok := t.have[c]; !ok {
		return fmt.Errorf("%w that can be checked: block %s comes, and no block before it links to it", ErrNoCAR, c)
	}
	if t.repeated--; t.repeated < 0 {
		return fmt.Errorf("%w that end: block %s comes more often than there are links", ErrNoCAR, c)
	}
	return nil
}
