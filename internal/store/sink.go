package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/codec"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
)

// DefaultMaxWrite is the largest block that is written unless told otherwise,
// in bytes: peers refuse to transfer blocks of more than 2 MiB, and many tools
// those of more than 1.
const DefaultMaxWrite = 1 << 20

// DefaultLinkPrototype is DAG-CBOR under CIDv1 and sha2-256.
var DefaultLinkPrototype = cidlink.LinkPrototype{Prefix: cid.Prefix{
	Version: 1, Codec: uint64(multicodec.DagCbor), MhType: uint64(multicodec.Sha2_256), MhLength: sha256.Size,
}}

// Sink makes blocks and writes them. Making is safe for concurrent use;
// writing as far as the LinkSystem's StorageWriteOpener is.
type Sink struct {
	lsys      linking.LinkSystem
	prototype cidlink.LinkPrototype
	encode    codec.Encoder // nil for DAG-CBOR, which blocks are in already
	maxWrite  int
	prefix    []byte // version, codec and hash code of every CID
}

// Block is a block under its name.
type Block struct {
	CID   []byte // binary
	Bytes []byte // in the block's own codec
}

// NewSink makes a sink that writes blocks named by the link prototype, which
// has to be for CIDv1 and for a codec and a hash that the LinkSystem knows.
func NewSink(lsys *linking.LinkSystem, lp datamodel.LinkPrototype, maxWrite int) (*Sink, error) {
	prototype, ok := lp.(cidlink.LinkPrototype)
	if !ok {
		return nil, fmt.Errorf("hamt: link prototype is a %T, not a cidlink.LinkPrototype", lp)
	}
	if prototype.Version != 1 {
		return nil, fmt.Errorf("hamt: link prototype is for CIDv%d, and only CIDv1 names blocks of any codec", prototype.Version)
	}
	prototype = Normal(prototype)
	s := &Sink{lsys: *lsys, prototype: prototype, maxWrite: maxWrite}
	if prototype.Codec != uint64(multicodec.DagCbor) {
		encode, err := chooseEncoder(&s.lsys, prototype)
		if err != nil {
			return nil, fmt.Errorf("hamt: no encoder for the link prototype: %w", err)
		}
		s.encode = encode
	}
	if prototype.MhType != uint64(multicodec.Sha2_256) {
		if _, err := chooseHasher(&s.lsys, prototype); err != nil {
			return nil, fmt.Errorf("hamt: no hash function for the link prototype: %w", err)
		}
	}
	s.prefix = binary.AppendUvarint(s.prefix, prototype.Version)
	s.prefix = binary.AppendUvarint(s.prefix, prototype.Codec)
	s.prefix = binary.AppendUvarint(s.prefix, prototype.MhType)
	return s, nil
}

// Normal gives the form of a link prototype that can be compared: the length
// of the digest is said, but for the identity hash, which has one for each
// block.
func Normal(lp cidlink.LinkPrototype) cidlink.LinkPrototype {
	if lp.MhType == uint64(multicodec.Identity) {
		lp.MhLength = -1
	} else if length, ok := multihash.DefaultLengths[lp.MhType]; ok && lp.MhLength < 0 {
		lp.MhLength = length
	}
	return lp
}

// Prototype is the link prototype that blocks are named by.
func (s *Sink) Prototype() cidlink.LinkPrototype { return s.prototype }

// Make gives the block of some DAG-CBOR: in the sink's codec and under its
// name. Nothing is written. The block keeps raw where the codec is DAG-CBOR.
func (s *Sink) Make(raw []byte) (Block, error) {
	encoded := raw
	if s.encode != nil {
		node, err := cbor.Decode(raw)
		if err != nil {
			return Block{}, &fault.Error{Kind: fault.ErrValue, Cause: err}
		}
		var buffer bytes.Buffer
		if err := s.encode(node, &buffer); err != nil {
			return Block{}, &fault.Error{Kind: fault.ErrValue, Detail: "the block codec cannot hold it", Cause: err}
		}
		encoded = buffer.Bytes()
	}
	if len(encoded) > s.maxWrite {
		return Block{}, fault.New(fault.ErrTooLarge, "%d bytes, and the limit is %d", len(encoded), s.maxWrite)
	}
	name, err := s.name(encoded)
	if err == nil && s.encode != nil {
		err = s.checkReadable(name, encoded, raw)
	}
	return Block{CID: name, Bytes: encoded}, err
}

