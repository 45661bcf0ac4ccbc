package proof

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math"
	"sync"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/nodes"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
)

// record is the blocks that an operation loads, each once, in the order in which it
// first asks for them.
type record struct {
	blocks []blockio.Block
	seen   map[string]bool
}

func newRecord() *record { return &record{seen: map[string]bool{}} }

// add adds a block. Its link has to be one that a verifier takes.
func (r *record) add(c cid.Cid, block []byte) error {
	if r.seen[c.KeyString()] {
		return nil
	}
	if err := checkHash(c); err != nil {
		return err
	}
	r.seen[c.KeyString()] = true
	r.blocks = append(r.blocks, blockio.Block{CID: c.Bytes(), Bytes: block})
	return nil
}

// writeTo writes the record as a CARv1 with these roots.
func (r *record) writeTo(w io.Writer, roots ...cid.Cid) error {
	out := bufio.NewWriter(w)
	out.Write(header(roots...)) // an error stays until Flush
	for _, b := range r.blocks {
		if err := writeSection(out, b.CID, b.Bytes); err != nil {
			return err
		}
	}
	return out.Flush()
}

// source is a map whose blocks are to be recorded.
type source struct {
	root   cid.Cid
	tree   *trie.Tree
	loader *blockio.Loader
	block  []byte // of the root, where it can be made without the store

	mu   sync.Mutex
	held map[string][]byte // what was loaded ahead
}

func sourceOf(m *adl.Node) (*source, error) {
	if m == nil {
		return nil, errors.New("hamt: no map was given")
	}
	link, err := m.Link()
	if err != nil {
		return nil, err
	}
	s := &source{tree: nodes.OriginOf(m).Tree, held: map[string][]byte{}}
	s.loader = s.tree.Loader()
	if s.root, err = cid.Cast([]byte(link.Binary())); err != nil {
		return nil, err
	}
	// The root is in memory, and where the map came from plain data it may be
	// nowhere else.
	if writer, err := blockio.NewWriter(s.loader.LinkSystem(), s.tree.LinkPrototype(), math.MaxInt); err == nil {
		if b, err := writer.Encode(s.tree.Root().Raw()); err == nil && s.root.KeyString() == string(b.CID) {
			s.block = b.Bytes
		}
	}
	return s, nil
}

// read reads a block of the map.
func (s *source) read(ctx context.Context, c cid.Cid) ([]byte, error) {
	if s.block != nil && c.Equals(s.root) {
		return s.block, nil
	}
	s.mu.Lock()
	block, ok := s.held[c.KeyString()]
	s.mu.Unlock()
	if ok {
		return block, nil
	}
	return s.loader.ReadBlock(ctx, c)
}

// open opens the map over a read function.
func (s *source) open(ctx context.Context, read blockio.ReadFunc) (*trie.Tree, error) {
	link, err := blockio.Link(s.root.Bytes())
	if err != nil {
		return nil, err
	}
	return trie.Open(ctx, s.loader.Over(read, math.MaxInt64), link, s.tree.Params())
}

// loadAhead loads what lies on the way to keys, several blocks at a time where the
// store is slow, for the operation that will ask for one after the other.
func (s *source) loadAhead(ctx context.Context, keys [][]byte, ahead int) error {
	if len(keys) < 2 || ahead < 2 {
		return nil
	}
	return s.hold(ctx, func(t *trie.Tree) error {
		t.Prefetch(ctx, keys, ahead)
		return nil
	})
}

// hold keeps the blocks that an operation loads, which may load several at a time.
func (s *source) hold(ctx context.Context, operation func(*trie.Tree) error) error {
	t, err := s.open(ctx, func(ctx context.Context, c cid.Cid) ([]byte, error) {
		block, err := s.read(ctx, c)
		if err == nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.held[c.KeyString()] = block
		}
		return block, err
	})
	if err != nil {
		return err
	}
	return operation(t)
}

// recorded opens the map so that each block that is loaded goes into a record.
func (s *source) recorded(ctx context.Context, r *record) (*trie.Tree, error) {
	return s.open(ctx, func(ctx context.Context, c cid.Cid) ([]byte, error) {
		block, err := s.read(ctx, c)
		if err == nil {
			err = r.add(c, block)
		}
		return block, err
	})
}

// record returns what the operation loads. What it does with keys is loaded ahead.
func (s *source) record(ctx context.Context, keys [][]byte, ahead int, operation func(*trie.Tree) error) (*record, error) {
	if err := s.loadAhead(ctx, keys, ahead); err != nil {
		return nil, err
	}
	r := newRecord()
	t, err := s.recorded(ctx, r)
	if err == nil {
		err = operation(t)
	}
	return r, err
}
