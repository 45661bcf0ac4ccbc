package hashsort

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// runBits is how many bits of the hash make a group of a run.
const runBits = 10

// Run is a buffer that was sorted and spilled to a file: each entry is its
// head, the length of the key, the length of the value, the key, the value.
type Run struct {
	path    string
	starts  [1<<runBits + 1]int64 // of each group in the file, and the end
	Entries int64
}

func appendEntry(dst []byte, entry Entry) []byte {
	dst = binary.BigEndian.AppendUint64(dst, entry.Head)
	dst = appendLength(appendLength(dst, len(entry.Key)), len(entry.Value))
	return append(append(dst, entry.Key...), entry.Value...)
}

// cutEntry returns a view of the entry that data begins with and what follows it,
// and false if that is not all there.
func cutEntry(data []byte) (entry Entry, rest []byte, ok bool) {
	const headBytes = 8
	if len(data) < headBytes {
		return Entry{}, data, false
	}
	at := headBytes
	var lengths [2]int
	for i := range lengths {
		length, width := binary.Uvarint(data[at:])
		if width <= 0 {
			return Entry{}, data, false
		}
		lengths[i], at = int(length), at+width
	}
	key := at + lengths[0]
	end := key + lengths[1]
	if len(data) < end {
		return Entry{}, data, false
	}
	return Entry{Head: binary.BigEndian.Uint64(data), Key: data[at:key:key], Value: data[key:end:end]}, data[end:], true
}

// Sorter sorts entries that are more than memory holds.
type Sorter struct {
	order Order
	// Repeated, if not nil, is called for keys that come more than once, by
	// several goroutines at the same time. If it returns nil, the last entry
	// counts.
	Repeated func(key []byte) error
	// BufferBytes is how much of each run is read at once, by all cores
	// together.
	BufferBytes int
}

// NewSorter returns a sorter for a map with the given parameters.
func NewSorter(p params.Params, hasher *keyhash.Hasher) Sorter {
	return Sorter{order: Order{hasher, p.BitWidth}}
}

// Spill writes a buffer as a sorted run into a directory.
func (s Sorter) Spill(buffer *Buffer, dir string, number int) (*Run, error) {
	entries := buffer.unsorted().scatter(runBits)
	shift := entries.bits - runBits
	return writeRun(dir, number, func(group int, add func(Entry) error) error {
		p := part{group << shift, (group + 1) << shift}
		entries.sort(p)
		return entries.each(p, s.Repeated, add)
	})
}

// MergeRuns merges runs into one and removes them.
func (s Sorter) MergeRuns(runs []*Run, dir string, number int) (*Run, error) {
	sources, err := open(runs)
	if err != nil {
		return nil, err
	}
	merged, err := writeRun(dir, number, func(group int, add func(Entry) error) error {
		return s.each(sources.streams(part{group, group + 1}, s.BufferBytes/runtime.GOMAXPROCS(0)), add)
	})
	if err = errors.Join(err, sources.close()); err != nil {
		return nil, err
	}
	for _, run := range runs {
		if err := os.Remove(run.path); err != nil {
			return nil, err
		}
	}
	return merged, nil
}

// runWriter writes the groups of a run, several at the same time. Where a group
// begins is known once the one before it is whole; until then it is its
// writer's to keep, as far as there is room.
type runWriter struct {
	file *os.File
	run  *Run

	mu     sync.Mutex
	passed sync.Cond // the turn, to another group
	turn   int       // the first group that is not whole
}

// writeRun writes what fill adds for each group. Groups are filled in order, by
// all cores.
func writeRun(dir string, number int, fill func(group int, add func(Entry) error) error) (*Run, error) {
	run := &Run{path: filepath.Join(dir, fmt.Sprintf("run-%06d", number))}
	file, err := os.OpenFile(run.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	w := &runWriter{file: file, run: run}
	w.passed.L = &w.mu
	errs := make([]error, len(run.starts)-1)
	var next atomic.Int64
	var failed atomic.Bool
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			var g groupWriter
			for !failed.Load() { // a group that is begun is ended: others wait for it
				group := int(next.Add(1)) - 1
				if group >= len(errs) {
					return
				}
				g = groupWriter{runWriter: w, group: group, buffer: g.buffer[:0]}
				if errs[group] = g.write(fill); errs[group] != nil {
					failed.Store(true)
				}
			}
		})
	}
	wait.Wait()
	if err = errors.Join(cmp.Or(errs...), file.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(run.path)) // room again, and its name
	}
	return run, nil
}

// await waits for a group's turn and returns where the group begins.
func (w *runWriter) await(group int) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.turn != group {
		w.passed.Wait()
	}
	return w.run.starts[group]
}

// pass passes the turn on to the next group, which begins where this one ends.
func (w *runWriter) pass(group int, end int64, entries int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.run.starts[group+1] = end
	w.run.Entries += entries
	w.turn++
	w.passed.Broadcast()
}

// groupWriter writes one group.
type groupWriter struct {
	*runWriter
	group   int
	began   bool  // it was its turn
	at      int64 // where the buffer goes, once it was
	buffer  []byte
	entries int64
}

// groupBuffer is how much of a group is kept while it is not its turn.
const groupBuffer = 1 << 20

// write writes what fill adds. The turn is passed on in any case, since others
// wait for it.
func (g *groupWriter) write(fill func(group int, add func(Entry) error) error) error {
	err := fill(g.group, g.add)
	g.begin()
	g.pass(g.group, g.at+int64(len(g.buffer)), g.entries)
	if err != nil {
		return err
	}
	return g.flush()
}

func (g *groupWriter) add(entry Entry) error {
	g.buffer = appendEntry(g.buffer, entry)
	g.entries++
	if len(g.buffer) < groupBuffer {
		return nil
	}
	g.begin()
	return g.flush()
}

func (g *groupWriter) begin() {
	if !g.began {
		g.at, g.began = g.await(g.group), true
	}
}

func (g *groupWriter) flush() error {
	n, err := g.file.WriteAt(g.buffer, g.at)
	g.at += int64(n)
	g.buffer = g.buffer[:0]
	return err
}
