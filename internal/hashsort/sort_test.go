package hashsort

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// hashes are those whose order is tested: one as usual, one by which most heads
// are equal, one shorter than a head.
var hashes = []multicodec.Code{multicodec.Sha2_256, multicodec.Identity, multicodec.Murmur3X64_64}

func hasher(t *testing.T, code multicodec.Code) *keyhash.Hasher {
	t.Helper()
	h, err := keyhash.For(code)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// randomEntries are keys, some of them several times, with values that count up.
func randomEntries(random *rand.Rand, n int) (keys [][]byte) {
	for range n {
		key := []byte("a prefix")
		for range random.IntN(4) {
			key = append(key, byte(random.IntN(30)))
		}
		keys = append(keys, key)
	}
	return keys
}

func bufferOf(p params.Params, h *keyhash.Hasher, keys [][]byte, from int) *Buffer {
	buffer := NewBuffer(p, h)
	for i, key := range keys {
		buffer.Add(key, fmt.Append(nil, from+i))
	}
	return buffer
}

// wanted is what has to come out: each key once, with its last value, by
// digest and then by key.
func wanted(h *keyhash.Hasher, keys [][]byte) (entries []Entry) {
	last := map[string]int{}
	for i, key := range keys {
		last[string(key)] = i
	}
	digest := func(key []byte) []byte {
		var buf keyhash.Buffer
		return append(bytes.Clone(h.Sum(&buf, key)), make([]byte, 64)...)[:64]
	}
	for key, i := range last {
		entries = append(entries, Entry{Key: []byte(key), Value: fmt.Append(nil, i)})
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		if c := bytes.Compare(digest(a.Key), digest(b.Key)); c != 0 {
			return c
		}
		return bytes.Compare(a.Key, b.Key)
	})
	return entries
}

func expectEntries(t *testing.T, got, want []Entry) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d entries, want %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i].Key, want[i].Key) || !bytes.Equal(got[i].Value, want[i].Value) {
			t.Fatalf("entry %d is %q: %s, want %q: %s", i, got[i].Key, got[i].Value, want[i].Key, want[i].Value)
		}
	}
}

// TestSorted: however many entries, they come in hash order, each key with its
// last value.
func TestSorted(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, code := range hashes {
		h := hasher(t, code)
		p := params.Params{HashAlg: code, BitWidth: 5, BucketSize: 3}
		for _, n := range []int{0, 1, 2, 7, 64, 65, 300, 5000} {
			keys := randomEntries(random, n)
			s := bufferOf(p, h, keys, 0).unsorted().sort()
			var got []Entry
			if err := s.each(s.all(), nil, func(entry Entry) error { got = append(got, entry); return nil }); err != nil {
				t.Fatal(err)
			}
			expectEntries(t, got, wanted(h, keys))
		}
	}
}

// TestParts: the parts are all groups, one after the other, of about the same
// size, and none cuts an element of the root in two.
func TestParts(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, code := range hashes {
		h := hasher(t, code)
		for _, width := range []int{3, 5, 8, 13, 16} {
			for _, n := range []int{0, 1, 30, 5000} {
				for workers := 1; workers < 6; workers++ {
					p := params.Params{HashAlg: code, BitWidth: width, BucketSize: 3}
					s := bufferOf(p, h, randomEntries(random, n), 0).unsorted().scatter(1)
					parts := s.parts(workers, width)
					if len(parts) > workers || len(parts) == 0 {
						t.Fatalf("%d parts for %d workers", len(parts), workers)
					}
					at, rootAt := 0, 0
					for _, part := range parts {
						first, end := s.rootIndexes(part, width)
						if part.first != at || first != rootAt || part.end <= part.first || end <= first {
							t.Fatalf("%v comes after group %d; of the root it is %d to %d, after %d", part, at, first, end, rootAt)
						}
						for _, r := range s.records[s.starts[part.first]:s.starts[part.end]] {
							if index := keyhash.HeadIndex(r.head, 0, width); index < first || index >= end {
								t.Fatalf("root index %d in the part from %d to %d", index, first, end)
							}
						}
						if code == multicodec.Sha2_256 && n == 5000 && width < 13 && width > 3 && s.len(part) > 2*n/workers {
							t.Errorf("%d entries in one of %d parts of %d", s.len(part), workers, n)
						}
						at, rootAt = part.end, end
					}
					if at != len(s.starts)-1 || rootAt != 1<<width {
						t.Fatalf("the parts end at group %d of %d, root index %d of %d", at, len(s.starts)-1, rootAt, 1<<width)
					}
				}
			}
		}
	}
}

// TestSorter spills buffers, merges some of the runs, and merges those with what
// is left in memory.
func TestSorter(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, code := range hashes {
		h := hasher(t, code)
		p := params.Params{HashAlg: code, BitWidth: 5, BucketSize: 3}
		keys := randomEntries(random, 3000)
		for _, size := range []int{1000, 299, 700, 3000, 4000} { // entries a buffer
			dir, s := t.TempDir(), NewSorter(p, h)
			var runs []*Run
			made, at := 0, 0
			for ; at+size <= len(keys); at += size {
				run, err := s.Spill(bufferOf(p, h, keys[at:at+size], at), dir, made)
				if err != nil {
					t.Fatal(err)
				}
				made++
				if runs = append(runs, run); len(runs) == 4 {
					merged, err := s.MergeRuns(runs, dir, made)
					if err != nil {
						t.Fatal(err)
					}
					made++
					runs = append(runs[:0], merged)
				}
			}
			got, err := mergedEntries(s, runs, bufferOf(p, h, keys[at:], at))
			if err != nil {
				t.Fatal(err)
			}
			expectEntries(t, got, wanted(h, keys))

			refusal := errors.New("repeated")
			s.Repeated = func([]byte) error { return refusal }
			if _, err := mergedEntries(s, runs, bufferOf(p, h, keys[at:], at)); size < 3000 && !errors.Is(err, refusal) {
				t.Errorf("buffers of %d: error %v", size, err)
			}
		}
	}
}

