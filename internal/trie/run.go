package trie

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ipld-hamt/go-ipld-hamt/internal/keyhash"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// Run is a pile that was sorted and spilled to a file: each entry is its
// head, the length of the key, the key, the length of the value, the value.
type Run struct {
	path    string
	Entries int64
}

// runWriter writes a run.
type runWriter struct {
	file    *os.File
	buffer  *bufio.Writer
	scratch []byte
	entries int64
}

func createRun(path string) (*runWriter, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &runWriter{file: file, buffer: bufio.NewWriterSize(file, 1<<18)}, nil
}

func (w *runWriter) add(item Item) error {
	w.entries++
	head := binary.BigEndian.AppendUint64(w.scratch[:0], item.Head)
	w.scratch = binary.AppendUvarint(binary.AppendUvarint(head, uint64(len(item.Key))), uint64(len(item.Value)))
	for _, part := range [][]byte{w.scratch, item.Key, item.Value} {
		if _, err := w.buffer.Write(part); err != nil {
			return err
		}
	}
	return nil
}

func (w *runWriter) close() error {
	return errors.Join(w.buffer.Flush(), w.file.Close())
}

// Sorter sorts entries that are more than memory holds.
type Sorter struct {
	order order
	// Repeated, if not nil, is asked about keys that come more than once;
	// where it gives no error, the last one counts.
	Repeated func(key []byte) error
	// BufferBytes is the size of the read buffer of each run.
	BufferBytes int
}

// NewSorter makes a sorter for a map with the given parameters.
func NewSorter(p params.Params, hasher *keyhash.Hasher) Sorter {
	return Sorter{order: order{hasher, p.BitWidth}}
}

// Spill writes a pile as a sorted run into a directory.
func (s Sorter) Spill(pile *Pile, dir string, number int) (*Run, error) {
	entries := pile.unsorted().sort()
	return writeRun(dir, number, func(add func(Item) error) error {
		return entries.each(entries.all(), s.Repeated, add)
	})
}

// MergeRuns merges runs into one and removes them.
func (s Sorter) MergeRuns(runs []*Run, dir string, number int) (*Run, error) {
	merged, err := writeRun(dir, number, func(add func(Item) error) error { return s.each(runs, nil, add) })
	if err != nil {
		return nil, err
	}
	for _, run := range runs {
		if err := os.Remove(run.path); err != nil {
			return nil, err
		}
	}
	return merged, nil
}

// writeRun writes what fill adds.
func writeRun(dir string, number int, fill func(add func(Item) error) error) (*Run, error) {
	run := &Run{path: filepath.Join(dir, fmt.Sprintf("run-%06d", number))}
	w, err := createRun(run.path)
	if err != nil {
		return nil, err
	}
	err = fill(w.add)
	if err = errors.Join(err, w.close()); err != nil {
		return nil, errors.Join(err, os.Remove(run.path)) // room again, and its name
	}
	run.Entries = w.entries
	return run, nil
}

// each calls use for every entry of the runs and of a pile that came after
// them (nil for none), in hash order, and once for each key. Items stay valid.
func (s Sorter) each(runs []*Run, last *Pile, use func(Item) error) (err error) {
	m := merge{order: s.order}
	defer func() {
		for _, stream := range m.streams {
			err = errors.Join(err, stream.close())
		}
	}()
	for age, run := range runs {
		stream, err := openRun(run, age, max(4096, s.BufferBytes))
		if err != nil {
			return err
		}
		m.streams = append(m.streams, stream)
	}
	if last != nil {
		entries := last.unsorted().sort()
		m.streams = append(m.streams, &stream{age: len(runs), arena: entries.arena, records: entries.records})
	}
	if err := m.begin(); err != nil {
		return err
	}
	for {
		item, ok, err := m.next(s.Repeated)
		if err != nil || !ok {
			return err
		}
		if err := use(item); err != nil {
			return err
		}
	}
}

