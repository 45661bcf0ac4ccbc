package blockio

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/codec"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/schema"
	"github.com/multiformats/go-multicodec"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
	"github.com/ipld-hamt/go-ipld-hamt/internal/flight"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// DefaultMaxRead is the largest block that is read unless told otherwise, in
// bytes: eight times what peers transfer, so that a map that somebody wrote
// too coarsely can still be read and rebuilt.
const DefaultMaxRead = 16 << 20

// DefaultCacheBytes bounds the cache of a map unless told otherwise.
const DefaultCacheBytes = 64 << 20

// Loader loads blocks. It is safe for concurrent use as far as the
// LinkSystem's StorageReadOpener is.
type Loader struct {
	lsys        linking.LinkSystem
	cache       *Cache
	maxRead     int64
	weakDigests bool // are allowed
	flights     *flight.Group[*block.Node]
	mean        atomic.Int64 // of the time a load takes, moving, in nanoseconds
}

const (
	// worthKeeping is how long loads take, in the mean, before a walk that reads
	// ahead keeps what it has loaded: a store in memory returns a block in about
	// the time that the cache takes.
	worthKeeping = 4 * time.Microsecond
	// slow is how long loads take, in the mean, before it pays to have several
	// under way: a goroutine for each and waiting for it cost more than a
	// store in memory needs for the load itself.
	slow = 200 * time.Microsecond
	// window is about how many loads the mean covers: one pause of the garbage
	// collector does not make a store slow, and one load over a network does.
	window = 16
)

// AllowWeakDigests has links loaded whose digests are too short to tell blocks
// apart. It must be called before the loader is used.
func (l *Loader) AllowWeakDigests() { l.weakDigests = true }

// Slow reports whether loads take so long that it pays to have several under way.
func (l *Loader) Slow() bool { return l.mean.Load() > int64(slow) }

// took updates the mean of how long loads take.
func (l *Loader) took(d time.Duration) {
	mean := l.mean.Load() // a lost update does no harm
	l.mean.Store(mean + (int64(d)-mean)/window)
}

// NewLoader returns a loader over a LinkSystem, which is copied: its
// NodeReifier plays no part, so a map's own blocks never pass through it.
func NewLoader(lsys *linking.LinkSystem, cacheBytes, maxRead int64) *Loader {
	maxRead = min(maxRead, math.MaxInt64-1) // readAll asks for one byte more
	return &Loader{lsys: *lsys, cache: NewCache(cacheBytes), maxRead: maxRead, flights: flight.NewGroup[*block.Node]()}
}

// LinkSystem returns the LinkSystem that blocks come from.
func (l *Loader) LinkSystem() *linking.LinkSystem { return &l.lsys }

// Cache returns the cache that the loader looks in first.
func (l *Loader) Cache() *Cache { return l.cache }

// Root loads and parses a root block. Faults come without link and path.
func (l *Loader) Root(ctx context.Context, link datamodel.Link, given params.Params) (*block.Node, params.Params, error) {
	cl, ok := link.(cidlink.Link)
	if !ok || !cl.Defined() {
		return nil, given, faults.New(fault.ErrMissing, "link %v is not a CID", link)
	}
	began := time.Now()
	u, err := l.readNode(ctx, cl, given)
	l.took(time.Since(began)) // so that what is below it can be loaded together at once
	if err != nil {
		return nil, given, err
	}
	p := given
	node, err := l.parse(u, func(dagCBOR []byte) (node *block.Node, err error) {
		node, p, err = block.ParseRoot(dagCBOR, given)
		return node, err
	})
	return node, p, err
}

// Retention is what the cache does with a node that was loaded.
type Retention uint8

const (
	// Discard keeps nothing. It is for serial walks: which blocks they load must
	// not depend on how long earlier loads took.
	Discard Retention = iota
	// KeepIfRoom keeps the node where it takes no other's room and loads take
	// longer than the cache does. It is for walks that read ahead, which must not
	// push out what lookups use.
	KeepIfRoom
	// Keep keeps the node in place of others, and has its parent point to it.
	// It is for lookups and edits.
	Keep
)

// Child returns the child that the link at position of a node leads to: from
// memory if it is there, else from the store. Faults come without link and
// path. Equal loads under way at the same time are one.
func (l *Loader) Child(ctx context.Context, parent *block.Node, position int, p params.Params, retain Retention) (*block.Node, error) {
	if child := l.cache.peek(parent, position); child != nil {
		return child, nil
	}
	binaryCID := parent.Link(position)
	hash := l.cache.hash(binaryCID)
	child := l.cache.find(hash, binaryCID)
	if child == nil {
		var err error
		if child, err = l.fetch(ctx, hash, binaryCID, p, retain); err != nil {
			return nil, err
		}
	}
	if retain == Keep {
		l.cache.hold(hash, child, parent, position)
	}
	return child, nil
}

