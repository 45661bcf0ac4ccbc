package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// ask asks gateways in turn until one has what is asked for. Those that may
// have it another time are asked again after a while, together, and those that
// will not are not.
func (s *Store) ask(ctx context.Context, what string, c cid.Cid, whom []*source, attempt func(context.Context, *source) error) error {
	q := &question{store: s, about: c, left: whom, attempt: attempt}
	err := s.client.Retry(ctx, fmt.Sprintf("%s %s", what, c), q.round)
	if nowhere, ok := errors.AsType[*absentError](err); ok {
		return nowhere
	}
	return err
}

// question is something that gateways are asked for.
type question struct {
	store   *Store
	about   cid.Cid
	attempt func(context.Context, *source) error
	left    []*source // those that may still give it
	final   []error   // of the others
	asked   []string  // all that said that they have not got it
}

// round asks each gateway that is left once.
func (q *question) round(ctx context.Context) error {
	var again []*source
	var failed []error
	for _, g := range inOrder(q.left) {
		err := q.askOne(ctx, g)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil || is[*broken](err):
			return err
		case remote.Temporary(err):
			again, failed = append(again, g), append(failed, err)
			continue
		case absent(err):
			q.asked = append(q.asked, g.name)
		}
		q.final = append(q.final, err)
	}
	q.left = again
	if len(again) == 0 && len(q.asked) == len(q.final) {
		return &absentError{stores.NotFound{CID: q.about}, q.asked}
	}
	return several(slices.Concat(q.final, failed))
}

// inOrder puts those that do well before those that fail, and those that lied
// last; else the order is the user's.
func inOrder(gateways []*source) []*source {
	now := time.Now()
	var ranks [3][]*source
	for _, g := range gateways {
		rank := g.health.rank(now)
		ranks[rank] = append(ranks[rank], g)
	}
	return slices.Concat(ranks[:]...)
}

func (q *question) askOne(ctx context.Context, g *source) error {
	if err := g.health.notNow(time.Now()); err != nil {
		return err
	}
	err := q.attempt(ctx, g)
	if ctx.Err() != nil {
		return err
	}
	if g.health.learn(err, time.Now()) {
		q.store.client.Warn(fmt.Sprintf("%v; this gateway is asked last from now on", err))
	}
	return err
}

// absentError says that no gateway has a block.
type absentError struct {
	stores.NotFound
	asked []string
}

func (e *absentError) Error() string {
	return fmt.Sprintf("block %s is not at %s", e.CID, strings.Join(e.asked, ", nor at "))
}

func (e *absentError) Unwrap() error { return e.NotFound }

// several is the errors of several gateways, in one line.
type several []error

func (s several) Error() string {
	texts := make([]string, len(s))
	for i, err := range s {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (s several) Unwrap() []error { return s }

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
