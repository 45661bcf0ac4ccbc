// Package workload makes the entries that every implementation gets: the keys
// of a Zarr array's chunks, each with its number as the value.
package workload

import (
	"math/rand/v2"
	"strconv"

	cbg "github.com/whyrusleeping/cbor-gen"
)

// Entry is one entry in every form that an implementation may want it in, so
// that none pays for a conversion that another is spared.
type Entry struct {
	Key   string
	Bytes []byte // the key again
	Value int64
	Raw   []byte // the value in DAG-CBOR
}

// At is entry number i.
func At(i int) Entry { return entry(i, int64(i)) }

// AppendKey appends the key of entry number i.
func AppendKey(dst []byte, i int) []byte {
	dst = strconv.AppendInt(append(dst, "precip/"...), int64(i/1000), 10)
	return strconv.AppendInt(append(dst, '.'), int64(i%1000), 10)
}

func entry(i int, value int64) Entry {
	key := AppendKey(nil, i)
	return Entry{Key: string(key), Bytes: key, Value: value, Raw: cbg.CborEncodeMajorType(cbg.MajUnsignedInt, uint64(value))}
}

// Entries are the first n entries, in order of number.
func Entries(n int) []Entry {
	entries := make([]Entry, n)
	for i := range entries {
		entries[i] = At(i)
	}
	return entries
}

// seed makes every choice the same in each run and for each implementation.
const seed = 0x68616d74

// Sets are k entries to set in a map of the first n: at random among 2n, so
// that about half of them are new, and with values that the map has not.
func Sets(n, k int) []Entry {
	random := rand.New(rand.NewPCG(seed, 1))
	entries := make([]Entry, k)
	for i := range entries {
		at := random.IntN(2 * n)
		entries[i] = entry(at, int64(at+2*n))
	}
	return entries
}

// Chosen are k different keys of the first n entries, at random.
func Chosen(n, k int) []string {
	keys := make([]string, k)
	for i, at := range rand.New(rand.NewPCG(seed, 2)).Perm(n)[:k] {
		keys[i] = At(at).Key
	}
	return keys
}
