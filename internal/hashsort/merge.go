package hashsort

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// sources are runs that are open, and what came after them.
type sources struct {
	runs  []*Run
	files []*os.File
	last  sorted
}

// open opens runs.
func open(runs []*Run) (*sources, error) {
	s := &sources{runs: runs}
	for _, run := range runs {
		file, err := os.Open(run.path)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.files = append(s.files, file)
	}
	return s, nil
}

func (s *sources) close() (err error) {
	for _, file := range s.files {
		err = errors.Join(err, file.Close())
	}
	return err
}

// groups returns the groups of all runs together. They count bytes, which are what
// the work depends on.
func (s *sources) groups() groups {
	g := groups{bits: runBits, starts: make([]int, 1<<runBits+1)}
	for _, run := range s.runs {
		for i, at := range run.starts {
			g.starts[i] += int(at)
		}
	}
	return g
}

// streams returns the sources of the entries of a part of the groups, the older
// ones first. Each reads readBytes at once.
func (s *sources) streams(p part, readBytes int) (streams []*stream) {
	for i, run := range s.runs {
		streams = append(streams, &stream{
			age: i, readBytes: max(4096, readBytes), file: s.files[i], at: run.starts[p.first], end: run.starts[p.end],
		})
	}
	at := func(group int) int {
		i, _ := slices.BinarySearchFunc(s.last.records, group, func(r record, group int) int {
			return int(r.head>>(64-runBits)) - group
		})
		return i
	}
	if records := s.last.records[at(p.first):at(p.end)]; len(records) > 0 {
		streams = append(streams, &stream{age: len(s.runs), arena: s.last.arena, records: records, room: new([fetchedAtOnce]Entry)})
	}
	return streams
}

// stream is one sorted source of entries: a part of a run, or of what is still
// in memory. Entries stay as they are.
type stream struct {
	age     int // higher is later
	current Entry

	file      *os.File
	at, end   int64  // what was not read yet
	data      []byte // what was
	readBytes int    // how much is read at once

	arena   *arena
	records []record // what was not fetched yet
	fetched []Entry
	room    *[fetchedAtOnce]Entry // for them
}

// advance goes to the next entry. It returns false at the end.
func (s *stream) advance() (more bool, err error) {
	if len(s.fetched) == 0 && len(s.records) > 0 {
		s.fetched = s.arena.fetch(s.records, s.room)
		s.records = s.records[len(s.fetched):]
	}
	if len(s.fetched) > 0 {
		s.current, s.fetched = s.fetched[0], s.fetched[1:]
		return true, nil
	}
	for {
		if s.current, s.data, more = cutEntry(s.data); more {
			return true, nil
		}
		if s.at == s.end {
			if len(s.data) > 0 {
				err = fmt.Errorf("spilled run: %w", io.ErrUnexpectedEOF)
			}
			return false, err
		}
		if err := s.read(); err != nil {
			return false, fmt.Errorf("spilled run: %w", err)
		}
	}
}

// read reads on, into new memory: entries that were cut out of the old one are
// in use.
func (s *stream) read() error {
	had := len(s.data)
	n := int(min(int64(max(s.readBytes, 2*had)-had), s.end-s.at))
	data := make([]byte, had+n)
	copy(data, s.data)
	n, err := s.file.ReadAt(data[had:], s.at)
	s.data, s.at = data[:had+n], s.at+int64(n)
	if n == len(data)-had {
		return nil // also at the end of the file
	}
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// merge is a heap of streams by their current entry. Of equal keys that of the
// latest stream comes last, as within a stream the one that came last does.
type merge struct {
	order Order
	heap  []*stream
}

func (m *merge) less(a, b *stream) bool {
	if c := m.order.Compare(a.current.Head, a.current.Key, b.current.Head, b.current.Key); c != 0 {
		return c < 0
	}
	return a.age < b.age
}

// down moves a stream down the heap.
func (m *merge) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= min(2*i+2, len(m.heap)-1); child++ {
			if m.less(m.heap[child], m.heap[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		m.heap[i], m.heap[least] = m.heap[least], m.heap[i]
		i = least
	}
}

func (m *merge) begin(streams []*stream) error {
	for _, s := range streams {
		more, err := s.advance()
		if err != nil {
			return err
		}
		if more {
			m.heap = append(m.heap, s)
		}
	}
	for i := len(m.heap)/2 - 1; i >= 0; i-- {
		m.down(i)
	}
	return nil
}

// next returns the last entry of the next key, and passes over those before it.
func (m *merge) next(repeated func(key []byte) error) (entry Entry, ok bool, err error) {
	for len(m.heap) > 0 {
		first := m.heap[0]
		entry = first.current
		more, err := first.advance()
		if err != nil {
			return Entry{}, false, err
		}
		if !more {
			last := len(m.heap) - 1
			m.heap[0], m.heap = m.heap[last], m.heap[:last]
		}
		m.down(0)
		if len(m.heap) == 0 || m.heap[0].current.Head != entry.Head || !bytes.Equal(m.heap[0].current.Key, entry.Key) {
			return entry, true, nil
		}
		if repeated != nil {
			if err := repeated(entry.Key); err != nil {
				return Entry{}, false, err
			}
		}
	}
	return Entry{}, false, nil
}

// each calls use for every entry of the streams, in hash order, and once for
// each key. Entries stay as they are.
func (s Sorter) each(streams []*stream, use func(Entry) error) error {
	m := merge{order: s.order}
	if err := m.begin(streams); err != nil {
		return err
	}
	for {
		entry, ok, err := m.next(s.Repeated)
		if err != nil || !ok {
			return err
		}
		if err := use(entry); err != nil {
			return err
		}
	}
}
