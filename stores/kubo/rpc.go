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

// streamError is the trailer that holds the error of a command which failed after
// its answer had begun.
const streamError = "X-Stream-Error"

// checkResponse returns an error for every answer but that of a command which is
// being carried out: an *Error where it is the node that answers.
func checkResponse(response *http.Response) error {
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
	var said struct{ Message, Type string }
	if kind == "application/json" && json.Unmarshal(text, &said) == nil && said.Type == "error" {
		return &Error{Message: said.Message}
	}
	again := *response
	again.Body = io.NopCloser(bytes.NewReader(text))
	return remote.CheckStatus("it", &again)
}

// stream is the body of an answer. It ends with an *Error where one comes behind
// the answer.
type stream struct{ response *http.Response }

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.response.Body.Read(p)
	if errors.Is(err, io.EOF) {
		if said := s.response.Trailer.Get(streamError); said != "" {
			err = &Error{Message: said}
		}
	}
	return n, err
}

// withoutURL returns the error of a request without the request.
func withoutURL(err error) error {
	if sent, ok := errors.AsType[*url.Error](err); ok {
		return sent.Err
	}
	return err
}

// asked names a node and what was asked of it, for errors.
func (s *Store) asked(what string) string { return s.name + ": " + what }

// failed is an error that did not come from a request.
func (s *Store) failed(err error) error { return fmt.Errorf("%s: %w", s.name, err) }

// call makes a request, and visits the objects of the answer. It may be made
// again after some were visited.
func (s *Store) call(ctx context.Context, what string, makeRequest func() *request, visit func(line []byte) error) error {
	return s.client.Do(ctx, s.asked(what), func(ctx context.Context) error {
		return s.api.send(ctx, makeRequest(), func(r io.Reader) error { return objects(r, visit) })
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

// isAbsent reports whether an error is a node's, that it does not have a block.
func isAbsent(err error) bool { return says(err, "ipld: could not find", "block not found") }

// isLate reports whether a node gave up after the time that it was given.
func isLate(err error) bool { return says(err, context.DeadlineExceeded.Error()) }

func says(err error, words ...string) bool {
	said, ok := errors.AsType[*Error](err)
	return ok && slices.ContainsFunc(words, func(w string) bool { return strings.Contains(said.Message, w) })
}
