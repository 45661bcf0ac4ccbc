package boxo

import (
	"context"

	"github.com/ipfs/boxo/exchange"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	format "github.com/ipfs/go-ipld-format"
)

// Exchange returns next, except that a block which it does not find is an
// [*Error]. A gateway over it answers 404 only where a path does not exist.
func Exchange(next exchange.Interface) exchange.Interface { return strict{next} }

type strict struct{ exchange.Interface }

var _ exchange.SessionExchange = strict{}

// GetBlock implements [exchange.Fetcher].
func (s strict) GetBlock(ctx context.Context, c cid.Cid) (blocks.Block, error) {
	return found(s.Interface.GetBlock(ctx, c))
}

// NewSession implements [exchange.SessionExchange].
func (s strict) NewSession(ctx context.Context) exchange.Fetcher {
	if sessions, ok := s.Interface.(exchange.SessionExchange); ok {
		return strictFetcher{sessions.NewSession(ctx)}
	}
	return s
}

type strictFetcher struct{ exchange.Fetcher }

// GetBlock implements [exchange.Fetcher].
func (s strictFetcher) GetBlock(ctx context.Context, c cid.Cid) (blocks.Block, error) {
	return found(s.Fetcher.GetBlock(ctx, c))
}

func found(block blocks.Block, err error) (blocks.Block, error) {
	if format.IsNotFound(err) {
		err = unavailable(err)
	}
	return block, err
}
