package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// Options say how gateways are talked to. The zero value stands for the
// defaults.
type Options struct {
	Remote remote.Options
}

// Store is one or more gateways, as a store that can be read. It is safe for
// concurrent use.
type Store struct {
	stores.Base
	client  *remote.Client
	sources []*source
}

var _ stores.Store = (*Store)(nil)

// Open makes a store of the gateways at some URLs, which are asked in this
// order. A URL may end in /ipfs/, as people see it in front of CIDs. Nothing is sent
// yet.
func Open(_ context.Context, urls []string, o Options) (*Store, error) {
	if len(urls) == 0 {
		return nil, errors.New("no gateway is named")
	}
	s := &Store{client: remote.New(o.Remote)}
	for _, text := range urls {
		base, err := remote.ParseURL(text)
		if err != nil {
			return nil, fmt.Errorf("gateway: %w", err)
		}
		base.Path = strings.TrimRight(strings.TrimSuffix(base.Path, "/ipfs"), "/")
		s.sources = append(s.sources, &source{name: "gateway " + base.String(), base: base, client: s.client})
	}
	s.Base = stores.NewBase(stores.Blocks{Get: s.get, Has: s.has, Checked: true})
	return s, nil
}

// get returns a block. Where no gateway has it, all of them having said so, the
// error is NotFound; else it names each gateway and what went wrong there,
// stores.ErrWrongBytes for one.
func (s *Store) get(ctx context.Context, c cid.Cid) ([]byte, error) {
	var block []byte
	err := s.ask(ctx, "block", c, s.sources, func(ctx context.Context, g *source) (err error) {
		block, err = g.block(ctx, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return block, nil
}

// has reports whether a gateway says that it has a block, or can get it, where it
// asks others in turn. Only Get makes sure.
func (s *Store) has(ctx context.Context, c cid.Cid) (bool, error) {
	err := s.ask(ctx, "block", c, s.sources, func(ctx context.Context, g *source) error {
		return g.has(ctx, c)
	})
	if stores.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// Close closes the connections that are not in use.
func (s *Store) Close() error {
	s.client.Close()
	return nil
}
