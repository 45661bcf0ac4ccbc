package blockio

import (
	"context"

	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/flight"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// Unparsed is the block of a child node, which has been read and is to be
// checked and parsed. The zero value is none.
type Unparsed struct {
	unparsed
	flight *flight.Load[*block.Node]
	hash   uint64 // of the link, for the cache
}

// Read is the first half of Child, for walks: it reads the block and leaves
// checking and parsing to Parse, which must be called. It returns a child that is
// in memory at once. It returns neither if the child is being loaded by somebody
// else, since Read does not wait.
func (l *Loader) Read(ctx context.Context, parent *block.Node, position int, p params.Params) (child *block.Node, u Unparsed, err error) {
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
	read, err := l.readChild(ctx, binaryCID, p)
	if err != nil {
		mine.Set(nil, err, ctx.Err() != nil)
		return nil, Unparsed{}, err
	}
	return nil, Unparsed{read, mine, hash}, nil
}

// Parse is the second half of Child. It may be called by any goroutine.
func (l *Loader) Parse(u Unparsed, p params.Params) (*block.Node, error) {
	defer l.flights.End(u.flight)
	node, err := l.parseChild(u.hash, u.unparsed, p, KeepIfRoom)
	u.flight.Set(node, err, false)
	return node, err
}

// IsRead reports whether there is a block, if only an empty one.
func (u Unparsed) IsRead() bool { return u.flight != nil }

// Len returns its length in bytes.
func (u Unparsed) Len() int { return len(*u.buffer) }
