package adl

import (
	"github.com/ipld-hamt/go-ipld-hamt/internal/store"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// Options say how a map is read. The zero value stands for the defaults.
type Options struct {
	// Params are the parameters of a map whose blocks do not carry them, which
	// is so in Filecoin's layouts. In the specification's layout (the default)
	// the root block says it all.
	Params params.Params
	// CacheBytes bounds the memory of the node cache that the map and all
	// versions made of it share. 0 means 64 MiB, less than 0 no cache. Lookups
	// and edits keep what they load in it; walks over the whole map only what
	// finds free room, and nothing where the store is about as fast as a cache.
	CacheBytes int64
	// ReadAhead is how many blocks are loaded at the same time, once the store
	// proves slow, by whatever knows beforehand what it will need: walks over
	// the whole map, the commit of a transaction, Prefetch. A fast store is
	// asked for one block after another, by the goroutine that walks, and other
	// goroutines check and parse them. 0 means 64, 1 means that nothing is
	// loaded before it is needed and that no other goroutine is used, for a
	// store that must not be asked concurrently.
	ReadAhead int
	// MaxBlockBytes is the largest block that is read. 0 means 16 MiB.
	MaxBlockBytes int64
}

// WithDefaults gives the options with every zero replaced by what it stands for.
func (o Options) WithDefaults() Options {
	switch {
	case o.CacheBytes == 0:
		o.CacheBytes = store.DefaultCacheBytes
	case o.CacheBytes < 0:
		o.CacheBytes = 0
	}
	if o.ReadAhead < 1 {
		o.ReadAhead = trie.DefaultAhead
	}
	if o.MaxBlockBytes < 1 {
		o.MaxBlockBytes = store.DefaultMaxRead
	}
	return o
}