// fetch loads and parses a node below the root, and offers it to the cache.
func (l *Loader) fetch(ctx context.Context, hash uint64, binaryCID []byte, p params.Params, retain Retention) (*block.Node, error) {
	return l.flights.Do(ctx, binaryCID, func() (*block.Node, error) {
		u, err := l.readChild(ctx, binaryCID, p)
		if err != nil {
			return nil, err
		}
		return l.parseChild(hash, u, p, retain)
	})
}

// readChild reads the block of a node below the root.
func (l *Loader) readChild(ctx context.Context, binaryCID []byte, p params.Params) (unparsed, error) {
	began := time.Now()
	defer func() { l.took(time.Since(began)) }()
	c, err := cid.Cast(binaryCID)
	if err != nil {
		return unparsed{}, &fault.Error{Kind: fault.ErrMalformed, Cause: err}
	}
	return l.readNode(ctx, cidlink.Link{Cid: c}, p)
}

// parseChild checks and parses that block, puts the buffer back into its pool,
// and adds the node to the cache.
func (l *Loader) parseChild(hash uint64, u unparsed, p params.Params, retain Retention) (*block.Node, error) {
	node, err := l.parse(u, func(dagCBOR []byte) (*block.Node, error) {
		return block.Parse(dagCBOR, p)
	})
	if err != nil {
		return nil, err
	}
	if retain == Keep || retain == KeepIfRoom && l.mean.Load() > int64(worthKeeping) {
		l.cache.add(hash, u.link.KeyString(), node, retain == Keep)
	}
	return node, nil
}

// ParseForeign parses a block that did not come from the store, without checking
// it against its link. Faults come without link and path.
func (l *Loader) ParseForeign(link cidlink.Link, raw []byte, p params.Params, isRoot bool) (*block.Node, error) {
	if link.Prefix().Codec != uint64(multicodec.DagCbor) {
		var err error
		if block.LayoutOf(p.Layout).InFiles && link.Prefix().Codec == uint64(multicodec.DagPb) {
			raw, err = onlyBlock(raw)
		} else {
			raw, err = l.transcode(link, raw)
		}
		if err != nil {
			return nil, err
		}
	}
	if isRoot {
		node, _, err := block.ParseRoot(raw, p)
		return node, err
	}
	return block.Parse(raw, p)
}

// parse checks a block against its link, unless the LinkSystem trusts its storage,
// and calls parse with the block's DAG-CBOR, whatever its own codec is. It puts
// the buffer back into its pool.
func (l *Loader) parse(u unparsed, parse func(dagCBOR []byte) (*block.Node, error)) (*block.Node, error) {
	if u.file != nil {
		return u.file.parse(*u.buffer, parse)
	}
	link, buffer := u.link, u.buffer
	defer putBuffer(buffer)
	dagCBOR, stored := *buffer, len(*buffer)
	if !l.lsys.TrustedStorage {
		if err := l.verify(link, dagCBOR); err != nil {
			return nil, err
		}
	}
	if link.Prefix().Codec != uint64(multicodec.DagCbor) {
		var err error
		if dagCBOR, err = l.transcode(link, dagCBOR); err != nil {
			return nil, err
		}
	}
	node, err := parse(dagCBOR)
	if err != nil {
		return nil, err
	}
	node.SetStored(stored)
	return node, nil
}

// buffers are for blocks on their way from the store into a node, which copies
// what it keeps.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// putBuffer puts a buffer back into its pool, unless a large block has made it
// large.
func putBuffer(buffer *[]byte) {
	const largest = 1 << 20
	if cap(*buffer) <= largest {
		buffers.Put(buffer)
	}
}

// transcode returns the DAG-CBOR of a block in any other codec.
func (l *Loader) transcode(link cidlink.Link, raw []byte) ([]byte, error) {
	decode, err := chooseDecoder(&l.lsys, link)
	if err != nil {
		return nil, &fault.Error{Kind: fault.ErrMalformed, Detail: "no decoder for its codec", Cause: err}
	}
	dagCBOR, err := cbor.FromCodec(decode, raw)
	if err != nil {
		return nil, &fault.Error{Kind: fault.ErrMalformed, Cause: err}
	}
	return dagCBOR, nil
}

// FromNode returns the DAG-CBOR of a node that was decoded elsewhere. It is
// for the parser to check: a substrate encodes to its block just as it is, which
// may be readable and not canonical.
func FromNode(node datamodel.Node) ([]byte, error) {
	if node == nil {
		return nil, faults.New(fault.ErrMalformed, "no node was given")
	}
	if typed, ok := node.(schema.TypedNode); ok {
		node = typed.Representation()
	}
	if encoded, ok := node.(interface{ EncodeDagCbor(io.Writer) error }); ok {
		var buffer bytes.Buffer
		if err := encoded.EncodeDagCbor(&buffer); err != nil {
			return nil, &fault.Error{Kind: fault.ErrMalformed, Cause: err}
		}
		return buffer.Bytes(), nil
	}
	raw, err := cbor.AppendUnchecked(nil, node)
	if err != nil {
		return nil, &fault.Error{Kind: fault.ErrMalformed, Cause: err}
	}
	return raw, nil
}

