package gateway

import (
	"errors"
	"sync"
	"time"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// health is what is known of how a gateway does.
type health struct {
	mu       sync.Mutex
	failures int                // in a row
	rests    time.Time          // until when others are asked first
	busy     remote.StatusError // how it said to come back later
	busyTill time.Time          // and when
	lied     bool
	noCAR    bool
}

// A gateway that fails rests a while, in which others are asked first. The
// while is doubled with each failure in a row.
const (
	firstRest   = time.Second
	longestRest = 2 * time.Minute
)

// rank is the place of a gateway among others: 0 for one that does well, 2 for
// one that lied, which is worse than failing. A gateway whose rest is over is
// asked first again by one request, and by the others if that goes well.
func (h *health) rank(now time.Time) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.lied:
		return 2
	case h.failures == 0:
		return 0
	case now.Before(h.rests):
		return 1
	}
	h.rests = now.Add(h.rest())
	return 0
}

func (h *health) rest() time.Duration {
	return min(firstRest<<min(h.failures-1, 10), longestRest)
}

// notNow is the error of a gateway that said to come back later, as long as
// that is to come.
func (h *health) notNow(now time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	left := h.busyTill.Sub(now)
	if left <= 0 {
		return nil
	}
	again := h.busy
	again.RetryAfter = left
	return &again
}

// learn takes in how a request went, and reports whether it is news that the
// gateway lies.
func (h *health) learn(err error, now time.Time) (lies bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	status, answered := errors.AsType[*remote.StatusError](err)
	switch {
	case errors.Is(err, stores.ErrWrongBytes):
		lies, h.lied = !h.lied, true
	case answered && remote.Temporary(err) && status.RetryAfter > 0:
		h.busy, h.busyTill = *status, now.Add(status.RetryAfter)
	case err == nil, errors.Is(err, ErrNoCAR), answered && !remote.Temporary(err):
		h.failures = 0
	default:
		h.failures++
		h.rests = now.Add(h.rest())
	}
	return lies
}

// withoutCAR remembers that a gateway serves single blocks only.
func (h *health) withoutCAR() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.noCAR = true
}

// givesCAR reports whether a gateway may serve CARs.
func (h *health) givesCAR() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.noCAR && !h.lied
}
