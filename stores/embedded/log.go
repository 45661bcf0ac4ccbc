package embedded

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/params"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// The log is text. Every line is a checksum, a space, and an object in JSON: a
// step from one state of the store to the next, with its number. The first line
// of a file has a whole state, so that a log that has become long can be begun
// anew. There are two files that say the same; a line that one has lost is taken
// from the other.

// logNames are the two copies.
var logNames = [2]string{"log", "log.copy"}

// step is a line of the log.
type step struct {
	Number int        `json:"n"`
	Time   time.Time  `json:"time"`
	State  *state     `json:"state,omitempty"` // of the whole store, at the beginning of a file
	Add    []packLine `json:"add,omitempty"`
	Remove []string   `json:"remove,omitempty"` // names of packs
	Names  []nameLine `json:"names,omitempty"`
	By     string     `json:"by,omitempty"`    // what moves the names
	Roots  []string   `json:"roots,omitempty"` // that were published when their blocks were in packs already
}

// state is what the log says.
type state struct {
	Next  int                   `json:"next"` // number of a pack that never was
	Packs []packLine            `json:"packs,omitempty"`
	Names map[string][]nameStep `json:"names,omitempty"` // what each stood for; at last what it does
	Roots []string              `json:"roots,omitempty"` // that were published, and no pack names
}

// packLine is a pack that counts.
type packLine struct {
	Name   string `json:"pack"`
	Bytes  int64  `json:"bytes"`
	Blocks int    `json:"blocks"`
	// Time is when the youngest of its blocks was written.
	Time time.Time `json:"time,omitzero"`
	// Walked means that the blocks of the store were arranged for a walk by Compact.
	Walked bool `json:"walked,omitempty"`
}

// nameLine lets a name stand for a root, or for nothing.
type nameLine struct {
	Name   string      `json:"name"`
	Root   string      `json:"root,omitempty"`
	Params *nameParams `json:"params,omitempty"`
}

// nameStep is what a name came to stand for.
type nameStep struct {
	Time   time.Time   `json:"time"`
	Root   string      `json:"root,omitempty"`
	By     string      `json:"by,omitempty"`
	Params *nameParams `json:"params,omitempty"`
}

// nameParams are the parameters of a map whose blocks do not carry them.
type nameParams struct {
	Layout     string `json:"layout"`
	HashAlg    uint64 `json:"hashAlg"`
	BitWidth   int    `json:"bitWidth"`
	BucketSize int    `json:"bucketSize"`
}

// paramsText returns parameters as the log has them: nil where blocks carry them.
func paramsText(p params.Params) *nameParams {
	if p.Layout == params.Spec {
		return nil
	}
	p = p.WithDefaults()
	return &nameParams{p.Layout.String(), uint64(p.HashAlg), p.BitWidth, p.BucketSize}
}

// params returns the parameters, and false if they are none.
func (n *nameParams) params() (p params.Params, ok bool) {
	if n == nil {
		return params.Params{}, false
	}
	layout, err := params.ParseLayout(n.Layout)
	p = params.Params{Layout: layout, BitWidth: n.BitWidth, BucketSize: n.BucketSize}.WithHashAlg(multicodec.Code(n.HashAlg))
	return p, err == nil && n.BitWidth != 0 && n.BucketSize != 0 && p.Validate() == nil
}

const (
	// maxLogBytes is more than any log has that begins anew in time.
	maxLogBytes = 256 << 20
	// longLogBytes is how long a log may become before it begins anew, and at
	// least twice as long as its first line.
	longLogBytes = 256 << 10
	// maxSteps is the number of the last step of a log. Nobody gets there.
	maxSteps = math.MaxInt32
	// keptSteps is how many of a name's steps a log that begins anew keeps, and
	// allSteps how many there may be in all: they are all read, and written anew.
	keptSteps = 1000
	allSteps  = 100_000
	// keptRoots is how many published roots are kept that no pack names.
	keptRoots = 10_000
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// logTime returns a time as the log has it: the zero time for one that has a year
// which RFC 3339 cannot say. A clock may be wrong, and writing goes on.
func logTime(t time.Time) time.Time {
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return time.Time{}
	}
	return t
}

// line returns a step as the log has it.
func (s *step) line() ([]byte, error) {
	object, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	return appendLine(nil, object), nil
}

// appendLine appends a line whose object has the right checksum.
func appendLine(dst, object []byte) []byte {
	return fmt.Appendf(dst, "%08x %s\n", crc32.Checksum(object, castagnoli), object)
}

// parseLine parses a line without its end, and reports whether it is whole.
func parseLine(line []byte) (s *step, ok bool) {
	sum, object, ok := bytes.Cut(line, []byte(" "))
	if !ok {
		return nil, false
	}
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if err != nil || len(sum) != 8 || uint32(want) != crc32.Checksum(object, castagnoli) {
		return nil, false
	}
	s = new(step)
	return s, json.Unmarshal(object, s) == nil && s.valid()
}

