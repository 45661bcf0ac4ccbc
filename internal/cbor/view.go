package cbor

import (
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/node/mixins"
)

// viewAt returns the node of the value at off, and the offset after it. A list or a map
// is a view, which is for one goroutine.
func viewAt(sized []byte, off int) (node datamodel.Node, next int, err error) {
	major, count, next := sizedAt(sized, off)
	switch major {
	case List:
		items := items{of: sized[off+sizedHead : next], count: int64(count)}
		return &listView{mixins.List{TypeName: "List"}, items, items.begin()}, next, nil
	case Map:
		return &mapView{mixins.Map{TypeName: "Map"}, items{of: sized[off+sizedHead : next], count: int64(count)}}, next, nil
	}
	node, err = Decode(sized[off:next])
	return node, next, err
}

// items are the items of a list, or the entries of a map.
type items struct {
	of    []byte
	count int64
}

func (i items) begin() cursor { return cursor{items: i} }

// cursor goes from item to item.
type cursor struct {
	items
	at   int64 // number of the next item
	next int   // offset of it
}

// Done reports whether there is no next item.
func (c *cursor) Done() bool { return c.at == c.count }

// value returns the value at next, and goes on behind it.
func (c *cursor) value() (node datamodel.Node, err error) {
	if c.Done() {
		return nil, datamodel.ErrIteratorOverread{}
	}
	node, c.next, err = viewAt(c.of, c.next)
	c.at++
	return node, err
}

// listView is a list.
type listView struct {
	mixins.List
	items
	last cursor // of LookupByIndex, with which encoders go from item to item
}

func (l *listView) Length() int64 { return l.count }

func (l *listView) LookupByIndex(index int64) (datamodel.Node, error) {
	if index < 0 || index >= l.count {
		return nil, datamodel.ErrNotExists{Segment: datamodel.PathSegmentOfInt(index)}
	}
	if index < l.last.at {
		l.last = l.begin()
	}
	for l.last.at < index {
		_, _, l.last.next = sizedAt(l.of, l.last.next)
		l.last.at++
	}
	return l.last.value()
}

func (l *listView) LookupBySegment(segment datamodel.PathSegment) (datamodel.Node, error) {
	index, err := segment.Index()
	if err != nil {
		return nil, err
	}
	return l.LookupByIndex(index)
}

func (l *listView) ListIterator() datamodel.ListIterator { return &listCursor{l.begin()} }

func (l *listView) Prototype() datamodel.NodePrototype { return basicnode.Prototype.List }

type listCursor struct{ cursor }

func (c *listCursor) Next() (index int64, value datamodel.Node, err error) {
	index = c.at
	value, err = c.value()
	return index, value, err
}

// mapView is a map.
type mapView struct {
	mixins.Map
	items
}

func (m *mapView) Length() int64 { return m.count }

func (m *mapView) LookupByString(key string) (datamodel.Node, error) {
	for c := m.begin(); !c.Done(); c.at++ {
		from, to, _ := Span(m.of, c.next, String)
		if string(m.of[from:to]) == key {
			node, _, err := viewAt(m.of, to)
			return node, err
		}
		_, _, c.next = sizedAt(m.of, to)
	}
	return nil, datamodel.ErrNotExists{Segment: datamodel.PathSegmentOfString(key)}
}

func (m *mapView) LookupByNode(key datamodel.Node) (datamodel.Node, error) {
	s, err := key.AsString()
	if err != nil {
		return nil, err
	}
	return m.LookupByString(s)
}

func (m *mapView) LookupBySegment(segment datamodel.PathSegment) (datamodel.Node, error) {
	return m.LookupByString(segment.String())
}

func (m *mapView) MapIterator() datamodel.MapIterator { return &mapCursor{m.begin()} }

func (m *mapView) Prototype() datamodel.NodePrototype { return basicnode.Prototype.Map }

type mapCursor struct{ cursor }

func (c *mapCursor) Next() (key, value datamodel.Node, err error) {
	if c.Done() {
		return nil, nil, datamodel.ErrIteratorOverread{}
	}
	from, to, err := Span(c.of, c.next, String)
	if err != nil {
		return nil, nil, err
	}
	c.next = to
	value, err = c.value()
	return basicnode.NewString(string(c.of[from:to])), value, err
}
