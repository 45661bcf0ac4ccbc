package remote

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// The waits before an attempt is made again: the first, which each time is
// doubled up to the longest, give or take a half by chance.
const (
	firstWait   = 500 * time.Millisecond
	longestWait = 15 * time.Second
)

// Bounds of waiting for a source that says when to come back (Retry-After).
// Beyond them the request fails at once: the caller knows better what to do in
// the meantime.
const (
	// MaxRetryAfter is the longest single wait that a source is granted. Kubo's
	// gateway, when it has too much to do, asks for exactly this.
	MaxRetryAfter = time.Minute
	// MaxPatience is how long one request waits in all for a source that each
	// time says to come back later.
	MaxPatience = 5 * time.Minute
)

// Permanent says that an error is not Temporary, whatever is in it.
func Permanent(err error) error { return backoff.Permanent(err) }

// Retry makes an attempt, and makes it again after a while as long as its error
// is Temporary, up to Retries times. The while grows exponentially, with
// jitter. Where the error says when to come back (StatusError.RetryAfter) that
// is when, and it does not count: a source that is asked for more than it wants
// to give at a time refuses the same request many times before its turn. Such
// waits have bounds in time instead, MaxRetryAfter and MaxPatience. Warn is
// told of each retry, but for those of several requests at about the same time:
// of them it is told how many there were.
//
// The error begins with what, which should name the source and what is asked of
// it, and wraps the last error of an attempt. Where ctx ended, or ends before
// the wait would be over, in which case nothing is waited for, the error wraps
// its error too (context.DeadlineExceeded, context.Canceled).
func (c *Client) Retry(ctx context.Context, what string, attempt func(ctx context.Context) error) error {
	err := c.retry(ctx, what, attempt)
	if err == nil {
		return nil
	}
	if text := err.Error(); c.options.Credentials.hidden(text) != text {
		return &shown{err, c.options.Credentials.hidden(text)} // the other side may say what it was told
	}
	return err
}

func (c *Client) retry(ctx context.Context, what string, attempt func(ctx context.Context) error) error {
	p := newPauses(c.options.Retries)
	for made := 1; ; made++ {
		err := attempt(ctx)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return failed(what, withReason(ended(ctx), err), made)
		case !Temporary(err):
			return failed(what, err, made)
		}
		wait, enough := p.after(err)
		if enough != nil {
			return failed(what, enough, made)
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
			return failed(what, fmt.Errorf("%w: no time left to ask again in %v, after: %w",
				context.DeadlineExceeded, round(wait), err), made)
		}
		c.retries.tell(c.Warn, fmt.Sprintf("%s: %v; trying again in %v", what, err, round(wait)))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return failed(what, withReason(ended(ctx), err), made)
		}
	}
}

// pauses are the waits of one request between its attempts.
type pauses struct {
	growing backoff.ExponentialBackOff
	retries int           // how many are allowed
	made    int           // how many were made
	patient time.Duration // how long we waited because we were told to
}

func newPauses(retries int) *pauses {
	return &pauses{retries: retries, growing: backoff.ExponentialBackOff{
		InitialInterval:     firstWait,
		RandomizationFactor: 0.5,
		Multiplier:          2,
		MaxInterval:         longestWait,
	}}
}

// after is how long to wait after a temporary error, or why not to.
func (p *pauses) after(err error) (wait time.Duration, enough error) {
	wait, told := p.growing.NextBackOff(), RetryAfter(err)
	switch {
	case p.made == p.retries:
		return 0, err
	case told > MaxRetryAfter:
		return 0, fmt.Errorf("%w, and that is longer than we wait (%v)", err, MaxRetryAfter)
	case told == 0:
		p.made++
		return wait, nil
	}
	wait = told + wait/10 // lest all come back at the same moment
	if p.patient += wait; p.patient > MaxPatience {
		return 0, fmt.Errorf("%w, and we waited for %v already", err, round(p.patient-wait))
	}
	return wait, nil
}

// failed is the last word about something that was attempted.
func failed(what string, err error, attempts int) error {
	if attempts == 1 {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w (%d attempts)", what, err, attempts)
}

// withReason is the end of a context, and the error it was met with where that
// says more.
func withReason(ended, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return ended
	}
	return fmt.Errorf("%w, after: %w", ended, err)
}

// round leaves of a duration what a reader wants to know.
func round(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }
