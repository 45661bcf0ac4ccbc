package cli

import (
	"context"
	"iter"
	"sync/atomic"
)

// inOrder answers questions at the same time and in their order.
type inOrder[Q, A any] struct {
	atOnce int // questions under way
	answer func(ctx context.Context, question Q) (A, error)
	size   func(answer A) int64 // about how many bytes it takes
	idle   func()               // is called whenever the next answer is not there yet
}

// The bounds of what waits for its turn: no question is begun while there are as many
// before it, or while the answers among them take as many bytes.
const (
	mostWaiting      = 4096
	mostWaitingBytes = 64 << 20
)

type answered[A any] struct {
	answer A
	err    error
	size   int64
}

// all visits the answers. The iteration is over after an error; breaking it off ends the
// context of the questions and of what is under way, and waits for them.
func (o inOrder[Q, A]) all(ctx context.Context, questions func(ctx context.Context) iter.Seq2[Q, error]) iter.Seq2[A, error] {
	return func(yield func(A, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		queue := make(chan chan answered[A], mostWaiting)
		places := make(chan struct{}, o.atOnce)
		freed := make(chan struct{}, 1)
		var held atomic.Int64
		go func() {
			defer close(queue)
			for question, err := range questions(ctx) {
				for held.Load() > mostWaitingBytes && ctx.Err() == nil {
					select {
					case <-freed:
					case <-ctx.Done():
					}
				}
				select {
				case places <- struct{}{}:
				case <-ctx.Done():
					return
				}
				done := make(chan answered[A], 1)
				select {
				case queue <- done:
				case <-ctx.Done():
					return
				}
				if err != nil {
					done <- answered[A]{err: err}
					return
				}
				go func() {
					a := answered[A]{}
					if a.answer, a.err = o.answer(ctx, question); a.err == nil {
						a.size = o.size(a.answer)
						held.Add(a.size)
					}
					<-places
					done <- a
				}()
			}
		}()
		defer func() {
			cancel()
			for done := range queue {
				<-done
			}
		}()
		for {
			done, more := next(queue, o.idle)
			if !more {
				if err := ctx.Err(); err != nil {
					var none A
					yield(none, err)
				}
				return
			}
			a, _ := next(done, o.idle)
			goOn := yield(a.answer, a.err) && a.err == nil
			held.Add(-a.size)
			select {
			case freed <- struct{}{}:
			default:
			}
			if !goOn {
				return
			}
		}
	}
}

// next receives from a channel, and calls idle first where nothing is there.
func next[T any](from <-chan T, idle func()) (value T, ok bool) {
	select {
	case value, ok = <-from:
	default:
		idle()
		value, ok = <-from
	}
	return value, ok
}