// mergedEntries merges runs and what came after them, in parts.
func mergedEntries(s Sorter, runs []*Run, last *Buffer) (entries []Entry, err error) {
	parts, err := s.Merge(runs, last, 3)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	for i := range parts.Len() {
		if err := parts.Each(i, func(entry Entry) error { entries = append(entries, entry); return nil }); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// TestSorterReportsBrokenRuns: a run that ends too early, or is not there, is an
// error.
func TestSorterReportsBrokenRuns(t *testing.T) {
	p := params.Default()
	h := hasher(t, p.HashAlg)
	s := NewSorter(p, h)
	run, err := s.Spill(bufferOf(p, h, [][]byte{[]byte("key"), []byte("other")}, 0), t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	end := run.starts[len(run.starts)-1]
	whole := run.starts
	for i, at := range run.starts {
		run.starts[i] = min(at, end-1)
	}
	if _, err := mergedEntries(s, []*Run{run}, NewBuffer(p, h)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the end of the last entry belongs to nobody: %v", err)
	}
	run.starts = whole
	for cut := end - 1; cut >= 0; cut-- {
		if err := os.Truncate(run.path, cut); err != nil {
			t.Fatal(err)
		}
		if _, err := mergedEntries(s, []*Run{run}, NewBuffer(p, h)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d of %d bytes: %v", cut, end, err)
		}
	}
	run.path += "-not-there"
	if _, err := mergedEntries(s, []*Run{run}, NewBuffer(p, h)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("not missed: %v", err)
	}
}

// TestSpillInTurn: groups that are larger than what is kept of them, many of
// them or all in one, come in their order, whichever core is first.
func TestSpillInTurn(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for _, code := range hashes {
		h := hasher(t, code)
		p := params.Params{BitWidth: 3, BucketSize: 3}.WithHashAlg(code)
		buffer := NewBuffer(p, h)
		var keys [][]byte
		for i := range 3000 {
			keys = append(keys, fmt.Append(nil, "a prefix ", i))
			buffer.Add(keys[i], append(fmt.Append(nil, i, " "), make([]byte, 3000)...))
		}
		s := NewSorter(p, h)
		run, err := s.Spill(buffer, t.TempDir(), 0)
		if err != nil {
			t.Fatal(err)
		}
		got, err := mergedEntries(s, []*Run{run}, NewBuffer(p, h))
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			got[i].Value, _, _ = bytes.Cut(got[i].Value, []byte(" "))
		}
		expectEntries(t, got, wanted(h, keys))
	}
}

// TestSpillFails at any group: the error is told, and the file is gone.
func TestSpillFails(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	p := params.Default()
	h := hasher(t, p.HashAlg)
	for i := range 100 {
		keys := numberedKeys(3000)
		s, refusal, dir := NewSorter(p, h), errors.New("repeated"), t.TempDir()
		s.Repeated = func([]byte) error { return refusal }
		if run, err := s.Spill(bufferOf(p, h, append(keys, keys[i]), 0), dir, 0); !errors.Is(err, refusal) {
			t.Fatalf("%v, %v", run, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Fatalf("%v is left behind, %v", left, err)
		}
	}
}

func numberedKeys(n int) (keys [][]byte) {
	for i := range n {
		keys = append(keys, fmt.Append(nil, "key-", i))
	}
	return keys
}

// TestBufferMemory: a buffer takes what it says, and is filled again and again with
// the same memory.
func TestBufferMemory(t *testing.T) {
	p := params.Default()
	h := hasher(t, p.HashAlg)
	keys := numberedKeys(50_000)
	values := make([][]byte, len(keys))
	for i := range values {
		values[i] = append(fmt.Append(nil, i, " "), make([]byte, 50)...)
	}
	want := wanted(h, keys)
	s, dir := NewSorter(p, h), t.TempDir()
	buffer := NewBuffer(p, h)
	for round := range 3 {
		before := allocated()
		for i, key := range keys {
			buffer.Add(key, values[i])
		}
		said := buffer.Memory()
		run, err := s.Spill(buffer, dir, round)
		if err != nil {
			t.Fatal(err)
		}
		took := allocated() - before
		const besides = 5 << 18 // chunks below chunkSize, the starts of groups, what waits for its turn
		if round == 0 && took > said+besides || round > 0 && took > besides {
			t.Errorf("round %d: %d bytes were allocated, and the buffer says %d", round, took, said)
		}
		got, err := mergedEntries(s, []*Run{run}, NewBuffer(p, h))
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			got[i].Value, _, _ = bytes.Cut(got[i].Value, []byte(" "))
		}
		expectEntries(t, got, want)
		buffer.Reset()
	}
}

func allocated() int64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.TotalAlloc)
}
