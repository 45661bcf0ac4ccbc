package unixfs

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/ipfs/go-cid"
	dagpb "github.com/ipld/go-codec-dagpb"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"
)

// ErrNotFile means that a block is no file: data of another kind, or a directory.
var ErrNotFile = errors.New("it is no file")

// Error is something wrong with a file.
type Error struct {
	CID cid.Cid // of the block in which it is
	Err error
}

func (e *Error) Error() string { return fmt.Sprintf("block %s of a file: %v", e.CID, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// maxDepth bounds the blocks that are below each other. A balanced tree of 174 links
// has 9 where the file has as many bytes as can be counted.
const maxDepth = 64

// File is a file that is read. It is safe for concurrent use.
type File struct {
	lsys *linking.LinkSystem
	root Chunk
	node *node // of the root, nil where it is a chunk
}

// Open loads the root of a file. An error wraps ErrNotFile where there is something else.
func Open(ctx context.Context, lsys *linking.LinkSystem, root cid.Cid) (*File, error) {
	f := &File{lsys: lsys, root: Chunk{cid: root}}
	switch multicodec.Code(root.Prefix().Codec) {
	case multicodec.Raw:
		data, err := f.bytes(ctx, root)
		if err != nil {
			return nil, err
		}
		f.root.data, f.root.size = data, uint64(len(data))
	case multicodec.DagPb:
		n, err := f.load(ctx, root)
		if err != nil {
			return nil, err
		}
		f.root.size, f.node = n.size, n
	default:
		return nil, &Error{root, ErrNotFile}
	}
	return f, nil
}

// Size is the length of the file, in bytes.
func (f *File) Size() uint64 { return f.root.size }

// Chunk is a part of a file that stands in one block.
type Chunk struct {
	cid  cid.Cid
	data []byte // nil where it has to be loaded
	size uint64
}

// Chunks visits all parts of the file in their order, loading the blocks that link to
// them. It is over after an error.
func (f *File) Chunks(ctx context.Context) iter.Seq2[Chunk, error] {
	return func(yield func(Chunk, error) bool) {
		if f.node == nil {
			yield(f.root, nil)
			return
		}
		f.visit(ctx, f.root.cid, f.node, 1, yield)
	}
}

// visit visits the parts below a block, and reports whether to go on.
func (f *File) visit(ctx context.Context, c cid.Cid, n *node, depth int, yield func(Chunk, error) bool) bool {
	fail := func(c cid.Cid, err error) bool {
		yield(Chunk{}, &Error{c, err})
		return false
	}
	if depth > maxDepth {
		return fail(c, fmt.Errorf("more than %d blocks below each other", maxDepth))
	}
	if len(n.data) > 0 && !yield(Chunk{c, n.data, uint64(len(n.data))}, nil) {
		return false
	}
	for i, link := range n.links {
		size := n.sizes[i]
		switch multicodec.Code(link.Prefix().Codec) {
		case multicodec.Raw:
			if !yield(Chunk{cid: link, size: size}, nil) {
				return false
			}
		case multicodec.DagPb:
			below, err := f.load(ctx, link)
			if err != nil {
				yield(Chunk{}, err)
				return false
			}
			if below.size != size {
				return fail(link, fmt.Errorf("it has %d bytes of the file, and is said to have %d", below.size, size))
			}
			if !f.visit(ctx, link, below, depth+1, yield) {
				return false
			}
		default:
			return fail(link, fmt.Errorf("a part in the codec 0x%x: %w", link.Prefix().Codec, ErrNotFile))
		}
	}
	return true
}

// Load returns what a part has. It must not be changed.
func (f *File) Load(ctx context.Context, c Chunk) ([]byte, error) {
	if c.data != nil {
		return c.data, nil
	}
	data, err := f.bytes(ctx, c.cid)
	if err == nil && uint64(len(data)) != c.size {
		err = &Error{c.cid, fmt.Errorf("it has %d bytes of the file, and is said to have %d", len(data), c.size)}
	}
	return data, err
}

// bytes loads a block in the raw codec.
func (f *File) bytes(ctx context.Context, c cid.Cid) ([]byte, error) {
	n, err := f.lsys.Load(linking.LinkContext{Ctx: ctx}, cidlink.Link{Cid: c}, basicnode.Prototype.Bytes)
	if err != nil {
		return nil, &Error{c, err}
	}
	data, err := n.AsBytes()
	if data == nil {
		data = []byte{} // an empty file
	}
	return data, err
}

// node is a block in dag-pb.
type node struct {
	head
	links []cid.Cid
}

// load loads a block in dag-pb.
func (f *File) load(ctx context.Context, c cid.Cid) (*node, error) {
	loaded, err := f.lsys.Load(linking.LinkContext{Ctx: ctx}, cidlink.Link{Cid: c}, dagpb.Type.PBNode)
	if err != nil {
		return nil, &Error{c, err}
	}
	n, err := parseNode(loaded)
	if err != nil {
		return nil, &Error{c, err}
	}
	return n, nil
}

// parseNode reads a block, whose parts have to add up: no part is empty, so that there
// are no more blocks than bytes, whatever links to what.
func parseNode(loaded datamodel.Node) (*node, error) {
	pb, ok := loaded.(dagpb.PBNode)
	if !ok || !pb.FieldData().Exists() {
		return nil, ErrNotFile
	}
	h, err := parseHead(pb.FieldData().Must().Bytes())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotFile, err)
	}
	if h.kind != typeFile && h.kind != typeRaw {
		return nil, ErrNotFile
	}
	n := &node{head: h}
	if n.data == nil {
		n.data = []byte{}
	}
	for links := pb.FieldLinks().Iterator(); !links.Done(); {
		_, link := links.Next()
		target, ok := link.FieldHash().Link().(cidlink.Link)
		if !ok {
			return nil, errors.New("a link that is no CID")
		}
		n.links = append(n.links, target.Cid)
	}
	if len(n.links) != len(n.sizes) {
		return nil, fmt.Errorf("%d parts, and the lengths of %d", len(n.links), len(n.sizes))
	}
	rest := n.size - uint64(len(n.data))
	for _, size := range n.sizes {
		if size == 0 || size > rest {
			return nil, errors.New("its parts do not add up to its length")
		}
		rest -= size
	}
	if rest != 0 || n.size < uint64(len(n.data)) {
		return nil, errors.New("its parts do not add up to its length")
	}
	return n, nil
}