// valid reports whether a step says what a store may have written: what names its
// packs names no other file, and every root is one.
func (s *step) valid() bool {
	packs, names := slices.Clone(s.Add), slices.Clone(s.Names)
	for _, name := range s.Remove {
		packs = append(packs, packLine{Name: name})
	}
	if st := s.State; st != nil {
		if st.Next < 0 || st.Next > maxPackNumber {
			return false
		}
		packs = append(packs, st.Packs...)
		for name, steps := range st.Names {
			for _, step := range steps {
				names = append(names, nameLine{name, step.Root, step.Params})
			}
		}
	}
	for _, p := range packs {
		if _, ok := packNumber(p.Name); !ok || p.Bytes < 0 || p.Blocks < 0 {
			return false
		}
	}
	for _, root := range append(slices.Clone(s.Roots), s.State.roots()...) {
		names = append(names, nameLine{Root: root})
	}
	for _, n := range names {
		if _, ok := n.Params.params(); !ok && n.Params != nil {
			return false
		}
		if n.Root == "" {
			continue // it stands for nothing
		}
		if _, err := cid.Decode(n.Root); err != nil {
			return false
		}
	}
	return 0 < s.Number && s.Number <= maxSteps
}

// roots returns the roots that no pack names.
func (st *state) roots() []string {
	if st == nil {
		return nil
	}
	return st.Roots
}

// apply makes a state the one after a step.
func (st *state) apply(s *step) {
	if s.State != nil {
		*st = *s.State
	}
	if st.Names == nil {
		st.Names = map[string][]nameStep{}
	}
	st.Packs = slices.DeleteFunc(slices.Clone(st.Packs), func(p packLine) bool { return slices.Contains(s.Remove, p.Name) })
	for _, p := range s.Add {
		if p.Time.IsZero() {
			p.Time = s.Time
		}
		st.Packs = append(st.Packs, p)
		if n, ok := packNumber(p.Name); ok {
			st.Next = max(st.Next, n+1)
		}
	}
	for _, n := range s.Names {
		st.Names[n.Name] = append(st.Names[n.Name], nameStep{s.Time, n.Root, s.By, n.Params})
	}
	st.Roots = append(slices.Clip(st.Roots), s.Roots...)
	st.Roots = st.Roots[max(0, len(st.Roots)-keptRoots):]
}

// root returns what a name stands for.
func (st *state) root(name string) (root cid.Cid, found bool, err error) {
	steps := st.Names[name]
	if len(steps) == 0 || steps[len(steps)-1].Root == "" {
		return cid.Undef, false, nil
	}
	root, err = cid.Decode(steps[len(steps)-1].Root)
	return root, err == nil, err
}

// params returns the parameters that a name remembers, or nil.
func (st *state) params(name string) *nameParams {
	if steps := st.Names[name]; len(steps) > 0 {
		return steps[len(steps)-1].Params
	}
	return nil
}

// paramsMoved returns those that a name remembers once it has moved to a root: as
// when it stood for that last, or else as it does now.
func (st *state) paramsMoved(name, root string) *nameParams {
	for _, step := range slices.Backward(st.Names[name]) {
		if step.Root == root && root != "" {
			return step.Params
		}
	}
	return st.params(name)
}

// clone returns a state that does not change with this one; its history is cut.
func (st *state) clone() *state {
	c := &state{Next: st.Next, Packs: slices.Clone(st.Packs), Roots: slices.Clone(st.Roots), Names: make(map[string][]nameStep, len(st.Names))}
	for kept, all := keptSteps, allSteps+1; all > allSteps && kept > 0; kept /= 2 {
		all = 0
		for name, steps := range st.Names {
			c.Names[name] = slices.Clone(steps[max(0, len(steps)-kept):])
			all += len(c.Names[name])
		}
	}
	return c
}

// logRead is what is found of the log.
type logRead struct {
	state   state
	last    int      // number of the last step; 0 where there is no log
	whole   bool     // both copies say all of it and nothing else
	lengths [2]int64 // of the copies
	first   int64    // length of the first line
	gap     error    // a step is lost that others follow
	damaged []error  // lines that are not whole, and copies that are absent
}

// faults returns all that is damaged.
func (l *logRead) faults() []error {
	if l.gap == nil {
		return l.damaged
	}
	return append(slices.Clip(l.damaged), l.gap)
}

