package keyhash_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// slowIndex takes an index out of a digest bit by bit, as the specification
// tells it: most significant bit first, zeros behind the end.
func slowIndex(digest []byte, depth, bitWidth int) (index int) {
	for bit := depth * bitWidth; bit < (depth+1)*bitWidth; bit++ {
		index <<= 1
		if bit/8 < len(digest) {
			index |= int(digest[bit/8]) >> (7 - bit%8) & 1
		}
	}
	return index
}

// TestIndex compares all ways of cutting indexes with the slow one, for all bit
// widths, at every depth up to behind the end.
func TestIndex(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for length := range 70 {
		digest := make([]byte, length)
		for i := range digest {
			digest[i] = byte(random.Uint32())
		}
		head := keyhash.Head(digest)
		for width := params.MinBitWidth; width <= params.MaxBitWidth; width++ {
			for depth := 0; depth*width < 8*length+20; depth++ {
				want := slowIndex(digest, depth, width)
				if got := keyhash.Index(digest, depth, width); got != want {
					t.Fatalf("%x at depth %d, bit width %d: %d, want %d", digest, depth, width, got, want)
				}
				if inside := (depth+1)*width <= 64; keyhash.InHead(depth, width) != inside {
					t.Fatalf("depth %d at bit width %d lies within the head: %v", depth, width, !inside)
				} else if inside && keyhash.HeadIndex(head, depth, width) != want {
					t.Fatalf("%x at depth %d, bit width %d: %d from the head, want %d", digest, depth, width, keyhash.HeadIndex(head, depth, width), want)
				}
			}
		}
	}
}

// TestAppendIndex puts the bits of a digest together again from its indexes.
func TestAppendIndex(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for width := params.MinBitWidth; width <= params.MaxBitWidth; width++ {
		digest := make([]byte, 20)
		for i := range digest {
			digest[i] = byte(random.Uint32())
		}
		var prefix []byte
		for depth := 0; (depth+1)*width <= 8*len(digest); depth++ {
			before := bytes.Clone(prefix)
			next := keyhash.AppendIndex(prefix, depth, width, slowIndex(digest, depth, width))
			if !bytes.Equal(prefix, before) {
				t.Fatal("the prefix was changed")
			}
			prefix = next
			bits := (depth + 1) * width
			want := bytes.Clone(digest[:(bits+7)/8])
			if bits%8 > 0 {
				want[len(want)-1] &= 0xff << (8 - bits%8)
			}
			if !bytes.Equal(prefix, want) {
				t.Fatalf("bit width %d, depth %d: %x, want %x", width, depth, prefix, want)
			}
		}
	}
}

// TestHeadOrders: heads are in order as digests are.
func TestHeadOrders(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 10_000 {
		a, b := make([]byte, random.IntN(12)), make([]byte, random.IntN(12))
		for _, digest := range [][]byte{a, b} {
			for i := range digest {
				digest[i] = byte(random.IntN(3))
			}
		}
		if keyhash.Head(a) < keyhash.Head(b) && bytes.Compare(append(bytes.Clone(a), make([]byte, 12)...)[:12], append(bytes.Clone(b), make([]byte, 12)...)[:12]) >= 0 {
			t.Fatalf("%x is before %x", a, b)
		}
	}
}

func TestUnknownHash(t *testing.T) {
	for _, code := range []multicodec.Code{0x3fffff, multicodec.DagCbor, 1 << 63} {
		if _, err := keyhash.For(code); !errors.Is(err, fault.ErrUnknownHash) {
			t.Errorf("%v: error %v", code, err)
		}
	}
}

// TestBits: what is said of the length of digests is so, for every hash there
// is.
func TestBits(t *testing.T) {
	known := 0
	for _, code := range multicodec.KnownCodes() {
		h, err := keyhash.For(code)
		if err != nil {
			continue
		}
		known++
		for _, key := range [][]byte{nil, []byte("key"), make([]byte, 1000)} {
			var buf keyhash.Buffer
			digest := h.Sum(&buf, key)
			if h.Bits(key) != 8*len(digest) {
				t.Errorf("%v: a digest of %d bytes, and Bits says %d", code, len(digest), h.Bits(key))
			}
			if bits, fixed := h.FixedBits(); fixed != (code != multicodec.Identity) || fixed && bits != 8*len(digest) {
				t.Errorf("%v: FixedBits says %d, %v", code, bits, fixed)
			}
		}
	}
	if known < 20 {
		t.Errorf("only %d hashes are known", known)
	}
}

// TestConcurrentSums: one Hasher for many goroutines gives each its own.
func TestConcurrentSums(t *testing.T) {
	for _, code := range []multicodec.Code{multicodec.Sha2_256, multicodec.Murmur3X64_64, multicodec.Sha2_512, multicodec.Identity} {
		h, err := keyhash.For(code)
		if err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		for i := range 8 {
			wait.Go(func() {
				key := bytes.Repeat([]byte{byte(i)}, 100)
				var first, again keyhash.Buffer
				want := bytes.Clone(h.Sum(&first, key))
				for range 200 {
					if got := h.Sum(&again, key); !bytes.Equal(got, want) {
						t.Errorf("%v: %x, want %x", code, got, want)
						return
					}
				}
			})
		}
		wait.Wait()
	}
}
