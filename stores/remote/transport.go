package remote

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
)

// transport sends requests with the credentials of where they go to, and marks
// errors as those of the network.
type transport struct {
	*http.Transport
	credentials *Credentials
	answered    atomic.Bool // by any machine
}

func newTransport(o Options) *transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns = 4 * o.AtOnce // some gateways redirect each CID to a host of its own
	t.MaxIdleConnsPerHost = o.AtOnce
	t.MaxConnsPerHost = o.AtOnce
	t.MaxResponseHeaderBytes = 256 << 10 // some are in memory for each request in flight
	// A connection that died silently must not take all that is sent over it
	// in the next minutes with it.
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: o.Timeout / 2, PingTimeout: o.Timeout / 2}
	t.TLSHandshakeTimeout = min(t.TLSHandshakeTimeout, o.Timeout)
	return &transport{Transport: t, credentials: o.Credentials}
}

// RoundTrip sends a request.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	sent := request.Clone(request.Context())
	sent.Header.Del("Referer") // the path of a gateway may be a secret to others
	private := t.credentials.addTo(sent)
	response, err := t.Transport.RoundTrip(sent)
	if err != nil {
		return nil, &networkError{err, isRefused(err) && !t.answered.Load()}
	}
	t.answered.Store(true)
	response.Request = request // without what was added
	response.Body = &body{response.Body, private}
	return response, nil
}

// body marks errors as those of the network.
type body struct {
	io.ReadCloser
	private bool // the request had credentials, which the answer may repeat
}

func (b *body) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	if err != nil && err != io.EOF {
		err = &networkError{err: err}
	}
	return n, err
}

// networkError is a request that could not be sent, or an answer that could not
// be read to its end.
type networkError struct {
	err    error
	nobody bool // the connection was refused, and nobody has answered yet
}

func (e *networkError) Error() string {
	if e.err == io.EOF {
		return "the connection was closed without an answer"
	}
	return e.err.Error()
}

func (e *networkError) Unwrap() error { return e.err }

// Nobody reports whether an error means that nobody listens at an address: a
// connection was refused, by the client's first requests. A server that was there
// before is likely to be there again.
func Nobody(err error) bool {
	e, ok := errors.AsType[*networkError](err)
	return ok && e.nobody
}

// checkRedirect follows redirects within reason.
func checkRedirect(next *http.Request, before []*http.Request) error {
	if next.URL.Scheme != "http" && next.URL.Scheme != "https" {
		return Permanent(fmt.Errorf("redirected to %q, which is neither http nor https", next.URL.Scheme))
	}
	if len(before) > 5 {
		return Permanent(errors.New("redirected too often"))
	}
	return nil
}

// withoutQueries returns an error whose text shows of the address of a request
// only what cannot be a secret.
func withoutQueries(err error) error {
	request, ok := errors.AsType[*url.Error](err)
	if !ok {
		return err
	}
	return &shown{err, strings.ReplaceAll(err.Error(), request.URL, address(request.URL))}
}

func address(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "an address"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// shown is an error with another text.
type shown struct {
	err  error
	text string
}

func (s *shown) Error() string { return s.text }
func (s *shown) Unwrap() error { return s.err }
