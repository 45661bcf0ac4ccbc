package blockio

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/ipld/go-ipld-prime/codec"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
	"github.com/ipld-hamt/go-ipld-hamt/internal/unixfs"
)

// DefaultMaxWrite is the largest block that is written unless told otherwise,
// in bytes: peers refuse to transfer blocks of more than 2 MiB, and many tools
// those of more than 1.
const DefaultMaxWrite = 1 << 20

// Writer encodes blocks and writes them. Encoding is safe for concurrent use;
// writing as far as the LinkSystem's StorageWriteOpener is.
type Writer struct {
	lsys      linking.LinkSystem
	prototype cidlink.LinkPrototype
	encode    codec.Encoder // nil for DAG-CBOR, which blocks are in already, and for files
	files     bool          // a block is a UnixFS file, of which the DAG-CBOR is the content
	maxWrite  int
	prefix    []byte // version, codec and hash code of every CID
	objects   []byte // those of blocks in no codec
}

// Block is a block under its name.
type Block struct {
	CID   []byte // binary
	Bytes []byte // in the block's own codec
}

// NewWriter returns a writer that writes blocks named by the link prototype, which
// must be for CIDv1 and for a codec and a hash that the LinkSystem knows, or for
// CIDv0: those are UnixFS files.
func NewWriter(lsys *linking.LinkSystem, lp datamodel.LinkPrototype, maxWrite int) (*Writer, error) {
	prototype, ok := lp.(cidlink.LinkPrototype)
	if !ok {
		return nil, fmt.Errorf("hamt: link prototype is a %T, not a cidlink.LinkPrototype", lp)
	}
	prototype = Normal(prototype)
	w := &Writer{lsys: *lsys, prototype: prototype, maxWrite: maxWrite}
	switch {
	case prototype.Version == 0 && NamesFiles(prototype):
		if prototype.MhType != uint64(multicodec.Sha2_256) || prototype.MhLength != sha256.Size {
			return nil, fmt.Errorf("hamt: link prototype is for CIDv0, which is for sha2-256 alone")
		}
		w.files = true
		w.prefix = binary.AppendUvarint(w.prefix, prototype.MhType)
		return w, nil
	case prototype.Version != 1:
		return nil, fmt.Errorf("hamt: link prototype is for CIDv%d, and only CIDv1 names blocks of any codec", prototype.Version)
	case NamesFiles(prototype):
		return nil, fmt.Errorf("hamt: link prototype is for dag-pb under CIDv1, and nodes that are UnixFS files are named by CIDv0")
	}
	if prototype.Codec != uint64(multicodec.DagCbor) {
		encode, err := chooseEncoder(&w.lsys, prototype)
		if err != nil {
			return nil, fmt.Errorf("hamt: no encoder for the link prototype: %w", err)
		}
		w.encode = encode
	}
	if prototype.MhType != uint64(multicodec.Sha2_256) {
		if _, err := chooseHasher(&w.lsys, prototype); err != nil {
			return nil, fmt.Errorf("hamt: no hash function for the link prototype: %w", err)
		}
	}
	w.prefix = prefixOf(prototype.Codec, prototype.MhType)
	w.objects = prefixOf(uint64(multicodec.Raw), prototype.MhType)
	return w, nil
}

// prefixOf returns what a binary CIDv1 begins with.
func prefixOf(codec, hash uint64) []byte {
	prefix := binary.AppendUvarint([]byte{1}, codec)
	return binary.AppendUvarint(prefix, hash)
}

// Prototype returns the link prototype that blocks are named by.
func (w *Writer) Prototype() cidlink.LinkPrototype { return w.prototype }

// Encode returns the block of some DAG-CBOR: in the writer's codec and under its
// name. Nothing is written. The block keeps raw if the codec is DAG-CBOR.
func (w *Writer) Encode(raw []byte) (Block, error) {
	if w.files {
		return w.named(unixfs.Append(nil, raw), w.prefix)
	}
	encoded := raw
	if w.encode != nil {
		if _, _, err := cbor.Skip(raw, 0, 0); err != nil {
			return Block{}, &fault.Error{Kind: fault.ErrValue, Cause: err}
		}
		var buffer bytes.Buffer
		if err := cbor.ToCodec(w.encode, raw, &buffer); err != nil {
			return Block{}, &fault.Error{Kind: fault.ErrValue, Detail: "the block codec cannot hold it", Cause: err}
		}
		encoded = buffer.Bytes()
	}
	b, err := w.named(encoded, w.prefix)
	if err == nil && w.encode != nil {
		err = w.checkReadable(b.CID, encoded, raw)
	}
	return b, err
}

// Object returns the block of some bytes in no codec, under the writer's hash; a
// UnixFS file where its other blocks are. The block may keep content.
func (w *Writer) Object(content []byte) (Block, error) {
	if w.files {
		return w.named(unixfs.Append(nil, content), w.prefix)
	}
	return w.named(content, w.objects)
}

// named returns a block with the name that begins with a prefix.
func (w *Writer) named(encoded, prefix []byte) (Block, error) {
	if len(encoded) > w.maxWrite {
		return Block{}, faults.New(fault.ErrTooLarge, "%d bytes, and the limit is %d", len(encoded), w.maxWrite)
	}
	if w.prototype.MhType == uint64(multicodec.Identity) {
		if err := checkInlined(len(encoded)); err != nil {
			return Block{}, err
		}
	}
	name, err := w.name(encoded, prefix)
	return Block{CID: name, Bytes: encoded}, err
}

