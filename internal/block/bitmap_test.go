package block

import (
	"bytes"
	"math/big"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// randomBitmap has bits in few or in many of its bytes.
func randomBitmap(random *rand.Rand, n int) []byte {
	bitmap := make([]byte, n)
	for range random.IntN(2 * n) {
		bitmap[random.IntN(n)] |= 1 << random.IntN(8)
	}
	return bitmap
}

func TestOnesBefore(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 4, 8, 16, 32, 64} {
		bitmap := randomBitmap(random, n)
		want := 0
		for at := range n + 1 {
			if got := onesBefore(bitmap, at); got != want {
				t.Fatalf("%x: %d bits before byte %d, want %d", bitmap, got, at, want)
			}
			if at < n {
				want += bits.OnesCount8(bitmap[at])
			}
		}
	}
}

// TestBigEndian holds Filecoin's form against what it is: the bytes of a
// big.Int with bit i set for index i.
func TestBigEndian(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		n := 1 << random.IntN(6)
		bitmap := randomBitmap(random, n)
		var number big.Int
		for index := range 8 * n {
			if bitmap[index/8]>>(index%8)&1 == 1 {
				number.SetBit(&number, index, 1)
			}
		}
		written := appendBigEndian([]byte("before"), bitmap)
		if string(written[:6]) != "before" || !bytes.Equal(written[6:], number.Bytes()) {
			t.Fatalf("%x is written as %x, want %x", bitmap, written[6:], number.Bytes())
		}
		again, ok := fromBigEndian(written[6:], n)
		if !ok || !bytes.Equal(again, bitmap) {
			t.Fatalf("%x is read as %x, %v; want %x", written[6:], again, ok, bitmap)
		}
		if _, ok := fromBigEndian(append([]byte{0}, written[6:]...), n); ok {
			t.Fatal("a leading zero is taken")
		}
		if _, ok := fromBigEndian(append(bytes.Repeat([]byte{1}, n), 1), n); ok {
			t.Fatal("a number that is too long is taken")
		}
	}
}
