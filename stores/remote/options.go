// Package remote is how stores on other machines are talked to: one HTTP client
// with kept-alive connections, a bounded number of requests in flight, a time
// limit for each, retries of what may succeed when tried again, and credentials
// that go to whom they are meant for and nowhere else.
package remote

import "time"

// Defaults of Options.
const (
	DefaultTimeout = 30 * time.Second
	DefaultRetries = 5
	DefaultAtOnce  = 64
)

// Options say how other machines are talked to. The zero value stands for the
// defaults.
type Options struct {
	// Timeout is how long one request may take, from sending it to the last
	// byte of the answer. 0 means DefaultTimeout.
	Timeout time.Duration
	// Retries is how often a request is sent again that failed and may
	// succeed. 0 means DefaultRetries; less than 0, that none is. A source that
	// says when to come back is asked more often, see MaxPatience.
	Retries int
	// AtOnce is how many requests may be in flight. 0 means DefaultAtOnce.
	AtOnce int
	// Credentials are added to requests by where they go; nil for none. They
	// must not be changed any more.
	Credentials *Credentials
	// Warn, if not nil, is called with what went wrong and is being tried again. It
	// may be called from several goroutines at once.
	Warn func(message string)
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	switch {
	case o.Retries == 0:
		o.Retries = DefaultRetries
	case o.Retries < 0:
		o.Retries = 0
	}
	if o.AtOnce <= 0 {
		o.AtOnce = DefaultAtOnce
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	return o
}
