package webcar

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
	"github.com/ipld-hamt/go-ipld-hamt/stores/pack"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// Options say how the server is talked to. The zero value stands for the defaults.
type Options struct {
	// Remote says how the server is talked to. A CAR that is fetched whole may take
	// longer than Remote.Timeout: it ends when nothing has moved for that time.
	// Remote.Warn is told of a large one.
	Remote remote.Options
}

// largeBytes is the size from which on it is worth a word that a CAR is fetched whole, and
// mostBytes that up to which one is.
const (
	largeBytes = 64 << 20
	mostBytes  = 64 << 30
)

// Open returns a store, safe for concurrent use, of the CAR at an http or https URL
// without credentials in it. The error wraps stores.ErrNoStore where there is none.
// All that is read later is read within ctx. What is no *Pack was fetched whole.
func Open(ctx context.Context, address string, o Options) (stores.Rooted, error) {
	at, err := remote.ParseURL(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &file{ctx: ctx, url: at.String(), client: remote.New(o.Remote)}
	end := func() {
		cancel()
		f.under.Wait()
		f.client.Close()
	}
	s, err := f.open()
	if err != nil {
		end()
		if status, ok := errors.AsType[*remote.StatusError](err); ok && (status.Code == http.StatusNotFound || status.Code == http.StatusGone) {
			err = fmt.Errorf("%w: %w", stores.ErrNoStore, err)
		}
		return nil, err
	}
	if p, ok := s.(*Pack); ok {
		p.end = end
	} else {
		end() // all is here
	}
	return s, nil
}

// open opens a pack where it is, and fetches anything else.
func (f *file) open() (stores.Rooted, error) {
	if err := f.begin(); err != nil {
		return nil, err
	}
	if f.parts {
		p, err := pack.OpenIndexed(f, f.size)
		if err == nil {
			return newPack(f, p)
		}
		if !errors.Is(err, pack.ErrFormat) && !errors.Is(err, pack.ErrNoIndex) {
			return nil, f.failed(err)
		}
	}
	if f.size > mostBytes {
		return nil, f.failed(fmt.Errorf("%d bytes are too many to fetch all of them for some", f.size))
	}
	if f.size >= largeBytes {
		f.client.Warn(fmt.Sprintf("%s is fetched whole, %d bytes: it has no index that can be believed, or the server gives no parts of files", f.url, f.size))
	}
	fetched, err := f.fetch()
	if err != nil {
		return nil, err
	}
	car, err := carfile.OpenFile(fetched, f.url)
	if err != nil {
		return nil, errors.Join(err, remove(fetched.Name()))
	}
	return &whole{car, fetched.Name()}, nil
}

// whole is a CAR that was fetched.
type whole struct {
	*carfile.File
	temporary string
}

// Close removes the temporary file.
func (w *whole) Close() error { return errors.Join(w.File.Close(), remove(w.temporary)) }

// Pack is a pack that is read where it is, on a web server. It is safe for concurrent use.
type Pack struct {
	stores.Base
	file  *file
	pack  *pack.Pack
	roots []cid.Cid
	end   func()
}

func newPack(f *file, p *pack.Pack) (*Pack, error) {
	roots, err := p.Roots()
	if err != nil {
		return nil, f.failed(err)
	}
	s := &Pack{file: f, pack: p, roots: roots}
	s.Base = stores.NewBase(stores.Blocks{Get: s.get, Has: s.has, Checked: true})
	return s, nil
}

func (s *Pack) get(_ context.Context, c cid.Cid) ([]byte, error) {
	block, ok, err := s.pack.Get(c)
	switch {
	case err != nil:
		return nil, s.file.failed(err)
	case !ok:
		return nil, stores.NotFound{CID: c}
	}
	return block, nil
}

func (s *Pack) has(_ context.Context, c cid.Cid) (bool, error) {
	has, err := s.pack.Has(c)
	if err != nil {
		return false, s.file.failed(err)
	}
	return has, nil
}

// DefaultRoot returns the first root of the pack.
func (s *Pack) DefaultRoot() (cid.Cid, bool) {
	if len(s.roots) == 0 {
		return cid.Undef, false
	}
	return s.roots[0], true
}

// Roots returns the roots that the pack names.
func (s *Pack) Roots() []cid.Cid { return s.roots }

// Close ends the requests that are under way.
func (s *Pack) Close() error {
	s.end()
	return nil
}