// readLog reads both copies. The error is that of the file system; what is
// damaged is in what it returns.
func readLog(fs filesystem, dir string) (l logRead, err error) {
	steps := map[int]*step{}
	whole := [2]bool{}
	counts := [2]int{}
	for i, name := range logNames {
		data, err := readLogFile(fs, filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			l.damaged = append(l.damaged, fmt.Errorf("%s is absent", name))
			continue
		}
		if err != nil {
			return l, err
		}
		l.lengths[i] = int64(len(data))
		whole[i] = true
		for n := 1; len(data) > 0; n++ {
			line, rest, ended := bytes.Cut(data, []byte("\n"))
			data = rest
			s, ok := parseLine(line)
			whole[i] = whole[i] && ok && ended
			if !ok {
				if ended { // else it was never finished, and never counted
					l.damaged = append(l.damaged, fmt.Errorf("line %d of %s is damaged", n, name))
				}
				continue
			}
			if counts[i]++; counts[i] == 1 {
				l.first = int64(len(line))
			}
			if known, ok := steps[s.Number]; !ok || known.State == nil {
				steps[s.Number] = s
			}
		}
	}
	numbers := slices.Sorted(maps.Keys(steps))
	begin := len(numbers)
	for begin > 0 { // the last step that has a state
		if begin--; steps[numbers[begin]].State != nil {
			break
		}
	}
	for i, n := range numbers[min(begin, len(numbers)):] {
		s := steps[n]
		switch {
		case i == 0 && s.State == nil:
			l.gap = errors.New("the beginning of the log is damaged in both copies")
		case i > 0 && n != l.last+1:
			l.gap = fmt.Errorf("step %d of the log is damaged in both copies, and step %d follows", l.last+1, n)
		}
		l.state.apply(s)
		l.last = n
	}
	l.whole = whole[0] && whole[1] && l.lengths[0] == l.lengths[1] && counts[0] == counts[1] && l.last > 0
	return l, nil
}

func readLogFile(fs filesystem, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if size > maxLogBytes {
		return nil, fmt.Errorf("%s has %d bytes, and a log at most %d", path, size, maxLogBytes)
	}
	return readFile(fs, path)
}

// log is the log of a store that is written to.
type log struct {
	fs    filesystem
	dir   string
	files [2]file
	end   int64
	first int64 // length of the line with the state
	last  int   // number of the last step
	// failed is why nothing can be appended: a step that failed may be there or
	// not, and only who reads the log again knows.
	failed error
}

// openLog opens the log for writing, as it was read; first it writes it anew if
// not all of it is in both copies, or it is long.
func openLog(fs filesystem, dir string, read logRead, now time.Time) (*log, error) {
	l := &log{fs: fs, dir: dir, last: read.last, end: read.lengths[0], first: read.first}
	if !read.whole || l.long() {
		return l, l.rewrite(&read.state, now)
	}
	return l, l.open()
}

func (l *log) long() bool { return l.end > max(longLogBytes, 2*l.first) }

func (l *log) open() (err error) {
	for i, name := range logNames {
		if l.files[i], err = l.fs.OpenWrite(filepath.Join(l.dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// rewrite begins the log anew with a state. The second copy stays as it is until
// the first is on the disk.
func (l *log) rewrite(st *state, now time.Time) error {
	l.last++
	line, err := (&step{Number: l.last, Time: now, State: st.clone()}).line()
	if err != nil {
		return err
	}
	if err := l.close(); err != nil {
		return err
	}
	for _, name := range logNames {
		if err := replaceFile(l.fs, filepath.Join(l.dir, name), line); err != nil {
			l.failed = err
			return err
		}
	}
	l.end, l.first = int64(len(line)), int64(len(line))
	return l.open()
}

// append appends a step to both copies, and returns when it is on the disk.
func (l *log) append(s *step) (err error) {
	if l.failed != nil {
		return l.failed
	}
	s.Number = l.last + 1
	line, err := s.line()
	if err != nil {
		return err
	}
	for _, f := range l.files {
		if _, err = f.WriteAt(line, l.end); err != nil {
			break
		}
	}
	if err == nil {
		synced := make(chan error, 1)
		go func() { synced <- l.files[1].Sync() }()
		err = errors.Join(l.files[0].Sync(), <-synced)
	}
	if err != nil {
		l.failed = fmt.Errorf("the log could not be written, and what it has now is not known: %w", err)
		return l.failed
	}
	l.last = s.Number
	l.end += int64(len(line))
	return nil
}

func (l *log) close() (err error) {
	for i, f := range l.files {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
		l.files[i] = nil
	}
	return err
}

// names returns all names that stand for something, in their order.
func (st *state) names() (names []stores.Name, err error) {
	for name := range st.Names {
		root, found, err := st.root(name)
		if err != nil {
			return nil, fmt.Errorf("name %q: %w", name, err)
		}
		if found {
			names = append(names, stores.Name{Name: name, Root: root})
		}
	}
	slices.SortFunc(names, func(a, b stores.Name) int { return cmp.Compare(a.Name, b.Name) })
	return names, nil
}
