package block

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// The fields of a HashMapRoot, in DAG-CBOR's order.
const (
	fieldHamt       = "hamt"
	fieldHashAlg    = "hashAlg"
	fieldBucketSize = "bucketSize"
)

// ParseRoot parses a root block. In the specification's layout the parameters
// come from the block and given's are not looked at; in the others they are
// the given ones. The node keeps a copy of raw.
//
// It returns fault.ErrNotHAMT for data that is not of a root's kind at all, and
// the fault of a root that has one.
func ParseRoot(raw []byte, given params.Params) (*Node, params.Params, error) {
	if given.Layout != params.Spec {
		if err := given.Validate(); err != nil {
			return nil, given, err
		}
	}
	p := parser{raw: raw, params: given, layout: LayoutOf(given.Layout), isRoot: true}
	node, err := p.whole()
	return node, p.params, err
}

// Parse parses a block below the root of a map with the given parameters. The
// node keeps a copy of raw.
func Parse(raw []byte, given params.Params) (*Node, error) {
	p := parser{raw: raw, params: given, layout: LayoutOf(given.Layout)}
	node, err := p.whole()
	if err == nil && node.Len() == 0 {
		return nil, faults.New(fault.ErrEmptyNode, "")
	}
	return node, err
}

// parser makes the one pass over a block. Its methods read at off and move it.
// The parser reads the bytes in the memory of the node to be, which is allocated
// once the bitmap tells how large the index is.
type parser struct {
	raw          []byte // what was given; from bitmap on the same bytes in memory
	off          int
	params       params.Params
	layout       *Layout
	isRoot       bool
	next         int  // element
	nonCanonical bool // of the node, before there is one
	out          *Node
}

// whole parses a block and checks that nothing follows.
func (p *parser) whole() (*Node, error) {
	if uint64(len(p.raw)) > math.MaxInt32 {
		return nil, faults.New(fault.ErrTooLarge, "%d bytes", len(p.raw))
	}
	stored := len(p.raw)
	if err := p.block(); err != nil {
		return nil, err
	}
	if p.off != len(p.raw) {
		return nil, faults.New(fault.ErrMalformed, "%d bytes follow the block's end", len(p.raw)-p.off)
	}
	p.out.stored = uint32(stored)
	p.out.nonCanonical = p.out.nonCanonical || p.nonCanonical
	return p.out, nil
}

func (p *parser) block() error {
	switch {
	case p.layout.slots:
		return p.slots()
	case p.isRoot && p.layout.rootMap:
		return p.root()
	}
	return p.node()
}

// settle moves the parse into the memory of a node with n elements. The bitmap
// is where it was written in the block, or, if it stands there in another form,
// behind it.
func (p *parser) settle(n int, written span, bitmap []byte) {
	index, length := indexBytes(n), len(p.raw)
	if bitmap == nil {
		p.out = allocate(index + length)
		p.out.bitmap = span{written.from + uint32(index), written.to + uint32(index)}
	} else {
		p.out = allocate(index + length + len(bitmap))
		p.out.bitmap = span{uint32(index + length), uint32(index + length + copy(p.out.memory[index+length:], bitmap))}
	}
	p.out.count, p.out.rawBytes = uint32(n), uint32(length)
	copy(p.out.memory[index:], p.raw)
	p.raw, p.off = p.out.memory[:index+length], p.off+index
}

// rootFields are the fields of a HashMapRoot, in DAG-CBOR's order.
var rootFields = [...]string{fieldHamt, fieldHashAlg, fieldBucketSize}

// root parses a HashMapRoot: a map of three fields. A root with another order
// of them is readable, but not canonical.
func (p *parser) root() error {
	if p.canonicalRoot() {
		return nil
	}
	major, fields, next, err := cbor.Head(p.raw, p.off)
	if err != nil {
		return malformed(err)
	}
	if major != cbor.Map || fields != uint64(len(rootFields)) {
		err := p.notHAMT("the root is not a map of the three fields of a HashMapRoot")
		if f, ok := err.(*fault.Error); ok && f.Kind == fault.ErrNotHAMT && major == cbor.List {
			switch fields {
			case tupleOfNode:
				f.Cause = &fault.OtherLayout{Layout: params.FilecoinV3}
			case slotsOfNode:
				f.Cause = &fault.OtherLayout{Layout: params.PyHAMT3}
			}
		}
		return err
	}
	p.off = next
	at := [len(rootFields)]int{} // where the value of each field is; 0 for not seen
	for n := range at {
		from, to, err := cbor.Span(p.raw, p.off, cbor.String)
		if err != nil {
			return malformed(err)
		}
		field := slices.Index(rootFields[:], string(p.raw[from:to]))
		if field < 0 || at[field] != 0 {
			return p.notHAMT(fmt.Sprintf("field %.20q is not one of a HashMapRoot, or stands twice", p.raw[from:to]))
		}
		p.nonCanonical = p.nonCanonical || field != n
		at[field] = to
		if rootFields[field] == fieldHamt {
			p.off, err = cbor.Extent(p.raw, to) // what is in it is looked at below
		} else {
			p.off, _, err = cbor.Skip(p.raw, to, 1)
		}
		if err != nil {
			return malformed(err)
		}
	}
	end := p.off
	hashAlg, _, err := cbor.Expect(p.raw, at[1], cbor.Uint)
	if err != nil {
		return p.notHAMT("hashAlg is not a multihash code")
	}
	bucketSize, _, err := cbor.Expect(p.raw, at[2], cbor.Uint)
	if err != nil || bucketSize < 1 || bucketSize > math.MaxInt32 {
		return p.notHAMT("bucketSize is not a positive integer of 31 bits")
	}
	p.params = p.params.WithHashAlg(multicodec.Code(hashAlg))
	p.params.BucketSize = int(bucketSize)
	p.off = at[0]
	if err := p.node(); err != nil {
		return err
	}
	p.off = end + indexBytes(p.out.Len())
	return nil
}

