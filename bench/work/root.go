package work

import (
	"context"
	"crypto/sha256"

	"github.com/ipld-hamt/go-ipld-hamt/bench/peer"
	"github.com/ipld-hamt/go-ipld-hamt/bench/workload"
)

// Root returns what Floor gives of the first n entries of the workload, and holds
// only their numbers, about 4 bytes each, and the entries below one link of the
// root: a reference for large maps that has nothing of the library in it. n is
// less than 1<<32.
func Root(ctx context.Context, n int) (root [sha256.Size]byte, blocks int, err error) {
	const links = 1 << peer.BitWidth
	var numbers [links][]uint32 // of the entries, by the first index of their hashes
	for i := range numbers {
		numbers[i] = make([]uint32, 0, n/links+n/links/16)
	}
	var key []byte
	for i := range n {
		if i&0xffff == 0 && ctx.Err() != nil {
			return root, 0, ctx.Err()
		}
		key = workload.AppendKey(key[:0], i)
		digest := sha256.Sum256(key)
		at := digest[0] >> (8 - peer.BitWidth)
		numbers[at] = append(numbers[at], uint32(i))
	}

	var bitmap [bitmapBytes]byte
	var elements []byte
	count := 0
	blocks = 1
	for at := range numbers {
		if err := ctx.Err(); err != nil {
			return root, 0, err
		}
		if len(numbers[at]) == 0 {
			continue
		}
		entries := make([]workload.Entry, len(numbers[at]))
		for i, number := range numbers[at] {
			entries[i] = workload.At(int(number))
		}
		numbers[at] = nil
		f := newFloor(entries)
		elements = f.element(elements, f.refs, 0)
		bitmap[at>>3] |= 1 << (at & 7)
		count++
		blocks += f.blocks
	}
	return rootDigest(append(nodeHead(nil, bitmap, count), elements...)), blocks, nil
}
