package car_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-car/v2"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/traversal"
	"github.com/ipld/go-ipld-prime/traversal/selector"
)

// graphsync's ipldutil.Traverser and VerifyCar of trustless-utils, which lassie
// checks CARs with, are in modules that cannot be had here. These tests have
// LinkSystems that do as they do, except that they return an error where those
// end the process or read another's memory. So each shows, too, that a map that
// loads ahead breaks them.

// walk traverses everything through a LinkSystem.
func walk(t *testing.T, lsys linking.LinkSystem, root cid.Cid) error {
	start, err := lsys.Load(linking.LinkContext{Ctx: t.Context()}, cidlink.Link{Cid: root}, basicnode.Prototype.Any)
	if err != nil {
		return err
	}
	compiled, err := selector.CompileSelector(everything)
	if err != nil {
		return err
	}
	progress := traversal.Progress{Cfg: &traversal.Config{
		Ctx: t.Context(), LinkSystem: lsys, LinkTargetNodePrototypeChooser: basicnode.Chooser,
	}}
	return progress.WalkMatching(start, compiled, func(traversal.Progress, datamodel.Node) error { return nil })
}

// stepper lets another goroutine answer the loads of a traversal, as graphsync's
// Traverser does. One lock says whose turn it is: the traversal holds it while it
// runs, releases it when it needs a block, and has it again with the block.
type stepper struct {
	lock     atomic.Bool // held
	requests chan datamodel.Link
	blocks   chan io.Reader
}

var errUnlocked = errors.New("unlock of an unlocked lock")

func (s *stepper) open(_ linking.LinkContext, link datamodel.Link) (io.Reader, error) {
	if !s.lock.CompareAndSwap(true, false) {
		return nil, errUnlocked // sync.Mutex ends the process
	}
	s.requests <- link
	return <-s.blocks, nil
}

// step runs the traversal, answers its loads, and returns the links that it asked
// for.
func (s *stepper) step(t *testing.T, lsys linking.LinkSystem, root cid.Cid) (asked []cid.Cid, err error) {
	answers := lsys.StorageReadOpener
	lsys.StorageReadOpener = s.open
	done := make(chan error, 1)
	s.lock.Store(true)
	go func() { done <- walk(t, lsys, root) }()
	for {
		select {
		case err := <-done:
			return asked, err
		case link := <-s.requests:
			asked = append(asked, cidOf(link))
			block, err := answers(linking.LinkContext{Ctx: t.Context()}, link)
			if err != nil {
				t.Error(err)
			}
			s.lock.Store(true)
			s.blocks <- block
		}
	}
}

func newStepper() *stepper {
	return &stepper{requests: make(chan datamodel.Link), blocks: make(chan io.Reader)}
}

func TestHabitsOfGraphsync(t *testing.T) {
	store, root, want := large(t)
	for _, delay := range delays {
		for name, reifier := range serial {
			t.Run(fmt.Sprint(name, delay), func(t *testing.T) {
				asked, err := newStepper().step(t, reifying(store, delay, reifier), root)
				if err != nil {
					t.Fatal(err)
				}
				sameOrder(t, asked, want)
			})
		}
	}
	t.Run("a map that loads ahead breaks them", func(t *testing.T) {
		if _, err := newStepper().step(t, reifying(store, time.Millisecond, ahead), root); !errors.Is(err, errUnlocked) {
			t.Errorf("error %v", err)
		}
	})
}

// checker answers loads with the next block of a CAR, which has to be the one
// that is asked for, as VerifyCar does. The CAR's reader checks the bytes, so the
// LinkSystem trusts them.
type checker struct {
	car  *car.BlockReader
	busy atomic.Bool
}

var errUnexpected = errors.New("unexpected block in CAR")

func (c *checker) open(_ linking.LinkContext, link datamodel.Link) (io.Reader, error) {
	if !c.busy.CompareAndSwap(false, true) {
		return nil, fmt.Errorf("%w: two are read at the same time", errUnexpected)
	}
	defer c.busy.Store(false)
	block, err := c.car.Next()
	if err != nil {
		return nil, err
	}
	if !block.Cid().Equals(cidOf(link)) {
		return nil, fmt.Errorf("%w: %s, not %s", errUnexpected, block.Cid(), link)
	}
	return bytes.NewReader(block.RawData()), nil
}

// check verifies that a CAR has what a traversal asks for, and no more.
func check(t *testing.T, archive []byte, root cid.Cid, reifier linking.NodeReifier) error {
	reader, err := car.NewBlockReader(bytes.NewReader(archive))
	if err != nil {
		return err
	}
	lsys := cidlink.DefaultLinkSystem()
	lsys.TrustedStorage = true
	lsys.NodeReifier = reifier
	lsys.StorageReadOpener = (&checker{car: reader}).open
	if err := walk(t, lsys, root); err != nil {
		return err
	}
	if block, err := reader.Next(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("extraneous block in CAR: %v, %v", block, err)
	}
	return nil
}

func TestHabitsOfTrustlessUtils(t *testing.T) {
	store, root, _ := large(t)
	// Whoever wrote the CAR knows nothing of HAMTs.
	archive := traverse(t, store.LinkSystem(), root, everything)
	for name, reifier := range serial {
		t.Run(name, func(t *testing.T) {
			if err := check(t, archive, root, reifier); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("a map that loads ahead breaks them", func(t *testing.T) {
		if err := check(t, archive, root, ahead); !errors.Is(err, errUnexpected) {
			t.Errorf("error %v", err)
		}
	})
}
