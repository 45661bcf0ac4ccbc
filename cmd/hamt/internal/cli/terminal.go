package cli

import (
	"bytes"
	"context"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/escape"
)

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// progress counts something that takes long. What is counted pays for an
// addition; drawing goes on beside it.
type progress struct {
	at   atomic.Pointer[phase]
	to   io.Writer // nil where nothing is drawn
	stop chan struct{}
	gone chan struct{}
}

// phase is a part of the work that is counted for itself.
type phase struct {
	total atomic.Int64 // -1 where it is not known
	done  atomic.Int64
	bar   *progressbar.ProgressBar // nil where nothing is drawn
}

const (
	progressAfter = time.Second // what is done before then needs no bar
	progressEvery = 100 * time.Millisecond
)

// progress begins to count. The bar is drawn when stderr is a terminal, and
// taken away by end.
func (a *app) progress(what string, total int64, bytes bool) *progress {
	p := &progress{}
	if !a.quiet && isTerminal(a.err) {
		p.to = a.err
	}
	p.start(&a.screen, what, total, bytes)
	return p
}

func (p *progress) start(s *screen, what string, total int64, bytes bool) {
	p.begin(what, total, bytes)
	if p.to != nil {
		p.stop, p.gone = make(chan struct{}), make(chan struct{})
		go p.draw(s)
	}
}

// begin begins a phase. Its bar measures the time from now on, and not from when it is
// first drawn: by then much may be done.
func (p *progress) begin(what string, total int64, bytes bool) {
	now := &phase{}
	now.total.Store(total)
	if p.to != nil {
		now.bar = newBar(p.to, what, total, bytes)
		now.bar.StartWithoutRender()
	}
	p.at.Store(now)
}

// next begins another phase, whose end is not known.
func (p *progress) next(what string) { p.begin(what, -1, false) }

// nextBytes begins another phase, which counts bytes.
func (p *progress) nextBytes(what string, total int64) { p.begin(what, total, true) }

func (p *progress) add(n int64) { p.at.Load().done.Add(n) }

// set sets how far the phase is. Of several concurrent calls, the furthest counts.
func (p *progress) set(n int64) {
	done := &p.at.Load().done
	for old := done.Load(); n > old && !done.CompareAndSwap(old, n); old = done.Load() {
	}
}

// of sets how much there will be.
func (p *progress) of(total int64) { p.at.Load().total.Store(total) }

// drawn reports whether anybody sees the progress.
func (p *progress) drawn() bool { return p.to != nil }

func (p *progress) end() {
	if p.stop == nil {
		return
	}
	close(p.stop)
	<-p.gone
	p.stop = nil
}

func (p *progress) draw(s *screen) {
	defer close(p.gone)
	select {
	case <-p.stop:
		return
	case <-time.After(progressAfter):
	}
	ticks := time.NewTicker(progressEvery)
	defer ticks.Stop()
	defer s.draw(nil, 0, 0)
	for {
		now := p.at.Load()
		s.draw(now.bar, now.done.Load(), now.total.Load())
		select {
		case <-ticks.C:
		case <-p.stop:
			return
		}
	}
}

// screen keeps the bar apart from lines, where both go to one terminal.
type screen struct {
	mu  sync.Mutex
	bar *progressbar.ProgressBar // that is to be seen, if any is
}

// draw shows how far a bar is, in the place of the one that was there; nil for
// none. One that cannot be drawn is nothing to fail for.
func (s *screen) draw(bar *progressbar.ProgressBar, done, total int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar != nil && s.bar != bar {
		_ = s.bar.Clear()
	}
	s.bar = bar
	if bar == nil {
		return
	}
	if total != bar.GetMax64() && total > 0 {
		bar.ChangeMax64(total)
	}
	if total > 0 { // a full bar would finish itself, before the work is finished
		done = min(done, total-1)
	}
	_ = bar.Set64(done)
}

// print has something printed where no bar is; the bar comes back beneath it.
func (s *screen) print(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar != nil {
		_ = s.bar.Clear()
	}
	do()
}

// beside writes whole lines to a terminal in which there may be a bar. What a
// terminal would obey is escaped: a key may hold anything.
type beside struct {
	to     io.Writer
	screen *screen
	line   []byte // that is not at its end yet
}

func (b *beside) Write(p []byte) (int, error) {
	end := bytes.LastIndexByte(p, '\n') + 1
	if end == 0 {
		b.line = append(b.line, p...)
		return len(p), nil
	}
	err := b.print(append(b.line, p[:end]...))
	b.line = append(b.line[:0], p[end:]...)
	return len(p), err
}

// finish writes what is left.
func (b *beside) finish() error {
	if len(b.line) == 0 {
		return nil
	}
	return b.print(b.line)
}

func (b *beside) print(text []byte) (err error) {
	shown := escape.Append(nil, text, "\n\t")
	b.screen.print(func() { _, err = b.to.Write(shown) })
	return err
}

func newBar(w io.Writer, what string, total int64, bytes bool) *progressbar.ProgressBar {
	return progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(bytes),
		progressbar.OptionUseIECUnits(true),
		progressbar.OptionShowCount(),
		progressbar.OptionSetWidth(30),
		progressbar.OptionClearOnFinish(),
		// Only draw draws: a goroutine of the bar's would do so beside it.
		progressbar.OptionSetSpinnerChangeInterval(0),
	)
}

// counting counts what is read.
type counting struct {
	io.Reader
	progress *progress
}

func (c counting) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.progress.add(int64(n))
	return n, err
}

// interruptible ends a read when the context is done, even where the
// stream has nothing to give: a terminal at which nobody types, say. The read
// that is under way is then left behind; it ends with the process.
type interruptible struct {
	ctx    context.Context
	reader io.Reader
	buffer []byte
	result chan readResult
}

type readResult struct {
	n   int
	err error
}

func newInterruptible(ctx context.Context, r io.Reader) *interruptible {
	return &interruptible{ctx, r, make([]byte, 64<<10), make(chan readResult, 1)}
}

func (r *interruptible) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	room := r.buffer[:min(len(p), len(r.buffer))]
	go func() {
		n, err := r.reader.Read(room)
		r.result <- readResult{n, err}
	}()
	select {
	case got := <-r.result:
		return copy(p, room[:got.n]), got.err
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	}
}