// canonicalRoot parses a root as everybody writes it, in one pass: the parameters,
// which the pass needs, stand at the end. It returns false, and has done nothing, where
// the root is written in another way or something is wrong with it.
func (p *parser) canonicalRoot() bool {
	const (
		begin      = "\xa3\x64" + fieldHamt
		hashAlg    = "\x67" + fieldHashAlg
		bucketSize = "\x6a" + fieldBucketSize
		longest    = len(hashAlg) + len(bucketSize) + 2*9 // of what follows the node
	)
	from := max(0, len(p.raw)-longest)
	end := from + bytes.LastIndex(p.raw[from:], []byte(hashAlg))
	if end < from || !bytes.HasPrefix(p.raw, []byte(begin)) {
		return false
	}
	code, next, err := cbor.Expect(p.raw, end+len(hashAlg), cbor.Uint)
	if err != nil || !bytes.HasPrefix(p.raw[next:], []byte(bucketSize)) {
		return false
	}
	size, next, err := cbor.Expect(p.raw, next+len(bucketSize), cbor.Uint)
	if err != nil || next != len(p.raw) || size < 1 || size > math.MaxInt32 {
		return false
	}
	try := *p
	try.params = try.params.WithHashAlg(multicodec.Code(code))
	try.params.BucketSize = int(size)
	try.off = len(begin)
	if err := try.node(); err != nil || try.off != end+indexBytes(try.out.Len()) {
		return false
	}
	try.off = len(try.raw)
	*p = try
	return true
}

func (p *parser) notHAMT(why string) error {
	// Bytes that are no DAG-CBOR at all are malformed, whatever they are not.
	if _, _, err := cbor.Skip(p.raw, 0, 0); err != nil {
		return malformed(err)
	}
	return faults.New(fault.ErrNotHAMT, "%s", why)
}

func malformed(err error) error { return &fault.Error{Kind: fault.ErrMalformed, Cause: err} }

// tupleOfNode is the length of a HashMapNode.
const tupleOfNode = 2

// node parses a HashMapNode: a list of the bitmap and the data.
func (p *parser) node() error {
	if err := p.list(tupleOfNode, "node"); err != nil {
		return err
	}
	from, to, err := cbor.Span(p.raw, p.off, cbor.Bytes)
	if err != nil {
		return malformed(err)
	}
	p.off = to
	bitmap, err := p.bitmap(p.raw[from:to])
	if err != nil {
		return err
	}
	count, next, err := cbor.Expect(p.raw, p.off, cbor.List)
	if err != nil {
		return malformed(err)
	}
	p.off = next
	if ones := onesBefore(bitmap, len(bitmap)); uint64(ones) != count {
		return faults.New(fault.ErrPopcount, "%d bits, %d elements", ones, count)
	}
	if count > uint64(len(p.raw)-p.off) {
		return malformed(cbor.ErrTruncated)
	}
	if !p.layout.bigEndian {
		bitmap = nil
	}
	p.settle(int(count), span{uint32(from), uint32(to)}, bitmap)
	for range count {
		if err := p.element(); err != nil {
			return err
		}
	}
	p.begin()
	return nil
}

// begin notes where an element begins, or behind the last one where it ends.
func (p *parser) begin() {
	binary.LittleEndian.PutUint32(p.out.memory[4*p.next:], uint32(p.off))
	p.next++
}

// bitmap returns the bitmap, least significant bit first. For the root its length
// sets the bit width.
func (p *parser) bitmap(written []byte) ([]byte, error) {
	if p.layout.bigEndian {
		bitmap, ok := fromBigEndian(written, p.params.BitmapBytes())
		if !ok {
			return nil, faults.New(fault.ErrBitmapLength, "%d bytes, or leading zeros, at bit width %d", len(written), p.params.BitWidth)
		}
		return bitmap, nil
	}
	if p.isRoot {
		width, ok := params.BitWidthOf(len(written))
		if !ok {
			return nil, faults.New(fault.ErrBitmapLength, "%d bytes belong to no bit width from %d to %d", len(written), params.MinBitWidth, params.MaxBitWidth)
		}
		p.params.BitWidth = width
	} else if len(written) != p.params.BitmapBytes() {
		return nil, faults.New(fault.ErrBitmapLength, "%d bytes, and the root has %d", len(written), p.params.BitmapBytes())
	}
	return written, nil
}

