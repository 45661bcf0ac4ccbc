package hashsort

import (
	"bytes"
	"math/bits"
	"runtime"
	"slices"
	"sync"
)

// record is one entry of an arena: the head of its key's hash, and its address.
type record struct {
	head uint64
	at   uint64
}

const recordBytes = 16

// unsorted is entries that wait to be sorted by hash.
type unsorted struct {
	order   Order
	arena   *arena
	records []record
	room    []record // for as many again; nil for none yet
}

// groups are those of entries by the first bits of their hash.
type groups struct {
	bits   int   // of the hash that make a group
	starts []int // of each group among all entries, and the end
}

// sorted is entries in groups. The groups are in order; within a group entries
// are once sort has been there.
type sorted struct {
	groups
	order   Order
	arena   *arena
	records []record
}

// scatter makes the groups, by leastBits at least, in one pass over the
// records. They are small: what is left to sort fits into the nearest cache,
// and is independent.
func (u unsorted) scatter(leastBits int) sorted {
	const perGroup, mostBits = 8, 16
	s := sorted{order: u.order, arena: u.arena, records: u.room}
	s.bits = min(mostBits, max(leastBits, bits.Len(uint(len(u.records)/perGroup))))
	shift := 64 - s.bits
	s.starts = make([]int, 1<<s.bits+1)
	for _, r := range u.records {
		s.starts[r.head>>shift+1]++
	}
	for i := 1; i < len(s.starts); i++ {
		s.starts[i] += s.starts[i-1]
	}
	if s.records == nil {
		s.records = make([]record, len(u.records))
	}
	next := slices.Clone(s.starts)
	for _, r := range u.records {
		group := r.head >> shift
		s.records[next[group]] = r
		next[group]++
	}
	return s
}

// sort scatters and sorts everything, with all cores.
func (u unsorted) sort() sorted {
	s := u.scatter(1)
	var wait sync.WaitGroup
	for _, p := range s.parts(runtime.GOMAXPROCS(0), s.bits) {
		wait.Go(func() { s.sort(p) })
	}
	wait.Wait()
	return s
}

// part is some of the groups: those from first up to but not including end.
type part struct{ first, end int }

// parts cuts the groups into n parts of about as many entries each. Entries
// that share their first bitWidth bits stay together.
func (g groups) parts(n, bitWidth int) []part {
	step := 1 << max(0, g.bits-bitWidth)
	last := len(g.starts) - 1
	var parts []part
	for first := 0; first < last; {
		end := last
		if left := n - len(parts); left > 1 {
			want := g.starts[first] + (g.starts[last]-g.starts[first])/left
			end = min(last, max(first+step, roundUp(slices.IndexFunc(g.starts[first:], func(at int) bool { return at >= want })+first, step)))
		}
		parts = append(parts, part{first, end})
		first = end
	}
	return parts
}

func roundUp(n, step int) int { return (n + step - 1) / step * step }

// sort sorts the groups of a part.
func (s *sorted) sort(p part) {
	for group := p.first; group < p.end; group++ {
		slices.SortFunc(s.records[s.starts[group]:s.starts[group+1]], s.compare)
	}
}

// compare orders entries by hash, then key, then by which came first.
func (s *sorted) compare(x, y record) int {
	if x.head != y.head {
		if x.head < y.head {
			return -1
		}
		return 1
	}
	if c := s.order.Compare(x.head, s.arena.key(x.at), y.head, s.arena.key(y.at)); c != 0 {
		return c
	}
	if x.at < y.at {
		return -1
	}
	return 1
}

// len returns the number of entries in a part, counting repeated keys.
func (g groups) len(p part) int { return g.starts[p.end] - g.starts[p.first] }

// rootIndexes returns the indexes of the root that a part covers: from the first up
// to but not including the end.
func (g groups) rootIndexes(p part, bitWidth int) (first, end int) {
	if g.bits > bitWidth {
		return p.first >> (g.bits - bitWidth), p.end >> (g.bits - bitWidth)
	}
	return p.first << (bitWidth - g.bits), p.end << (bitWidth - g.bits)
}

// all returns the part that has all groups.
func (g groups) all() part { return part{0, len(g.starts) - 1} }

// fetchedAtOnce is how many entries are fetched before they are used. In hash order
// each is somewhere else in memory; fetched together, they wait together.
const fetchedAtOnce = 64

// fetch reads the first of the records into an array.
func (a *arena) fetch(records []record, into *[fetchedAtOnce]Entry) []Entry {
	entries := into[:min(fetchedAtOnce, len(records))]
	var touched byte
	for i := range entries {
		at := records[i].at
		touched |= a.chunks[at>>32][uint32(at)]
	}
	runtime.KeepAlive(touched) // so that the reads are made
	for i := range entries {
		key, value := a.read(records[i].at)
		entries[i] = Entry{Head: records[i].head, Key: key, Value: value}
	}
	return entries
}

// each calls use for every key of a part that was sorted, with the entry that
// came last. repeated, if not nil, is called for keys that came more than once.
func (s *sorted) each(p part, repeated func(key []byte) error, use func(Entry) error) error {
	records := s.records[s.starts[p.first]:s.starts[p.end]]
	var fetched [fetchedAtOnce]Entry
	for len(records) > 0 {
		entries := s.arena.fetch(records, &fetched)
		for i, entry := range entries {
			if i+1 < len(records) && records[i+1].head == entry.Head && bytes.Equal(s.arena.key(records[i+1].at), entry.Key) {
				if repeated != nil {
					if err := repeated(entry.Key); err != nil {
						return err
					}
				}
				continue
			}
			if err := use(entry); err != nil {
				return err
			}
		}
		records = records[len(entries):]
	}
	return nil
}
