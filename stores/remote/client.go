package remote

import (
	"context"
	"errors"
	"fmt"
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

// Warn calls Warn of the Options with a message, without the credentials in it.
func (c *Client) Warn(message string) { c.options.Warn(c.options.Credentials.hidden(message)) }

// Close closes the connections that are not in use.
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
	return c.try(ctx, func(ctx context.Context, _ *time.Timer) error { return attempt(ctx) })
}

// TryLong is Try of an attempt that reads an answer of many parts: what is done
// within part may take Timeout each time, however its bytes drip in, and the
// time between parts is the attempt's own. What comes before the first part has
// Timeout in all.
func (c *Client) TryLong(ctx context.Context, attempt func(ctx context.Context, part func(read func() error) error) error) error {
	return c.try(ctx, func(ctx context.Context, timer *time.Timer) error {
		return attempt(ctx, func(read func() error) error {
			timer.Reset(c.options.Timeout)
			defer timer.Stop()
			return read()
		})
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
