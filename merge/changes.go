package merge

import (
	"context"
	"errors"
	"io"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/diff"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/nodes"
)

// changes is a map that is merged by making the changes of all other versions to the
// first: where the maps are not alike.
type changes struct {
	*merger
	ours *adl.Node // nil for the empty map
	made map[string]change
}

// change is what a key's value became.
type change struct {
	value []byte // nil for none
	side  int    // the map that has it; 0 for none of them
}

// changesTogether is how many keys are looked up after their nodes were loaded together.
const changesTogether = 256

// changes merges the maps by their changes.
func (m *merger) changes(ctx context.Context) (result, error) {
	c := &changes{merger: m, made: map[string]change{}}
	if m.trees[1] != nil {
		c.ours = m.nodes[1]
	}
	for i := 2; i < len(m.nodes); i++ {
		if err := c.version(ctx, i); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// version makes the changes of one version.
func (c *changes) version(ctx context.Context, side int) error {
	batch := make([]diff.Change, 0, changesTogether)
	for change, err := range diff.Changes(ctx, c.nodes[0], c.nodes[side], diff.ByLookup(), diff.ReadAhead(c.ahead)) {
		if err != nil {
			return inSide(err, side)
		}
		if batch = append(batch, change); len(batch) == changesTogether {
			if err := c.makeAll(ctx, side, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return c.makeAll(ctx, side, batch)
}

// inSide says which map the fault of a diff is in.
func inSide(err error, side int) error {
	var f *diff.Error
	if !errors.As(err, &f) {
		return err
	}
	if f.Side == diff.A {
		side = int(Base)
	}
	return &Error{Side(side), f.Path, f.Err}
}

func (c *changes) makeAll(ctx context.Context, side int, batch []diff.Change) error {
	if c.ours != nil {
		keys := make([][]byte, len(batch))
		for i, change := range batch {
			keys[i] = change.Key
		}
		c.ours.Prefetch(ctx, keys)
	}
	for _, change := range batch {
		if err := c.make(ctx, side, change); err != nil {
			return err
		}
	}
	return nil
}

// make makes a change, if it has not been made, and nothing stands against it.
func (c *changes) make(ctx context.Context, side int, d diff.Change) error {
	before, err := c.current(ctx, d.Key)
	if err != nil {
		return err
	}
	values := make([][]byte, len(c.trees))
	for i := range values {
		values[i] = d.Before.Raw()
	}
	values[max(1, before.side)], values[side] = before.value, d.After.Raw()
	if before.side == 0 && c.Recursive { // what it links to is not written yet
		c.Recursive = false
		defer func() { c.Recursive = true }()
	}
	value, made, err := c.merged(ctx, d.Key, values)
	if err != nil {
		return err
	}
	after := change{value, side}
	switch {
	case made:
		after.side = 0
	case equal(value, before.value):
		return nil
	}
	c.made[string(d.Key)] = after
	return nil
}

// current returns the value that a key has so far.
func (c *changes) current(ctx context.Context, key []byte) (change, error) {
	if made, ok := c.made[string(key)]; ok {
		return made, nil
	}
	if c.ours == nil {
		return change{nil, 1}, nil
	}
	raw, ok, err := c.ours.GetRaw(ctx, key)
	if err != nil || !ok {
		return change{nil, 1}, at(err, Ours, c.path)
	}
	return change{cbor.Canonical(raw), 1}, nil
}

// publish builds the map.
func (c *changes) publish(ctx context.Context, dry bool) (*adl.Node, datamodel.Link, error) {
	into := c.into
	if dry {
		into.LinkSystem = discarding(into.LinkSystem)
	} else {
		for _, inner := range c.inner {
			if _, _, err := inner.publish(ctx, false); err != nil {
				return nil, nil, err
			}
		}
	}
	node, link, err := c.build(ctx, into)
	if dry {
		node = nil
	}
	return node, link, err
}

func (c *changes) build(ctx context.Context, into builder.Prototype) (*adl.Node, datamodel.Link, error) {
	staged, err := nodes.Stage(c.into)
	if err != nil {
		return nil, nil, err
	}
	if c.ours == nil || !staged.Holds(c.trees[1]) || c.ours.Params() != c.into.Params {
		return c.buildAll(ctx, into)
	}
	txn, err := into.Edit(c.ours)
	if err != nil {
		return nil, nil, err
	}
	for key, change := range c.made {
		if change.value == nil {
			_, err = txn.Delete(ctx, []byte(key))
		} else {
			err = txn.SetRaw([]byte(key), change.value)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return txn.Commit(ctx)
}

// buildAll builds the map of all entries.
func (c *changes) buildAll(ctx context.Context, into builder.Prototype) (*adl.Node, datamodel.Link, error) {
	bulk, err := into.NewBulk(builder.BulkOptions{})
	if err != nil {
		return nil, nil, err
	}
	defer bulk.Close()
	if c.ours != nil {
		for e, err := range c.ours.Entries(ctx) {
			if err != nil {
				return nil, nil, at(err, Ours, c.path)
			}
			if _, changed := c.made[e.KeyString()]; changed {
				continue
			}
			if err := bulk.SetRaw(e.Key(), cbor.Canonical(e.Raw())); err != nil {
				return nil, nil, err
			}
		}
	}
	for key, change := range c.made {
		if change.value == nil {
			continue
		}
		if err := bulk.SetRaw([]byte(key), change.value); err != nil {
			return nil, nil, err
		}
	}
	return bulk.Finish(ctx)
}

// discarding returns a LinkSystem that keeps nothing of what is written to it.
func discarding(lsys *linking.LinkSystem) *linking.LinkSystem {
	dry := *lsys
	dry.StorageWriteOpener = func(linking.LinkContext) (io.Writer, linking.BlockWriteCommitter, error) {
		return io.Discard, func(datamodel.Link) error { return nil }, nil
	}
	return &dry
}
