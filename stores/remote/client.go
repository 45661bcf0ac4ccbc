package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Client sends requests to other machines, in the bounds of its Options. It is
// safe for concurrent use.
type Client struct {
	options Options
	http    *http.Client
	places  chan struct{}
	retries folded
}

// New makes a client. Nothing is connected to yet.
func New(o Options) *Client {
	o = o.withDefaults()
	return &Client{
		options: o,
		http:    &http.Client{Transport: newTransport(o), CheckRedirect: checkRedirect},
		places:  make(chan struct{}, o.AtOnce),
	}
}

// HTTP is the client to send requests with, within the attempts of Do or Try:
// those bound the time and the number, this does not. Connections are kept
// alive; credentials are added to each request by its origin, also where a
// redirect leads.
func (c *Client) HTTP() *http.Client { return c.http }

// Warn tells the Warn of the Options.
func (c *Client) Warn(message string) { c.options.Warn(message) }

// Close closes the connections that nobody uses.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Do is Retry of Try: attempts in their bounds until one succeeds, or fails for
// good.
func (c *Client) Do(ctx context.Context, what string, attempt func(ctx context.Context) error) error {
	return c.Retry(ctx, what, func(ctx context.Context) error { return c.Try(ctx, attempt) })
}

// Try makes one attempt: it waits for a place among AtOnce, and then the
// attempt may take Timeout. If it takes longer its context ends, and the error
// says so; it is Temporary, and not context.DeadlineExceeded, which stays for
// ctx.
//
// An attempt must not make others within itself: each would keep its place
// while it waits for one more.
func (c *Client) Try(ctx context.Context, attempt func(ctx context.Context) error) error {
	return c.TryLong(ctx, func(ctx context.Context, _ func(io.Reader) io.Reader) error { return attempt(ctx) })
}

// TryLong is Try of an attempt that reads an answer of any length: through
// patient, each single read may take Timeout, and the time between reads is the
// reader's own. What comes before the first read still has Timeout in all.
func (c *Client) TryLong(ctx context.Context, attempt func(ctx context.Context, patient func(io.Reader) io.Reader) error) error {
	return c.try(ctx, func(ctx context.Context, timer *time.Timer) error {
		return attempt(ctx, func(r io.Reader) io.Reader { return &patientReader{r, timer, c.options.Timeout} })
	})
}

// TryMoving is Try of an attempt that may take any time as long as something
// moves: with each call of moved, Timeout begins anew.
func (c *Client) TryMoving(ctx context.Context, attempt func(ctx context.Context, moved func()) error) error {
	return c.try(ctx, func(ctx context.Context, timer *time.Timer) error {
		return attempt(ctx, func() { timer.Reset(c.options.Timeout) })
	})
}

// try makes an attempt that ends with the timer.
func (c *Client) try(ctx context.Context, attempt func(ctx context.Context, timer *time.Timer) error) error {
	select {
	case c.places <- struct{}{}:
		defer func() { <-c.places }()
	case <-ctx.Done():
		return ended(ctx)
	}
	attemptCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := &timeoutError{c.options.Timeout}
	timer := time.AfterFunc(late.after, func() { cancel(late) })
	defer timer.Stop()
	err := attempt(attemptCtx, timer)
	if err != nil && ctx.Err() == nil && context.Cause(attemptCtx) == error(late) {
		return late
	}
	return withoutQueries(err)
}

// patientReader lets a time limit run only while it reads.
type patientReader struct {
	from  io.Reader
	timer *time.Timer
	limit time.Duration
}

func (p *patientReader) Read(into []byte) (int, error) {
	p.timer.Reset(p.limit)
	defer p.timer.Stop()
	return p.from.Read(into)
}

// timeoutError is an attempt that took too long.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string { return fmt.Sprintf("no answer within %v", e.after) }

// Timeout is true, as net.Error has it.
func (e *timeoutError) Timeout() bool { return true }

// ended is why a context ended.
func ended(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, ctx.Err()) {
		return cause
	}
	return fmt.Errorf("%w: %w", ctx.Err(), cause)
}
