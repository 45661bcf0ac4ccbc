package cbor

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/ipld/go-ipld-prime/codec"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/faults"
)

// Blocks in other codecs are read and written through the data model, whose nodes
// take some 80 times as much memory as the block. So there are none: a decoder
// writes into an assembler of bytes, and an encoder reads from views of bytes.
//
// The bytes are in a form between the two. It is that of CBOR, but the head of a list
// or a map, which is written before it is known how much is in it, has as its argument
// the number of items and the length of all of them in bytes, each in four. So a
// view finds what follows a collection without a look at what is in it.
const (
	sizedHead = 1 + 8 // bytes of the head of a collection
	// unsorted is in the head of a map whose keys are not in DAG-CBOR's order.
	unsorted = 1
)

// FromCodec returns the DAG-CBOR of a block in another codec, with the keys of
// maps in its order. It takes memory for some bytes for each byte of the block.
func FromCodec(decode codec.Decoder, block []byte) ([]byte, error) {
	a := &assembler{out: make([]byte, 0, len(block))}
	if err := decode(a, bytes.NewBuffer(block)); err != nil {
		return nil, err
	}
	if len(a.out) == 0 || len(a.open) > 0 {
		return nil, io.ErrUnexpectedEOF // which a decoder does not return itself
	}
	e := emitter{sized: a.out, out: make([]byte, 0, len(a.out))}
	e.emit(0, len(a.out))
	return e.out, nil
}

// ToCodec writes a value, which Skip has accepted, in another codec.
func ToCodec(encode codec.Encoder, raw []byte, w io.Writer) error {
	sized, err := toSized(raw)
	if err != nil {
		return err
	}
	node, _, err := viewAt(sized, 0)
	if err != nil {
		return err
	}
	return encode(node, w)
}

// assembler assembles one value in the sized form: as a datamodel.NodeAssembler, and
// as that of all maps and lists in it.
type assembler struct {
	out  []byte
	open []collection // around what comes next
}

// collection is a map or a list that is being assembled.
type collection struct {
	at       int // of its head
	count    uint32
	unsorted bool
	from, to int // of the last key
}

func (a *assembler) begin(major byte) error {
	if len(a.open) >= MaxDepth {
		return faults.New(fault.ErrMalformed, "lists and maps nest deeper than %d", MaxDepth)
	}
	a.open = append(a.open, collection{at: len(a.out)})
	a.out = append(a.out, major, 0, 0, 0, 0, 0, 0, 0, 0)
	return nil
}

// Finish ends the innermost map or list.
func (a *assembler) Finish() error {
	last := len(a.open) - 1
	c := a.open[last]
	a.open = a.open[:last]
	length := len(a.out) - c.at - sizedHead
	if uint64(length) > math.MaxUint32 {
		return faults.New(fault.ErrTooLarge, "%d bytes once it is decoded", length)
	}
	if c.unsorted {
		a.out[c.at] |= unsorted
	}
	binary.BigEndian.PutUint32(a.out[c.at+1:], c.count)
	binary.BigEndian.PutUint32(a.out[c.at+5:], uint32(length))
	return nil
}

// key appends the key of an entry.
func (a *assembler) key(k string) error {
	c := &a.open[len(a.open)-1]
	a.out = AppendString(a.out, k)
	from, to := len(a.out)-len(k), len(a.out)
	if c.count > 0 && CompareKeys(a.out[c.from:c.to], a.out[from:to]) >= 0 {
		c.unsorted = true
	}
	c.from, c.to = from, to
	c.count++
	return nil
}

func (a *assembler) BeginMap(int64) (datamodel.MapAssembler, error) {
	return mapAssembler{a}, a.begin(Map)
}

func (a *assembler) BeginList(int64) (datamodel.ListAssembler, error) {
	return listAssembler{a}, a.begin(List)
}

func (a *assembler) AssignNull() error { a.out = AppendNull(a.out); return nil }

func (a *assembler) AssignBool(b bool) error { a.out = AppendBool(a.out, b); return nil }

func (a *assembler) AssignInt(i int64) error { a.out = AppendInt(a.out, i); return nil }

// AssignFloat takes a NaN, too, which is for whoever decodes the value to refuse.
func (a *assembler) AssignFloat(f float64) error {
	a.out = binary.BigEndian.AppendUint64(append(a.out, simpleFloat64), math.Float64bits(f))
	return nil
}

func (a *assembler) AssignString(s string) error { a.out = AppendString(a.out, s); return nil }

func (a *assembler) AssignBytes(b []byte) error { a.out = AppendBytes(a.out, b); return nil }

func (a *assembler) AssignLink(l datamodel.Link) (err error) {
	a.out, err = AppendLink(a.out, l)
	return err
}

func (a *assembler) AssignNode(n datamodel.Node) error {
	raw, err := AppendUnchecked(nil, n)
	if err != nil {
		return err
	}
	sized, err := toSized(raw)
	a.out = append(a.out, sized...)
	return err
}

func (a *assembler) Prototype() datamodel.NodePrototype { return basicnode.Prototype.Any }

type listAssembler struct{ *assembler }

func (l listAssembler) AssembleValue() datamodel.NodeAssembler {
	l.open[len(l.open)-1].count++
	return l.assembler
}

func (l listAssembler) ValuePrototype(int64) datamodel.NodePrototype { return basicnode.Prototype.Any }

type mapAssembler struct{ *assembler }

func (m mapAssembler) AssembleKey() datamodel.NodeAssembler { return keyAssembler(m) }

