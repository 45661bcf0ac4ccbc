package webcar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/pack"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// file is a file on a web server.
type file struct {
	ctx    context.Context
	url    string
	client *remote.Client

	size  int64
	etag  string // a strong one, or empty
	parts bool   // the server gives them

	under  sync.WaitGroup // requests
	mu     sync.Mutex
	pieces map[int64]*piece // by their place
	used   []*piece         // last used last
}

// piece is a part of the file of pieceBytes, or the last of fewer.
type piece struct {
	at    int64 // in pieces
	ready chan struct{}
	data  []byte
	err   error
}

const (
	// pieceBytes is about what a server gives in the time that a request takes.
	pieceBytes = 64 << 10
	// mostPieces are kept: for pages of the index, above all.
	mostPieces = 256
)

// failed is an error that concerns the file. What is damaged in it is wrong bytes, but
// where it could not be read.
func (f *file) failed(err error) error {
	if request, ok := errors.AsType[*requestError](err); ok {
		return request // which names the file
	}
	if errors.As(err, new(*pack.DamageError)) {
		err = fmt.Errorf("%w: %w", stores.ErrWrongBytes, err)
	}
	return fmt.Errorf("%s: %w", f.url, err)
}

// requestError is one of a request, and not about what the server gave.
type requestError struct{ error }

func (e *requestError) Unwrap() error { return e.error }

// inTime has a part of an answer read within the time that a request may take.
type inTime func(read func() error) error

// do makes a request for the part of the file that which says, from one byte up to but not
// including another, or for all of it if that is 0, and has the answer read.
func (f *file) do(which func() (from, to int64), read func(answer *http.Response, part inTime) error) error {
	err := f.client.Retry(f.ctx, f.url, func(ctx context.Context) error {
		return f.client.TryLong(ctx, func(ctx context.Context, part func(read func() error) error) error {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url, nil)
			if err != nil {
				return err
			}
			request.Header.Set("Accept-Encoding", "identity") // so that lengths are those of the file
			if from, to := which(); to > 0 {
				request.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", from, to-1))
				if f.etag != "" {
					request.Header.Set("If-Range", f.etag)
				}
			}
			answer, err := f.client.HTTP().Do(request)
			if err != nil {
				if of, ok := errors.AsType[*url.Error](err); ok {
					err = of.Err // what was asked for is said elsewhere
				}
				return err
			}
			defer answer.Body.Close() // read to its end, or given up
			if err := remote.CheckStatus("it", answer); err != nil {
				return err
			}
			return read(answer, part)
		})
	})
	if err != nil {
		return &requestError{err}
	}
	return nil
}

func part(from, to int64) func() (int64, int64) {
	return func() (int64, int64) { return from, to }
}

// begin asks for the first piece, to see how long the file is and whether there are
// parts of it to be had.
func (f *file) begin() error {
	return f.do(part(0, pieceBytes), func(answer *http.Response, part inTime) error {
		if answer.StatusCode != http.StatusPartialContent {
			f.parts, f.size = false, answer.ContentLength
			return nil
		}
		from, to, size, err := contentRange(answer)
		if err != nil {
			return err
		}
		if from != 0 || to != min(size, pieceBytes) {
			return remote.Permanent(errOtherPart)
		}
		first := &piece{ready: make(chan struct{}), data: make([]byte, to)}
		err = part(func() error {
			_, err := io.ReadFull(answer.Body, first.data)
			return err
		})
		if err != nil {
			return err
		}
		close(first.ready)
		f.pieces, f.used = map[int64]*piece{0: first}, []*piece{first}
		f.parts, f.size = true, size
		if tag := answer.Header.Get("Etag"); strings.HasPrefix(tag, `"`) {
			f.etag = tag
		}
		return nil
	})
}

var (
	errOtherPart = errors.New("it gives another part of the file than it was asked for")
	errChanged   = errors.New("the file has changed meanwhile")
)

// contentRange returns which part of a file an answer is.
func contentRange(answer *http.Response) (from, to, size int64, err error) {
	text := answer.Header.Get("Content-Range")
	part, total, _ := strings.Cut(strings.TrimPrefix(text, "bytes "), "/")
	first, last, _ := strings.Cut(part, "-")
	numbers := make([]int64, 3)
	for i, digits := range []string{first, last, total} {
		n, err := strconv.ParseUint(digits, 10, 62)
		if err != nil {
			return 0, 0, 0, remote.Permanent(fmt.Errorf("it gives a part of the file and does not say which: Content-Range %q", text))
		}
		numbers[i] = int64(n)
	}
	return numbers[0], numbers[1] + 1, numbers[2], nil
}