// checkReadable reads a block in another codec than DAG-CBOR back. Some codecs
// write what they read as something else: DAG-JSON makes integers of whole
// floats, links of some maps, and loses what is not UTF-8.
func (s *Sink) checkReadable(name, encoded, raw []byte) error {
	link, err := Link(name)
	if err != nil {
		return err
	}
	decode, err := chooseDecoder(&s.lsys, link)
	if err != nil {
		return fmt.Errorf("hamt: no decoder for the link prototype: %w", err)
	}
	builder := basicnode.Prototype.Any.NewBuilder()
	if err := decode(builder, bytes.NewReader(encoded)); err != nil {
		return &fault.Error{Kind: fault.ErrValue, Detail: "the block codec cannot hold it", Cause: err}
	}
	if again, err := FromNode(builder.Build()); err != nil || !bytes.Equal(again, raw) {
		return fault.New(fault.ErrValue, "the block codec cannot hold it: it would be read as something else")
	}
	return nil
}

// name computes the binary CID of a block's bytes.
func (s *Sink) name(encoded []byte) ([]byte, error) {
	if s.prototype.MhType == uint64(multicodec.Sha2_256) {
		digest := sha256.Sum256(encoded)
		return s.withDigest(digest[:])
	}
	hasher, err := chooseHasher(&s.lsys, s.prototype)
	if err != nil {
		return nil, fmt.Errorf("hamt: no hash function for the link prototype: %w", err)
	}
	hasher.Write(encoded)
	return s.withDigest(hasher.Sum(nil))
}

// Names says whether a binary CID is of the sink's version, codec and hash.
func (s *Sink) Names(binaryCID []byte) bool {
	digest, ok := bytes.CutPrefix(binaryCID, s.prefix)
	if !ok {
		return false
	}
	length, width := binary.Uvarint(digest)
	n := s.prototype.MhLength
	return width > 0 && (n < 0 || s.prototype.MhType == uint64(multicodec.Identity) || uint64(n) == length)
}

func (s *Sink) withDigest(digest []byte) ([]byte, error) {
	n := s.prototype.MhLength
	if n < 0 || s.prototype.MhType == uint64(multicodec.Identity) {
		n = len(digest)
	}
	if n > len(digest) {
		return nil, fmt.Errorf("hamt: link prototype wants a digest of %d bytes, and the hash has %d", n, len(digest))
	}
	name := make([]byte, 0, len(s.prefix)+binary.MaxVarintLen16+n)
	name = append(name, s.prefix...)
	name = binary.AppendUvarint(name, uint64(n))
	return append(name, digest[:n]...), nil
}

// Has says whether the store gives a block.
func (s *Sink) Has(ctx context.Context, b Block) bool {
	link, err := Link(b.CID)
	if err != nil || s.lsys.StorageReadOpener == nil {
		return false
	}
	reader, err := s.lsys.StorageReadOpener(linking.LinkContext{Ctx: ctx}, link)
	if closer, ok := reader.(io.Closer); ok && err == nil {
		err = closer.Close()
	}
	return err == nil
}

// Write stores a block.
func (s *Sink) Write(ctx context.Context, b Block) error {
	link, err := Link(b.CID)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.lsys.StorageWriteOpener == nil {
		return fmt.Errorf("hamt: the LinkSystem has no storage to write to")
	}
	err = s.write(ctx, link, b.Bytes)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil: // whatever words the store has for that
		return ctx.Err()
	}
	return fmt.Errorf("hamt: block %s cannot be written: %w", link, err)
}

func (s *Sink) write(ctx context.Context, link datamodel.Link, encoded []byte) error {
	writer, commit, err := s.lsys.StorageWriteOpener(linking.LinkContext{Ctx: ctx})
	if err != nil {
		return err
	}
	if _, err := writer.Write(encoded); err != nil {
		return err
	}
	return commit(link)
}

// Link makes a link of a binary CID.
func Link(binaryCID []byte) (datamodel.Link, error) {
	c, err := cid.Cast(binaryCID)
	if err != nil {
		return nil, fmt.Errorf("hamt: %w", err)
	}
	return cidlink.Link{Cid: c}, nil
}
