package blockio

import (
	"context"

	cidlink "github.com/ipld/go-ipld-prime/linking/cid"

	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/flight"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// Unparsed is the block of a child node, which has been read and is to be
// checked and parsed. The zero value is none.
type Unparsed struct {
	flight *flight.Load[*block.Node]
	hash   uint64 // of the link, for the cache
	link   cidlink.Link
	buffer *[]byte
}

// Read is the first half of Child, as walks want it: it reads the block and
// leaves what only computes to Parse, which has to follow. A child that is in
// memory is given at once. There is neither where another one is loading the
// child, since Read does not wait.
func (l *Loader) Read(ctx context.Context, parent *block.Node, position int) (child *block.Node, u Unparsed, err error) {
	if child := l.cache.peek(parent, position); child != nil {
		return child, Unparsed{}, nil
	}
	binaryCID := parent.Link(position)
	hash := l.cache.hash(binaryCID)
	if child := l.cache.find(hash, binaryCID); child != nil {
		return child, Unparsed{}, nil
	}
	mine, _ := l.flights.Begin(binaryCID)
	if mine == nil {
		return nil, Unparsed{}, nil
	}
	defer func() {
		if u.flight == nil { // also when the store panics
			l.flights.End(mine)
		}
	}()
	link, buffer, err := l.readChild(ctx, binaryCID)
	if err != nil {
		mine.Set(nil, err, ctx.Err() != nil)
		return nil, Unparsed{}, err
	}
	return nil, Unparsed{mine, hash, link, buffer}, nil
}

// Parse is the second half, for any goroutine.
func (l *Loader) Parse(u Unparsed, p params.Params) (*block.Node, error) {
	defer l.flights.End(u.flight)
	node, err := l.parseChild(u.hash, u.link, u.buffer, p, KeepIfRoom)
	u.flight.Set(node, err, false)
	return node, err
}

// IsRead says that there is a block, if only an empty one.
func (u Unparsed) IsRead() bool { return u.flight != nil }

// Len is its length in bytes.
func (u Unparsed) Len() int { return len(*u.buffer) }
