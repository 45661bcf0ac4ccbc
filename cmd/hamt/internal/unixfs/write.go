package unixfs

import (
	"context"
	"encoding/binary"
	"errors"
	"io"

	"github.com/ipfs/go-cid"
	dagpb "github.com/ipld/go-codec-dagpb"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/fluent/qp"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	_ "github.com/ipld/go-ipld-prime/codec/raw" // of chunks
)

const (
	// ChunkBytes is the length of all chunks but the last.
	ChunkBytes = 256 << 10

	// maxLinks is how many blocks are below another.
	maxLinks = 174
)

// part is a file, or a part of one, that is written.
type part struct {
	link   datamodel.Link
	size   uint64 // of its content
	stored uint64 // of its block and all blocks below it
}

// Write stores what r has as a file, and returns the root. Some 256 KiB are in memory at
// a time. Blocks come before those that link to them; after an error those that were
// written stay.
func Write(ctx context.Context, lsys *linking.LinkSystem, r io.Reader) (cid.Cid, error) {
	return write(ctx, lsys, r, ChunkBytes)
}

func write(ctx context.Context, lsys *linking.LinkSystem, r io.Reader, chunkBytes int) (cid.Cid, error) {
	w := writer{ctx, lsys, nil}
	chunk := make([]byte, chunkBytes)
	for first := true; ; first = false {
		n, err := io.ReadFull(r, chunk)
		last := err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return cid.Undef, err
		}
		if n > 0 || first {
			// The store may keep what it is given.
			if err := w.addChunk(append([]byte(nil), chunk[:n]...)); err != nil {
				return cid.Undef, err
			}
		}
		if last {
			return w.finish()
		}
	}
}

type writer struct {
	ctx  context.Context
	lsys *linking.LinkSystem
	// levels are the parts that are not yet linked to: chunks, then what is above
	// those. Each level has fewer than maxLinks.
	levels [][]part
}

func (w *writer) addChunk(chunk []byte) error {
	link, err := w.store(multicodec.Raw, basicnode.NewBytes(chunk))
	if err != nil {
		return err
	}
	return w.add(0, part{link, uint64(len(chunk)), uint64(len(chunk))})
}

// add adds a part to a level. One that is full is first linked to from above.
func (w *writer) add(level int, p part) error {
	if level == len(w.levels) {
		w.levels = append(w.levels, nil)
	}
	if len(w.levels[level]) == maxLinks {
		if err := w.close(level); err != nil {
			return err
		}
	}
	w.levels[level] = append(w.levels[level], p)
	return nil
}

// close puts a block above the parts of a level.
func (w *writer) close(level int) error {
	above, err := w.above(w.levels[level])
	if err != nil {
		return err
	}
	w.levels[level] = w.levels[level][:0]
	return w.add(level+1, above)
}

// finish closes all levels, and returns the part at the top.
func (w *writer) finish() (cid.Cid, error) {
	for level := 0; level < len(w.levels)-1; level++ {
		if err := w.close(level); err != nil {
			return cid.Undef, err
		}
	}
	top := w.levels[len(w.levels)-1]
	if len(top) > 1 {
		root, err := w.above(top)
		if err != nil {
			return cid.Undef, err
		}
		top = []part{root}
	}
	return top[0].link.(cidlink.Link).Cid, nil
}

// above stores the block that links to parts.
func (w *writer) above(parts []part) (all part, err error) {
	for _, p := range parts {
		all.size += p.size
		all.stored += p.stored
	}
	node, err := qp.BuildMap(dagpb.Type.PBNode, 2, func(node datamodel.MapAssembler) {
		qp.MapEntry(node, "Links", qp.List(int64(len(parts)), func(links datamodel.ListAssembler) {
			for _, p := range parts {
				qp.ListEntry(links, qp.Map(3, func(link datamodel.MapAssembler) {
					qp.MapEntry(link, "Hash", qp.Link(p.link))
					qp.MapEntry(link, "Name", qp.String(""))
					qp.MapEntry(link, "Tsize", qp.Int(int64(p.stored)))
				}))
			}
		}))
		qp.MapEntry(node, "Data", qp.Bytes(appendHead(nil, all.size, parts)))
	})
	if err != nil {
		return part{}, err
	}
	length, err := encodedLength(node)
	if err != nil {
		return part{}, err
	}
	all.stored += length
	all.link, err = w.store(multicodec.DagPb, node)
	return all, err
}

func encodedLength(node datamodel.Node) (uint64, error) {
	encoded, err := dagpb.AppendEncode(nil, node)
	return uint64(len(encoded)), err
}

func (w *writer) store(codec multicodec.Code, node datamodel.Node) (datamodel.Link, error) {
	prefix := cid.Prefix{Version: 1, Codec: uint64(codec), MhType: uint64(multicodec.Sha2_256), MhLength: 32}
	return w.lsys.Store(linking.LinkContext{Ctx: w.ctx}, cidlink.LinkPrototype{Prefix: prefix}, node)
}

// appendHead appends what a block with links says of the file below it.
func appendHead(dst []byte, size uint64, parts []part) []byte {
	dst = append(dst, fieldType<<3|wireVarint, typeFile)
	dst = binary.AppendUvarint(append(dst, fieldSize<<3|wireVarint), size)
	for _, p := range parts {
		dst = binary.AppendUvarint(append(dst, fieldSizes<<3|wireVarint), p.size)
	}
	return dst
}