// read reads a block into a buffer. It and parse do by themselves what
// LinkSystem.LoadRaw does, because that hashes trusted storage too, has no
// limit, and reads without knowing the size.
func (l *Loader) read(ctx context.Context, link cidlink.Link) (buffer *[]byte, err error) {
	if l.lsys.StorageReadOpener == nil {
		return nil, faults.New(fault.ErrMissing, "the LinkSystem has no storage to read from")
	}
	if err := l.CheckDigest(link.Cid); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	reader, err := l.lsys.StorageReadOpener(linking.LinkContext{Ctx: ctx}, link)
	if err != nil {
		return nil, missing(ctx, err)
	}
	if closer, ok := reader.(io.Closer); ok {
		defer closer.Close()
	}
	buffer = buffers.Get().(*[]byte)
	if err := readAll(reader, buffer, l.maxRead); err != nil {
		putBuffer(buffer)
		return nil, missing(ctx, err)
	}
	if int64(len(*buffer)) > l.maxRead {
		putBuffer(buffer)
		return nil, faults.New(fault.ErrTooLarge, "more than %d bytes", l.maxRead)
	}
	return buffer, nil
}

// missing returns the context's error if it is done, and otherwise err as
// fault.ErrMissing.
func missing(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &fault.Error{Kind: fault.ErrMissing, Cause: err}
}

// readAll reads up to one byte more than limit into a buffer, from its
// beginning.
func readAll(reader io.Reader, buffer *[]byte, limit int64) error {
	into := (*buffer)[:0]
	if sized, ok := reader.(interface{ Len() int }); ok { // a reader over memory
		into = slices.Grow(into, int(min(int64(sized.Len()), limit+1)))
	}
	for {
		if len(into) == cap(into) {
			if int64(len(into)) > limit {
				break
			}
			into = slices.Grow(into, 512)
		}
		room := into[len(into):min(int64(cap(into)), limit+1)]
		n, err := reader.Read(room)
		into = into[:len(into)+n]
		*buffer = into
		if err == io.EOF || int64(len(into)) > limit {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// verify hashes the bytes and compares with the link. The comparison is by
// digest, since LinkPrototype.BuildLink panics on a CID whose digest is longer
// than its hash function makes.
func (l *Loader) verify(link cidlink.Link, raw []byte) error {
	if name := link.KeyString(); cbor.IsPlainCID(name) { // nearly always: no allocation
		if digest := sha256.Sum256(raw); string(digest[:]) != name[len(name)-len(digest):] {
			return mismatch(raw, "sha2-256")
		}
		return nil
	}
	want, err := multihash.Decode(link.Hash())
	if err != nil {
		return &fault.Error{Kind: fault.ErrMalformed, Detail: "link", Cause: err}
	}
	var sum []byte
	if want.Code == multihash.SHA2_256 {
		digest := sha256.Sum256(raw)
		sum = digest[:]
	} else {
		hasher, err := chooseHasher(&l.lsys, link.Prototype())
		if err != nil {
			return &fault.Error{Kind: fault.ErrMissing, Detail: "it cannot be checked", Cause: err}
		}
		hasher.Write(raw)
		sum = hasher.Sum(nil)
	}
	if len(sum) < len(want.Digest) || !bytes.Equal(sum[:len(want.Digest)], want.Digest) {
		return mismatch(raw, multicodec.Code(want.Code).String())
	}
	return nil
}

func mismatch(raw []byte, hash string) error {
	return faults.New(fault.ErrHashMismatch, "the store gave %d bytes with another %s", len(raw), hash)
}

// The choosers of a LinkSystem may be missing. One that has storage alone does
// for DAG-CBOR under sha2-256, so a link of another kind must not find nil.

func chooseDecoder(lsys *linking.LinkSystem, link datamodel.Link) (codec.Decoder, error) {
	if lsys.DecoderChooser == nil {
		return nil, errors.New("the LinkSystem has no decoders")
	}
	return lsys.DecoderChooser(link)
}

func chooseEncoder(lsys *linking.LinkSystem, lp datamodel.LinkPrototype) (codec.Encoder, error) {
	if lsys.EncoderChooser == nil {
		return nil, errors.New("the LinkSystem has no encoders")
	}
	return lsys.EncoderChooser(lp)
}

func chooseHasher(lsys *linking.LinkSystem, lp datamodel.LinkPrototype) (hash.Hash, error) {
	if lsys.HasherChooser == nil {
		return nil, errors.New("the LinkSystem has no hash functions")
	}
	return lsys.HasherChooser(lp)
}