// ReadAt reads a part of the file.
func (f *file) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 || off >= f.size {
		return 0, io.EOF
	}
	end := min(off+int64(len(p)), f.size)
	for _, piece := range f.want(off/pieceBytes, (end+pieceBytes-1)/pieceBytes) {
		select {
		case <-piece.ready:
		case <-f.ctx.Done():
			return n, context.Cause(f.ctx)
		}
		if piece.err != nil {
			return n, piece.err
		}
		n += copy(p[n:], piece.data[max(0, off+int64(n)-piece.at*pieceBytes):])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// want returns the pieces from one up to but not including another, in which those may
// be under way that were not there.
func (f *file) want(from, to int64) []*piece {
	f.mu.Lock()
	defer f.mu.Unlock()
	wanted := make([]*piece, 0, to-from)
	var missing []*piece // next to each other
	for at := from; at < to; at++ {
		p := f.pieces[at]
		if p == nil {
			p = &piece{at: at, ready: make(chan struct{})}
			f.pieces[at] = p
			missing = append(missing, p)
		} else {
			f.start(missing)
			missing = nil
		}
		wanted = append(wanted, p)
		f.touch(p)
	}
	f.start(missing)
	return wanted
}

// start begins a request for pieces, if there are any.
func (f *file) start(pieces []*piece) {
	if len(pieces) > 0 {
		f.under.Go(func() { f.get(pieces) })
	}
}

// touch makes a piece the last used, and forgets the first where there are too many.
func (f *file) touch(p *piece) {
	for i := len(f.used) - 1; i >= 0; i-- {
		if f.used[i] == p {
			f.used = append(f.used[:i], f.used[i+1:]...)
			break
		}
	}
	f.used = append(f.used, p)
	if len(f.used) > mostPieces {
		delete(f.pieces, f.used[0].at)
		f.used = f.used[1:]
	}
}

// get reads pieces that stand next to each other, with one request.
func (f *file) get(pieces []*piece) {
	from, to := pieces[0].at*pieceBytes, min((pieces[len(pieces)-1].at+1)*pieceBytes, f.size)
	data := make([]byte, to-from)
	err := f.do(part(from, to), func(answer *http.Response, part inTime) error {
		if err := f.checkPart(answer, from, to); err != nil {
			return err
		}
		return part(func() error {
			_, err := io.ReadFull(answer.Body, data)
			return err
		})
	})
	f.mu.Lock()
	for i, p := range pieces {
		if p.err = err; err != nil {
			if f.pieces[p.at] == p { // it may be had another time
				delete(f.pieces, p.at)
			}
		} else {
			at := int64(i) * pieceBytes
			p.data = data[at:min(at+pieceBytes, int64(len(data)))]
		}
		close(p.ready)
	}
	f.mu.Unlock()
}

// checkPart returns an error unless an answer is a part of the file.
func (f *file) checkPart(answer *http.Response, from, to int64) error {
	if answer.StatusCode != http.StatusPartialContent {
		return remote.Permanent(errChanged)
	}
	first, end, size, err := contentRange(answer)
	switch {
	case err != nil:
		return err
	case size != f.size:
		return remote.Permanent(errChanged)
	case first != from || end != to:
		return remote.Permanent(errOtherPart)
	}
	return nil
}

// fetch returns a temporary file with all of the file. After a connection that breaks it
// goes on with what is missing, where that is sure to be of the same file.
func (f *file) fetch() (*os.File, error) {
	if f.size < 0 {
		return nil, f.failed(errors.New("the server does not say how long the file is"))
	}
	whole, err := os.CreateTemp("", "hamt-*.car")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(whole.Name()) // Windows keeps what is open: see whole.Close
	have := int64(0)
	err = f.do(func() (from, to int64) {
		if have == 0 || !f.parts || f.etag == "" {
			return 0, 0
		}
		return have, f.size
	}, func(answer *http.Response, part inTime) error {
		if answer.StatusCode == http.StatusPartialContent {
			if err := f.checkPart(answer, have, f.size); err != nil {
				return err
			}
		} else {
			have = 0
			if answer.ContentLength != f.size {
				return remote.Permanent(errChanged)
			}
		}
		if _, err := whole.Seek(have, io.SeekStart); err != nil {
			return err
		}
		for have < f.size {
			err := part(func() error {
				n, err := io.CopyN(whole, answer.Body, min(fetchBytes, f.size-have))
				have += n
				return err
			})
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, whole.Close(), remove(whole.Name()))
	}
	return whole, nil
}

// fetchBytes are fetched within the time that a request may take.
const fetchBytes = 1 << 20

// remove removes a file, if it is there.
func remove(name string) error {
	if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
