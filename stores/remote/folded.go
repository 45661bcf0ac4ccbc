package remote

import (
	"fmt"
	"sync"
	"time"
)

// foldFor is for how long after a warning others of its kind are counted and
// not told: a source that limits rates refuses all requests in flight at once.
// It is shorter than the wait before any retry, so those of one request are all
// told.
const foldFor = firstWait / 4

// folded lets one warning through at a time.
type folded struct {
	mu   sync.Mutex
	last time.Time // when one was told
	more int       // that were not, since
}

func (f *folded) tell(warn func(message string), message string) {
	f.mu.Lock()
	now := time.Now()
	if now.Sub(f.last) < foldFor {
		f.more++
		f.mu.Unlock()
		return
	}
	if f.more > 0 {
		message += fmt.Sprintf(" (and %d others like it since the last)", f.more)
	}
	f.last, f.more = now, 0
	f.mu.Unlock()
	warn(message)
}
