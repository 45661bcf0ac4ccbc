package open

import (
	"context"
	"errors"
	"strings"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/cache"
	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
	"github.com/ipld-hamt/go-ipld-hamt/stores/embedded"
	"github.com/ipld-hamt/go-ipld-hamt/stores/flatfs"
	"github.com/ipld-hamt/go-ipld-hamt/stores/gateway"
	"github.com/ipld-hamt/go-ipld-hamt/stores/kubo"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
	"github.com/ipld-hamt/go-ipld-hamt/stores/webcar"
)

// Options say how stores are opened. Each kind takes what concerns it.
type Options struct {
	// Embedded is for embedded stores; whether they are written to is not for
	// it to say.
	Embedded embedded.Options
	// Remote is for stores on other machines.
	Remote remote.Options
	// Pin has Kubo pin what is published.
	Pin bool
	// CacheDir, if not empty, is where blocks from stores on other machines are
	// kept, CacheBytes of them at most; 0 means cache.DefaultBytes.
	CacheDir   string
	CacheBytes int64
	// WeakDigests has stores take CIDs that do not tell blocks apart: see
	// stores.Base.AllowWeakDigests.
	WeakDigests bool
	// Force has a file replaced by a CAR also where it is none.
	Force bool
}

// carOptions returns what the options say about how CARs are written.
func (o Options) carOptions() []carfile.WriteOption {
	if o.Force {
		return []carfile.WriteOption{carfile.WithForce()}
	}
	return nil
}

// Reading opens a store for reading.
func (l Location) Reading(ctx context.Context, o Options) (stores.Store, error) {
	s, err := l.openReading(ctx, o)
	if err != nil {
		return nil, err
	}
	o.allow(s)
	return s, nil
}

// allow has a store take what the options allow.
func (o Options) allow(s stores.Store) {
	if o.WeakDigests {
		s.(interface{ AllowWeakDigests() }).AllowWeakDigests() // all kinds have it from their Base
	}
}

func (l Location) openReading(ctx context.Context, o Options) (stores.Store, error) {
	switch l.Kind {
	case CAR:
		return carfile.Open(l.Place)
	case WebCAR:
		s, err := webcar.Open(ctx, l.Place, webcar.Options{Remote: o.Remote})
		if err != nil {
			return nil, err
		}
		if _, ok := s.(*webcar.Pack); !ok { // it is here already
			return s, nil
		}
		return o.cached(s)
	case Flatfs:
		return flatfs.Open(l.Place)
	case Kubo:
		s, err := l.kubo(ctx, o)
		if err != nil {
			return nil, err
		}
		return o.cached(s)
	case Gateway:
		s, err := gateway.Open(ctx, strings.Split(l.Place, ","), gateway.Options{Remote: o.Remote})
		if err != nil {
			return nil, err
		}
		return o.cached(s)
	}
	o.Embedded.Write = false
	return embedded.Open(ctx, l.Place, o.Embedded)
}

// Writing opens a store for writing, for Build or Edit; stores.ErrReadOnly
// where there is no such thing.
func (l Location) Writing(ctx context.Context, mode Mode, o Options) (stores.Writable, error) {
	if err := l.Check(mode, o); err != nil {
		return nil, err
	}
	s, err := l.openWriting(ctx, o)
	if err != nil {
		return nil, err
	}
	o.allow(s)
	return s, nil
}

func (l Location) openWriting(ctx context.Context, o Options) (stores.Writable, error) {
	switch l.Kind {
	case CAR:
		return carfile.Create(l.Place, o.carOptions()...)
	case Kubo:
		s, err := l.kubo(ctx, o)
		if err != nil {
			return nil, err
		}
		front, err := o.cached(s)
		if err != nil {
			return nil, err
		}
		return front.(stores.Writable), nil // a cache is as much as what it is in front of
	}
	o.Embedded.Write = true
	return embedded.Open(ctx, l.Place, o.Embedded)
}

func (l Location) kubo(ctx context.Context, o Options) (stores.Writable, error) {
	return kubo.Open(ctx, l.Place, kubo.Options{Remote: o.Remote, Pin: o.Pin})
}

// cached puts the cache, if there is one, in front of a store.
func (o Options) cached(s stores.Store) (stores.Store, error) {
	if o.CacheDir == "" {
		return s, nil
	}
	front, err := cache.Open(o.CacheDir, s, cache.Options{Bytes: o.CacheBytes, Warn: o.Remote.Warn})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return front, nil
}
