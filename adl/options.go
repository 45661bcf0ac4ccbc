package adl

import (
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/nodes"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// Option says how a map is read. Options are taken by everything that opens or
// makes one: Load, Reifier and Register of package hamt, ReadWith of a
// builder.Prototype. A later option overrides an earlier one.
type Option struct{ apply func(*nodes.Settings) }

// WithParams says which parameters a map has whose blocks do not carry them:
// one in the layout of Filecoin or of py-hamt. Zero fields are those of
// [params.Params]' defaults. In the specification's layout, the default, the root block says it all and
// this option says nothing. Those that are not the map's are fault.ErrParams, as far as
// its first entries tell: the bucket size, a limit, cannot be found out so.
func WithParams(p params.Params) Option {
	return Option{func(s *nodes.Settings) { s.Params = p.WithDefaults() }}
}

// WithCacheBytes bounds the memory of the node cache, in bytes; 0 or less is no
// cache. The default is 64 MiB. The map and all versions made of it share the
// cache. Lookups and edits keep what they load in it. Walks over the whole map keep
// only what finds free room, and nothing if they are serial or the store is about
// as fast as the cache.
func WithCacheBytes(n int64) Option {
	return Option{func(s *nodes.Settings) { s.CacheBytes = max(0, n) }}
}

// WithReadAhead sets how many blocks are loaded at the same time, once the
// store proves slow, by whatever knows beforehand what it will need: walks over
// the whole map, the commit of a transaction, Prefetch. A fast store is asked
// for one block after another, by the goroutine that walks, and other
// goroutines check and parse them. With 1 or less, nothing is loaded before it
// is needed and no other goroutine is used.
//
// Without this option, the methods that take a context load up to 64 blocks at
// the same time, and the methods of datamodel.Node (MapIterator, Length) one
// after the other: those may be called by code that knows nothing of a HAMT,
// such as a traversal, and then stand on a LinkSystem that need not be safe for
// concurrent use. With it, both load n.
func WithReadAhead(n int) Option {
	return Option{func(s *nodes.Settings) { s.ReadAhead, s.SerialMethods = max(1, n), false }}
}

// WithMaxBlockBytes sets the largest block that is read, in bytes. The default,
// for 0 or less too, is 16 MiB. A larger block is fault.ErrTooLarge.
func WithMaxBlockBytes(n int64) Option {
	return Option{func(s *nodes.Settings) {
		if s.MaxBlockBytes = n; n <= 0 {
			s.MaxBlockBytes = blockio.DefaultMaxRead
		}
	}}
}

// WithWeakDigests allows links with digests of fewer than 20 bytes (md5, a
// truncated sha2-256), in the map's blocks and to its root; and, in a
// builder.Prototype, such link prototypes. Without it they are
// fault.ErrWeakDigest: whoever serves the blocks can make another block with the
// same digest, so that what is read is what he wants. The shorter the digest, the
// less that costs him; with it comes that a map can link to itself, and no walk
// over it ends.
//
// A link under the identity hash, which holds its block itself, cannot be forged. It
// may hold 128 bytes with this option and without it; more is fault.ErrTooLarge.
func WithWeakDigests() Option {
	return Option{func(s *nodes.Settings) { s.WeakDigests = true }}
}

func init() {
	nodes.Resolve = func(options any) nodes.Settings {
		s := nodes.Settings{
			CacheBytes:    blockio.DefaultCacheBytes,
			MaxBlockBytes: blockio.DefaultMaxRead,
			ReadAhead:     trie.DefaultAhead,
			SerialMethods: true,
		}
		for _, option := range options.([]Option) {
			if option.apply != nil {
				option.apply(&s)
			}
		}
		return s
	}
}
