package kubo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	cmds "github.com/ipfs/go-ipfs-cmds"
	cmdshttp "github.com/ipfs/go-ipfs-cmds/http"
	"github.com/ipfs/kubo/client/rpc"

	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// Error is what a node answers when it cannot do what it was asked for. Asking
// again would not help.
type Error struct {
	Message string // what it said
}

func (e *Error) Error() string { return "the node says: " + e.Message }

const (
	maxMessage = 64 << 10 // of an error that is read
	maxLine    = 64 << 10 // of an answer, which holds one object
)

// answers stands between Kubo's client and the network, and makes an error of
// every answer but that of a command which was carried out. The client itself
// would lose the status, which says whether to try again, and print to stderr
// what it does not understand.
type answers struct{ next http.RoundTripper }

func (a answers) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := a.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if err := check(response); err != nil {
		_ = response.Body.Close() // there is a better error
		return nil, err
	}
	response.Body = &body{response.Body, response}
	return response, nil
}

func check(response *http.Response) error {
	kind, _, mimeErr := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if response.StatusCode == http.StatusOK {
		if mimeErr != nil {
			return errors.New("it does not answer as a Kubo node does")
		}
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxMessage))
	if err != nil {
		return err
	}
	var said cmds.Error
	if kind == "application/json" && json.Unmarshal(text, &said) == nil {
		return &Error{said.Message}
	}
	again := *response
	again.Body = io.NopCloser(bytes.NewReader(text))
	return remote.CheckStatus("it", &again)
}

// body makes an *Error of the one that comes behind an answer.
type body struct {
	io.ReadCloser
	response *http.Response
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	if said := b.response.Trailer.Get(cmdshttp.StreamErrHeader); said != "" {
		b.response.Trailer.Del(cmdshttp.StreamErrHeader) // the client would make text of it
		err = &Error{said}
	}
	return n, err
}

// send sends a request, and hands the answer to read, which has to read it to
// its end: an error may come that late.
func send(ctx context.Context, request rpc.RequestBuilder, read func(io.Reader) error) error {
	response, err := request.Send(ctx)
	if sent, ok := errors.AsType[*url.Error](err); ok {
		return sent.Err // whoever hears of it knows what was asked, and of whom
	}
	if err != nil {
		return err
	}
	defer response.Cancel() //nolint:errcheck // all is read, or given up
	return read(response.Output)
}

// asked names a node and what was asked of it, for errors.
func (s *Store) asked(what string) string { return s.name + ": " + what }

// failed is an error that did not come from a request.
func (s *Store) failed(err error) error { return fmt.Errorf("%s: %w", s.name, err) }

// call makes a request, and visits the objects of the answer. It may be made
// again after some were visited.
func (s *Store) call(ctx context.Context, what string, request func() rpc.RequestBuilder, visit func(line []byte) error) error {
	return s.client.Do(ctx, s.asked(what), func(ctx context.Context) error {
		return send(ctx, request(), func(r io.Reader) error { return objects(r, visit) })
	})
}

// objects visits the JSON objects of an answer, each of which is a line.
func objects(r io.Reader, visit func(line []byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		if err := visit(lines.Bytes()); err != nil {
			return err
		}
	}
	return lines.Err()
}

// isAbsent says whether a node means that it has not got a block.
func isAbsent(err error) bool { return says(err, "ipld: could not find", "block not found") }

// isLate says whether a node gave up after the time that it was given.
func isLate(err error) bool { return says(err, context.DeadlineExceeded.Error()) }

func says(err error, words ...string) bool {
	said, ok := errors.AsType[*Error](err)
	return ok && slices.ContainsFunc(words, func(w string) bool { return strings.Contains(said.Message, w) })
}