// element parses a link or a bucket and notes where it begins.
func (p *parser) element() error {
	if p.layout.unions {
		return p.pointer()
	}
	p.begin()
	switch {
	case p.off < len(p.raw) && p.raw[p.off]&0xe0 == cbor.List:
		return p.bucket()
	case cbor.IsLink(p.raw, p.off):
		return p.link()
	}
	if _, _, err := cbor.Skip(p.raw, p.off, 0); err != nil {
		return malformed(err)
	}
	return faults.New(fault.ErrElement, "an element is neither link nor list")
}

// The members of the keyed union that an element is in the older Filecoin layout.
const unionLink, unionBucket = "0", "1"

// pointer parses the keyed union of the older Filecoin layout: {"0": link} or
// {"1": bucket}. The offset kept is that of what stands in it.
func (p *parser) pointer() error {
	const link, bucket = "\xa1\x61" + unionLink, "\xa1\x61" + unionBucket
	rest := p.raw[p.off:]
	p.off += len(link)
	switch {
	case bytes.HasPrefix(rest, []byte(link)) && cbor.IsLink(p.raw, p.off):
		p.begin()
		return p.link()
	case bytes.HasPrefix(rest, []byte(bucket)):
		p.begin()
		return p.bucket()
	}
	return faults.New(fault.ErrElement, `an element is neither {"0": link} nor {"1": list}`)
}

func (p *parser) link() error {
	if end, ok := cbor.PlainLink(p.raw, p.off); ok { // nearly always
		p.off = end
		p.out.links++
		return nil
	}
	_, to, err := cbor.Link(p.raw, p.off)
	if err != nil {
		return malformed(err)
	}
	p.off = to
	p.out.links++
	return nil
}

func (p *parser) bucket() error {
	count, next, err := cbor.Expect(p.raw, p.off, cbor.List)
	if err != nil {
		return malformed(err)
	}
	p.off = next
	if count > uint64(p.params.BucketSize) {
		return faults.New(fault.ErrBucketOverfull, "%d entries, bucketSize %d", count, p.params.BucketSize)
	}
	from, sorted := p.off, true
	var previous []byte
	for i := range count {
		key, err := p.entry()
		if err != nil {
			return err
		}
		if i > 0 && bytes.Compare(previous, key) >= 0 {
			// What Filecoin's network versions 0 to 2 wrote is not always sorted.
			if p.params.Layout != params.FilecoinV0 {
				return faults.New(fault.ErrBucketOrder, "key %q comes after %q", key, previous)
			}
			sorted = false
		}
		previous = key
	}
	if !sorted {
		p.out.unsorted = true
		if err := p.distinct(Bucket{raw: p.raw, off: from, left: int(count)}); err != nil {
			return err
		}
	}
	p.out.entries += uint32(count)
	p.out.empty = p.out.empty || count == 0
	return nil
}

// distinct returns an error if a key stands in a bucket twice.
func (p *parser) distinct(b Bucket) error {
	seen := make(map[string]struct{}, b.Len())
	for b.Next() {
		if _, twice := seen[string(b.Key())]; twice {
			return faults.New(fault.ErrBucketOrder, "key %q stands twice", b.Key())
		}
		seen[string(b.Key())] = struct{}{}
	}
	return nil
}

func (p *parser) entry() (key []byte, err error) {
	if from, to, next, ok := cbor.PlainEntry(p.raw, p.off); ok { // most entries
		p.off = next
		return p.raw[from:to], nil
	}
	if err := p.list(2, "entry"); err != nil {
		return nil, err
	}
	major, _, _, err := cbor.Head(p.raw, p.off)
	if err != nil {
		return nil, malformed(err)
	}
	if major != cbor.Bytes {
		return nil, faults.New(fault.ErrElement, "the key of an entry is not bytes")
	}
	from, to, err := cbor.Span(p.raw, p.off, cbor.Bytes)
	if err != nil {
		return nil, malformed(err)
	}
	next, nonCanonical, err := cbor.Skip(p.raw, to, cbor.ValueDepth)
	if err != nil { // that of one value, as long as it has an end
		if next, err = cbor.Extent(p.raw, to); err != nil {
			return nil, malformed(err)
		}
		p.out.undecodable = true
	}
	p.off = next
	p.out.nonCanonical = p.out.nonCanonical || nonCanonical
	return p.raw[from:to], nil
}

// list reads the head of a list that must have n items.
func (p *parser) list(n uint64, what string) error {
	major, count, next, err := cbor.Head(p.raw, p.off)
	if err != nil {
		return malformed(err)
	}
	if major != cbor.List || count != n {
		kind := fault.ErrElement
		if what == "node" {
			kind = fault.ErrMalformed
			if p.isRoot {
				kind = fault.ErrNotHAMT
			}
		}
		return faults.New(kind, "a %s is not a list of %d", what, n)
	}
	p.off = next
	return nil
}
