package trie

import (
	"bufio"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Run is a batch that was sorted and spilled to a file: each entry is its
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

// Spill writes the batch as a sorted run into a directory.
func (b *Batch) Spill(dir string, number int) (run *Run, err error) {
	run = &Run{path: filepath.Join(dir, fmt.Sprintf("run-%06d", number))}
	w, err := createRun(run.path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	for _, r := range b.sorted() {
		if err := w.add(b.item(r)); err != nil {
			return nil, err
		}
	}
	run.Entries = w.entries
	return run, nil
}

// MergeRuns merges runs into one and removes them.
func (o Sorter) MergeRuns(dir string, number int, runs []*Run) (merged *Run, err error) {
	merged = &Run{path: filepath.Join(dir, fmt.Sprintf("run-%06d", number))}
	w, err := createRun(merged.path)
	if err != nil {
		return nil, err
	}
	err = o.Each(runs, nil, w.add)
	if err = errors.Join(err, w.close()); err != nil {
		return nil, err
	}
	merged.Entries = w.entries
	for _, run := range runs {
		if err := os.Remove(run.path); err != nil {
			return nil, err
		}
	}
	return merged, nil
}

// Sorter merges sorted entries.
type Sorter struct {
	order order
	// Repeated is called for a key that comes more than once; where it gives
	// no error, the last one counts.
	Repeated func(key []byte) error
	// BufferBytes is the size of the read buffer of each run.
	BufferBytes int
}

// Sorter gives a sorter for entries as this batch has them.
func (b *Batch) Sorter() Sorter { return Sorter{order: b.order} }

// Each calls use for every entry of the runs and of a batch that came after
// them (nil for none), in hash order, and once for each key. Items stay valid.
func (o Sorter) Each(runs []*Run, last *Batch, use func(Item) error) (err error) {
	m := merge{order: o.order}
	defer func() {
		for _, s := range m.streams {
			err = errors.Join(err, s.close())
		}
	}()
	for age, run := range runs {
		s, err := openRun(run, age, max(4096, o.BufferBytes))
		if err != nil {
			return err
		}
		m.streams = append(m.streams, s)
	}
	if last != nil {
		m.streams = append(m.streams, &stream{age: len(runs), batch: last, records: last.sorted()})
	}
	if err := m.begin(); err != nil {
		return err
	}
	for {
		item, ok, err := m.next(o.Repeated)
		if err != nil || !ok {
			return err
		}
		if err := use(item); err != nil {
			return err
		}
	}
}

// stream is one sorted source of entries: a run, or a batch.
type stream struct {
	age     int // higher is later
	current Item

	file   *os.File
	reader *bufio.Reader
	left   int64
	room   []byte // where items are cut from

	batch   *Batch
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
	if s.batch != nil {
		if len(s.records) == 0 {
			return false, nil
		}
		s.current = s.batch.item(s.records[0])
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
	bytes := s.room[:n:n]
	s.room = s.room[n:]
	if _, err := io.ReadFull(s.reader, bytes); err != nil {
		return fmt.Errorf("spilled run: %w", err)
	}
	s.current = Item{Head: binary.BigEndian.Uint64(head[:]), Key: bytes[:keyLen:keyLen], Value: bytes[keyLen:]}
	return nil
}

// merge is a heap of streams by their current entry; of equal keys the latest
// comes first.
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
	return a.age > b.age
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

// next gives the latest entry of the next key, and passes over the others.
func (m *merge) next(repeated func(key []byte) error) (item Item, ok bool, err error) {
	if len(m.heap) == 0 {
		return Item{}, false, nil
	}
	item = m.heap[0].current
	for first := true; ; first = false {
		if !first && repeated != nil {
			if err := repeated(item.Key); err != nil {
				return Item{}, false, err
			}
		}
		more, err := m.heap[0].advance()
		if err != nil {
			return Item{}, false, err
		}
		if more {
			heap.Fix(m, 0)
		} else {
			heap.Pop(m)
		}
		if len(m.heap) == 0 || m.heap[0].current.Head != item.Head || string(m.heap[0].current.Key) != string(item.Key) {
			return item, true, nil
		}
	}
}