func (m mapAssembler) AssembleValue() datamodel.NodeAssembler { return m.assembler }

func (m mapAssembler) AssembleEntry(k string) (datamodel.NodeAssembler, error) {
	return m.assembler, m.key(k)
}

func (m mapAssembler) KeyPrototype() datamodel.NodePrototype { return basicnode.Prototype.String }

func (m mapAssembler) ValuePrototype(string) datamodel.NodePrototype { return basicnode.Prototype.Any }

// keyAssembler is an assembler of a key: only a string is one.
type keyAssembler struct{ *assembler }

func (k keyAssembler) BeginMap(int64) (datamodel.MapAssembler, error)   { return nil, errKey }
func (k keyAssembler) BeginList(int64) (datamodel.ListAssembler, error) { return nil, errKey }
func (k keyAssembler) AssignNull() error                                { return errKey }
func (k keyAssembler) AssignBool(bool) error                            { return errKey }
func (k keyAssembler) AssignInt(int64) error                            { return errKey }
func (k keyAssembler) AssignFloat(float64) error                        { return errKey }
func (k keyAssembler) AssignString(s string) error                      { return k.key(s) }
func (k keyAssembler) AssignBytes([]byte) error                         { return errKey }
func (k keyAssembler) AssignLink(datamodel.Link) error                  { return errKey }

func (k keyAssembler) AssignNode(n datamodel.Node) error {
	s, err := n.AsString()
	if err != nil {
		return err
	}
	return k.key(s)
}

var errKey = fmt.Errorf("the key of a map is not a string")

// sizedAt returns what the head at off says: of a collection how many items there are
// and where they end, and of something else where that ends.
func sizedAt(sized []byte, off int) (major byte, count, next int) {
	first := sized[off]
	switch major = first & 0xe0; major {
	case List, Map:
		length := binary.BigEndian.Uint32(sized[off+5:])
		return major, int(binary.BigEndian.Uint32(sized[off+1:])), off + sizedHead + int(length)
	case Tag:
		off += 2
		fallthrough
	case Bytes, String:
		_, next, _ = Span(sized, off, sized[off]&0xe0)
		return major, 0, next
	}
	_, _, next, _ = head(sized, off)
	return major, 0, next
}

// emitter makes DAG-CBOR of the sized form.
type emitter struct {
	sized   []byte
	out     []byte
	entries []sizedEntry // of the unsorted maps around what is emitted
}

type sizedEntry struct{ from, to, end int } // of the key, and of the value behind it

// emit emits what stands in a range. It calls itself for what is in unsorted maps,
// which the assembler lets nest no deeper than MaxDepth.
func (e *emitter) emit(from, end int) {
	for from < end {
		major, count, next := sizedAt(e.sized, from)
		switch {
		case major == Map && e.sized[from]&unsorted != 0:
			e.sorted(from+sizedHead, count)
			from = next
		case major == Map || major == List:
			e.out = AppendHead(e.out, major, uint64(count))
			from += sizedHead
		default:
			e.out = append(e.out, e.sized[from:next]...)
			from = next
		}
	}
}

// sorted emits a map in the order of its keys.
func (e *emitter) sorted(off, count int) {
	begin := len(e.entries)
	for range count {
		from, to, _ := Span(e.sized, off, String)
		_, _, end := sizedAt(e.sized, to)
		e.entries = append(e.entries, sizedEntry{from, to, end})
		off = end
	}
	slices.SortStableFunc(e.entries[begin:], func(a, b sizedEntry) int {
		return CompareKeys(e.sized[a.from:a.to], e.sized[b.from:b.to])
	})
	e.out = AppendHead(e.out, Map, uint64(count))
	for i := begin; i < begin+count; i++ {
		entry := e.entries[i]
		e.out = append(AppendHead(e.out, String, uint64(entry.to-entry.from)), e.sized[entry.from:entry.to]...)
		e.emit(entry.to, entry.end)
	}
	e.entries = e.entries[:begin]
}

// toSized returns the sized form of a value that Skip has accepted.
func toSized(raw []byte) ([]byte, error) {
	type open struct {
		at   int
		left uint64 // items
	}
	out, around := make([]byte, 0, len(raw)), []open(nil)
	for off := 0; off < len(raw); {
		major, arg, next, err := head(raw, off)
		if err != nil {
			return nil, err
		}
		switch major {
		case List, Map:
			around = append(around, open{len(out), arg})
			if major == Map {
				around[len(around)-1].left *= 2
			}
			out = binary.BigEndian.AppendUint32(append(out, major), uint32(arg))
			out = append(out, 0, 0, 0, 0)
		case Bytes, String:
			next += int(arg)
			out = append(out, raw[off:next]...)
		default: // a tag is a head alone
			out = append(out, raw[off:next]...)
		}
		if off = next; major == Tag {
			continue
		}
		if major != List && major != Map && len(around) > 0 {
			around[len(around)-1].left--
		}
		for len(around) > 0 && around[len(around)-1].left == 0 {
			at := around[len(around)-1].at
			length := len(out) - at - sizedHead
			if uint64(length) > math.MaxUint32 {
				return nil, faults.New(fault.ErrTooLarge, "%d bytes", length)
			}
			binary.BigEndian.PutUint32(out[at+5:], uint32(length))
			if around = around[:len(around)-1]; len(around) > 0 {
				around[len(around)-1].left--
			}
		}
	}
	return out, nil
}