// Stored returns the bytes of a node's block as the store has them. It asks the store
// only for a block that is not in DAG-CBOR and not written the canonical way. Faults
// come without path.
func (w *Writer) Stored(ctx context.Context, link datamodel.Link, node *block.Node) ([]byte, error) {
	if l, ok := link.(cidlink.Link); ok && l.Prefix().Codec == uint64(multicodec.DagCbor) {
		return node.Raw(), nil
	}
	if encoded, err := w.Encode(node.Raw()); err == nil && string(encoded.CID) == link.Binary() {
		return encoded.Bytes, nil
	}
	return w.Load(ctx, link)
}

// Load returns the bytes of a block as the store has them. Faults come without path.
func (w *Writer) Load(ctx context.Context, link datamodel.Link) ([]byte, error) {
	raw, err := w.lsys.LoadRaw(linking.LinkContext{Ctx: ctx}, link)
	if err != nil && ctx.Err() == nil {
		err = &fault.Error{Kind: fault.ErrMissing, Cause: err}
	}
	return raw, err
}

// checkReadable reads a block in another codec than DAG-CBOR back. Some codecs
// write what they read as something else: DAG-JSON makes integers of whole
// floats, links of some maps, and loses what is not UTF-8.
func (w *Writer) checkReadable(name, encoded, raw []byte) error {
	link, err := Link(name)
	if err != nil {
		return err
	}
	decode, err := chooseDecoder(&w.lsys, link)
	if err != nil {
		return fmt.Errorf("hamt: no decoder for the link prototype: %w", err)
	}
	again, err := cbor.FromCodec(decode, encoded)
	if err != nil {
		return &fault.Error{Kind: fault.ErrValue, Detail: "the block codec cannot hold it", Cause: err}
	}
	if !bytes.Equal(again, raw) {
		return faults.New(fault.ErrValue, "the block codec cannot hold it: it would be read as something else")
	}
	return nil
}

// name computes the binary CID of a block's bytes.
func (w *Writer) name(encoded, prefix []byte) ([]byte, error) {
	if w.prototype.MhType == uint64(multicodec.Sha2_256) {
		digest := sha256.Sum256(encoded)
		return w.withDigest(prefix, digest[:])
	}
	hasher, err := chooseHasher(&w.lsys, w.prototype)
	if err != nil {
		return nil, fmt.Errorf("hamt: no hash function for the link prototype: %w", err)
	}
	hasher.Write(encoded)
	return w.withDigest(prefix, hasher.Sum(nil))
}

// Names reports whether a binary CID is of the writer's version, codec and hash.
func (w *Writer) Names(binaryCID []byte) bool {
	digest, ok := bytes.CutPrefix(binaryCID, w.prefix)
	if !ok {
		return false
	}
	length, width := binary.Uvarint(digest)
	n := w.prototype.MhLength
	return width > 0 && (n < 0 || w.prototype.MhType == uint64(multicodec.Identity) || uint64(n) == length)
}

func (w *Writer) withDigest(prefix, digest []byte) ([]byte, error) {
	n := w.prototype.MhLength
	if n < 0 || w.prototype.MhType == uint64(multicodec.Identity) {
		n = len(digest)
	}
	if n > len(digest) {
		return nil, fmt.Errorf("hamt: link prototype wants a digest of %d bytes, and the hash has %d", n, len(digest))
	}
	name := make([]byte, 0, len(prefix)+binary.MaxVarintLen16+n)
	name = append(name, prefix...)
	name = binary.AppendUvarint(name, uint64(n))
	return append(name, digest[:n]...), nil
}

// Has reports whether the store has a block.
func (w *Writer) Has(ctx context.Context, b Block) bool {
	link, err := Link(b.CID)
	if err != nil || w.lsys.StorageReadOpener == nil {
		return false
	}
	reader, err := w.lsys.StorageReadOpener(linking.LinkContext{Ctx: ctx}, link)
	if closer, ok := reader.(io.Closer); ok && err == nil {
		err = closer.Close()
	}
	return err == nil
}

// Write stores a block.
func (w *Writer) Write(ctx context.Context, b Block) error {
	link, err := Link(b.CID)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.lsys.StorageWriteOpener == nil {
		return fmt.Errorf("hamt: the LinkSystem has no storage to write to")
	}
	err = w.write(ctx, link, b.Bytes)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil: // whatever the store's own error says
		return ctx.Err()
	}
	return fmt.Errorf("hamt: block %s cannot be written: %w", link, err)
}

func (w *Writer) write(ctx context.Context, link datamodel.Link, encoded []byte) error {
	writer, commit, err := w.lsys.StorageWriteOpener(linking.LinkContext{Ctx: ctx})
	if err != nil {
		return err
	}
	n, err := writer.Write(encoded)
	if err == nil && n < len(encoded) { // which io.Writer forbids, and some do
		err = io.ErrShortWrite
	}
	if err != nil {
		return err
	}
	return commit(link)
}
