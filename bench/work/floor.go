package work

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"runtime"
	"slices"
	"time"

	"github.com/ipld-hamt/go-ipld-hamt/bench/peer"
	"github.com/ipld-hamt/go-ipld-hamt/bench/workload"
)

// FloorImpl is the name that the floor has in the table.
const FloorImpl = "floor"

// MeasureFloor measures the floor as if it were a build.
func MeasureFloor(ctx context.Context, entries []workload.Entry) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	_, blocks := Floor(entries)
	elapsed := time.Since(begin)
	runtime.ReadMemStats(&after)
	n := float64(len(entries))
	return Result{
		Work: "build-raw", Impl: FloorImpl, N: len(entries),
		NsPerEntry:     float64(elapsed.Nanoseconds()) / n,
		AllocsPerEntry: float64(after.Mallocs-before.Mallocs) / n,
		BytesPerEntry:  float64(after.TotalAlloc-before.TotalAlloc) / n,
		BlocksWritten:  blocks,
	}, nil
}

// Floor is the least that building can cost: it hashes the keys, sorts the
// hashes, encodes the blocks and hashes those, and nothing else. It stores
// nothing, checks nothing, and takes different keys for granted. It returns the
// digest of the root, which is that of the map's root block, and the number
// of blocks.
func Floor(entries []workload.Entry) (root [sha256.Size]byte, blocks int) {
	f := newFloor(entries)
	return rootDigest(f.node(nil, f.refs, 0)), f.blocks + 1
}

// newFloor hashes the keys and sorts the hashes.
func newFloor(entries []workload.Entry) *floor {
	f := &floor{entries: entries, refs: make([]ref, len(entries)), room: make([][]byte, 64)}
	for i, e := range entries {
		digest := sha256.Sum256(e.Bytes)
		f.refs[i] = ref{binary.BigEndian.Uint64(digest[:]), uint32(i)}
	}
	slices.SortFunc(f.refs, func(a, b ref) int {
		if a.head < b.head {
			return -1
		}
		return 1
	})
	return f
}

// rootDigest hashes the root block around the root's node.
func rootDigest(node []byte) [sha256.Size]byte {
	block := append([]byte("\xa3\x64hamt"), node...)
	block = append(block, "\x67hashAlg\x12\x6abucketSize"...)
	return sha256.Sum256(append(block, peer.BucketSize))
}

// ref is a key by the first bits of its hash.
type ref struct {
	head  uint64
	entry uint32
}

type floor struct {
	entries []workload.Entry
	refs    []ref
	room    [][]byte // by depth, for the node that is being made there
	blocks  int
}

const bitmapBytes = 1 << (peer.BitWidth - 3)

// nodeHead appends what comes before the elements of a node.
func nodeHead(dst []byte, bitmap [bitmapBytes]byte, elements int) []byte {
	dst = append(head(append(dst, 0x82), 0x40, bitmapBytes), bitmap[:]...)
	return head(dst, 0x80, elements)
}

// node appends the node of some keys, which have everything above depth in
// common.
func (f *floor) node(dst []byte, refs []ref, depth int) []byte {
	shift := 64 - (depth+1)*peer.BitWidth
	index := func(r ref) int { return int(r.head>>shift) & (1<<peer.BitWidth - 1) }

	var bitmap [bitmapBytes]byte
	elements := 0
	for i, r := range refs {
		if at := index(r); i == 0 || at != index(refs[i-1]) {
			bitmap[at>>3] |= 1 << (at & 7)
			elements++
		}
	}
	dst = nodeHead(dst, bitmap, elements)
	for len(refs) > 0 {
		n := 1
		for n < len(refs) && index(refs[n]) == index(refs[0]) {
			n++
		}
		dst = f.element(dst, refs[:n], depth)
		refs = refs[n:]
	}
	return dst
}

func (f *floor) element(dst []byte, refs []ref, depth int) []byte {
	if len(refs) > peer.BucketSize {
		block := f.node(f.room[depth][:0], refs, depth+1)
		f.room[depth] = block
		f.blocks++
		digest := sha256.Sum256(block)
		dst = append(dst, 0xd8, 42, 0x58, 37, 0, 1, 0x71, 0x12, sha256.Size)
		return append(dst, digest[:]...)
	}
	slices.SortFunc(refs, func(a, b ref) int { // buckets are in order of key
		if f.entries[a.entry].Key < f.entries[b.entry].Key {
			return -1
		}
		return 1
	})
	dst = append(dst, 0x80|byte(len(refs)))
	for _, r := range refs {
		e := f.entries[r.entry]
		dst = append(head(append(dst, 0x82), 0x40, len(e.Bytes)), e.Bytes...)
		dst = append(dst, e.Raw...)
	}
	return dst
}

// head appends the head of a CBOR item.
func head(dst []byte, major byte, n int) []byte {
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n < 1<<8:
		return append(dst, major|24, byte(n))
	}
	return append(dst, major|25, byte(n>>8), byte(n))
}
