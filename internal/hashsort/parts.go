package hashsort

// Parts are entries in hash order, each key once, in parts that do not depend on
// each other: several goroutines may use Each at the same time, each for a part
// of its own, once.
type Parts struct {
	groups
	parts    []part
	bitWidth int
	each     func(p part, use func(Entry) error) error
	size     func(p part) int
	files    *sources // nil for none
}

// Len returns the number of parts; it is at least 1.
func (p *Parts) Len() int { return len(p.parts) }

// Each calls use for each entry of part i, in hash order, and returns the first
// error. Entries may be kept until the Buffer or Overlay that they come from is
// changed.
func (p *Parts) Each(i int, use func(Entry) error) error { return p.each(p.parts[i], use) }

// Size returns the number of entries in part i, counting repeated keys. It is 0
// where entries come from runs: nobody has counted them.
func (p *Parts) Size(i int) int { return p.size(p.parts[i]) }

// RootIndexes returns the indexes of the root's elements that part i covers:
// from first up to but not including end.
func (p *Parts) RootIndexes(i int) (first, end int) { return p.rootIndexes(p.parts[i], p.bitWidth) }

// Close closes the files of runs.
func (p *Parts) Close() error {
	if p.files == nil {
		return nil
	}
	return p.files.close()
}

// Parts cuts the entries of the Buffer into up to n parts. Of keys that came
// more than once the last entry counts; repeated, if not nil, is called with
// them, by the goroutines that use the parts, and may return an error instead.
// The Buffer must not be changed while its parts are in use.
func (b *Buffer) Parts(n int, repeated func(key []byte) error) *Parts {
	return b.unsorted().partsOf(n, repeated)
}

// Parts cuts the changes of the Overlay into up to n parts. An entry with an
// empty value is a deletion. The Overlay must not be changed while its parts are
// in use.
func (o *Overlay) Parts(n int) *Parts { return o.unsorted().partsOf(n, nil) }

func (u unsorted) partsOf(n int, repeated func(key []byte) error) *Parts {
	s := u.scatter(1)
	return &Parts{
		groups: s.groups, parts: s.parts(n, u.order.bitWidth), bitWidth: u.order.bitWidth,
		each: func(p part, use func(Entry) error) error {
			s.sort(p)
			return s.each(p, repeated, use)
		},
		size: s.len,
	}
}

// Merge cuts what is in runs, and in a Buffer that was filled after them, into up
// to n parts. Close has to follow.
func (s Sorter) Merge(runs []*Run, last *Buffer, n int) (*Parts, error) {
	files, err := open(runs)
	if err != nil {
		return nil, err
	}
	files.last = last.unsorted().sort()
	groups := files.groups()
	parts := groups.parts(n, s.order.bitWidth)
	return &Parts{
		groups: groups, parts: parts, bitWidth: s.order.bitWidth,
		each: func(p part, use func(Entry) error) error {
			return s.each(files.streams(p, s.BufferBytes/len(parts)), use)
		},
		size:  func(part) int { return 0 },
		files: files,
	}, nil
}
