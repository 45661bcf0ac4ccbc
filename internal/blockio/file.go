package blockio

import (
	"context"
	"encoding/binary"

	"github.com/ipfs/go-cid"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
	"github.com/ipld-hamt/go-ipld-hamt/internal/unixfs"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// unparsed is the block of a node that was read, and is to be checked and parsed.
type unparsed struct {
	link   cidlink.Link
	buffer *[]byte
	file   *file // nil unless the buffer has the content of a file, which is checked
}

// file is what is known of a UnixFS file besides its content.
type file struct {
	stored int    // length of its blocks
	parts  []byte // binary CIDs of its blocks but the first, each behind its length
	blocks int
}

// maxFileBlocks bounds the blocks of one file: a node in the smallest pieces that
// ipfs add makes has fewer.
const maxFileBlocks = 1 << 12

// readNode reads the block of a node; of one that is the content of a UnixFS file,
// all of that.
func (l *Loader) readNode(ctx context.Context, link cidlink.Link, p params.Params) (unparsed, error) {
	buffer, err := l.read(ctx, link)
	if err != nil || !block.LayoutOf(p.Layout).InFiles || link.Prefix().Codec != uint64(multicodec.DagPb) {
		return unparsed{link: link, buffer: buffer}, err
	}
	defer putBuffer(buffer)
	f, content := &file{}, []byte{}
	if err := l.addToFile(ctx, f, &content, link, *buffer); err != nil {
		return unparsed{}, err
	}
	return unparsed{link, &content, f}, nil
}

// addToFile appends the content below a block of a file.
func (l *Loader) addToFile(ctx context.Context, f *file, content *[]byte, link cidlink.Link, raw []byte) error {
	if f.blocks++; f.blocks > maxFileBlocks {
		return faults.New(fault.ErrTooLarge, "a node in more than %d blocks", maxFileBlocks)
	}
	if f.stored += len(raw); int64(f.stored) > 2*l.maxRead {
		return faults.New(fault.ErrTooLarge, "a node in blocks of more than %d bytes", 2*l.maxRead)
	}
	if !l.lsys.TrustedStorage {
		if err := l.verify(link, raw); err != nil {
			return err
		}
	}
	part := unixfs.File{Data: raw}
	switch link.Prefix().Codec {
	case uint64(multicodec.Raw):
	case uint64(multicodec.DagPb):
		var err error
		if part, err = unixfs.Parse(raw); err != nil {
			return &fault.Error{Kind: fault.ErrMalformed, Cause: err}
		}
	default:
		return faults.New(fault.ErrMalformed, "a part of a file in codec 0x%x", link.Prefix().Codec)
	}
	if int64(len(*content)+len(part.Data)) > l.maxRead {
		return faults.New(fault.ErrTooLarge, "more than %d bytes", l.maxRead)
	}
	*content = append(*content, part.Data...)
	for _, binaryCID := range part.Links {
		if err := l.addPart(ctx, f, content, binaryCID); err != nil {
			return err
		}
	}
	return nil
}

// addPart appends the content of a part of a file. Its faults say which part it is.
func (l *Loader) addPart(ctx context.Context, f *file, content *[]byte, binaryCID []byte) error {
	c, err := cid.Cast(binaryCID)
	if err != nil {
		return &fault.Error{Kind: fault.ErrMalformed, Cause: err}
	}
	f.parts = binary.AppendUvarint(f.parts, uint64(len(binaryCID)))
	f.parts = append(f.parts, binaryCID...)
	link := cidlink.Link{Cid: c}
	buffer, err := l.read(ctx, link)
	if err == nil {
		err = l.addToFile(ctx, f, content, link, *buffer)
		putBuffer(buffer)
	}
	if at, ok := err.(*fault.Error); ok && at.Detail == "" {
		named := *at
		named.Detail = "part " + c.String() + " of the node's file"
		return &named
	}
	return err
}

// parse calls parse with the file's content.
func (f *file) parse(content []byte, parse func(dagCBOR []byte) (*block.Node, error)) (*block.Node, error) {
	node, err := parse(content)
	if err != nil {
		return nil, err
	}
	node.SetStored(f.stored)
	if len(f.parts) > 0 {
		node.SetParts(f.parts)
	}
	return node, nil
}

// onlyBlock returns the content of a file that is all in one block.
func onlyBlock(raw []byte) ([]byte, error) {
	f, err := unixfs.Parse(raw)
	if err != nil {
		return nil, &fault.Error{Kind: fault.ErrMalformed, Cause: err}
	}
	if len(f.Links) > 0 {
		return nil, faults.New(fault.ErrMalformed, "a node in more than one block, of which there is one")
	}
	return f.Data, nil
}