// stream is one sorted source of entries: a run, or what is still in memory.
type stream struct {
	age     int // higher is later
	current Item

	file   *os.File
	reader *bufio.Reader
	left   int64
	room   []byte // where items are cut from

	arena   *arena
	records []record
}

func openRun(run *Run, age, buffer int) (*stream, error) {
	file, err := os.Open(run.path)
	if err != nil {
		return nil, err
	}
	return &stream{age: age, file: file, reader: bufio.NewReaderSize(file, buffer), left: run.Entries}, nil
}

func (s *stream) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// advance goes to the next entry; false at the end.
func (s *stream) advance() (bool, error) {
	if s.arena != nil {
		if len(s.records) == 0 {
			return false, nil
		}
		key, value := s.arena.read(s.records[0].at)
		s.current = Item{Head: s.records[0].head, Key: key, Value: value}
		s.records = s.records[1:]
		return true, nil
	}
	if s.left == 0 {
		return false, nil
	}
	s.left--
	return true, s.read()
}

func (s *stream) read() error {
	var head [8]byte
	if _, err := io.ReadFull(s.reader, head[:]); err != nil {
		return fmt.Errorf("spilled run: %w", err)
	}
	keyLen, err := binary.ReadUvarint(s.reader)
	if err != nil {
		return fmt.Errorf("spilled run: %w", err)
	}
	valueLen, err := binary.ReadUvarint(s.reader)
	if err != nil {
		return fmt.Errorf("spilled run: %w", err)
	}
	n := int(keyLen + valueLen)
	if len(s.room) < n {
		s.room = make([]byte, max(n, 1<<14))
	}
	entry := s.room[:n:n]
	s.room = s.room[n:]
	if _, err := io.ReadFull(s.reader, entry); err != nil {
		return fmt.Errorf("spilled run: %w", err)
	}
	s.current = Item{Head: binary.BigEndian.Uint64(head[:]), Key: entry[:keyLen:keyLen], Value: entry[keyLen:]}
	return nil
}

// merge is a heap of streams by their current entry. Of equal keys that of the
// latest stream comes last, as within a stream the one that came last does.
type merge struct {
	order   order
	streams []*stream
	heap    []*stream
}

func (m *merge) Len() int { return len(m.heap) }
func (m *merge) Less(i, j int) bool {
	a, b := m.heap[i], m.heap[j]
	if c := m.order.compare(a.current.Head, a.current.Key, b.current.Head, b.current.Key); c != 0 {
		return c < 0
	}
	return a.age < b.age
}
func (m *merge) Swap(i, j int) { m.heap[i], m.heap[j] = m.heap[j], m.heap[i] }
func (m *merge) Push(x any)    { m.heap = append(m.heap, x.(*stream)) }
func (m *merge) Pop() any {
	last := m.heap[len(m.heap)-1]
	m.heap = m.heap[:len(m.heap)-1]
	return last
}

func (m *merge) begin() error {
	for _, s := range m.streams {
		ok, err := s.advance()
		if err != nil {
			return err
		}
		if ok {
			m.heap = append(m.heap, s)
		}
	}
	heap.Init(m)
	return nil
}

// next gives the last entry of the next key, and passes over those before it.
func (m *merge) next(repeated func(key []byte) error) (item Item, ok bool, err error) {
	for len(m.heap) > 0 {
		item = m.heap[0].current
		more, err := m.heap[0].advance()
		if err != nil {
			return Item{}, false, err
		}
		if more {
			heap.Fix(m, 0)
		} else {
			heap.Pop(m)
		}
		if len(m.heap) == 0 || m.heap[0].current.Head != item.Head || !bytes.Equal(m.heap[0].current.Key, item.Key) {
			return item, true, nil
		}
		if repeated != nil {
			if err := repeated(item.Key); err != nil {
				return Item{}, false, err
			}
		}
	}
	return Item{}, false, nil
}
