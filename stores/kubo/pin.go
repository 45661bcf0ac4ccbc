package kubo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/fluent/qp"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// pinned is a recursive pin as a node lists it. A pin may have no name.
type pinned struct{ Cid, Name string }

// pins visits recursive pins: of one root, or those that an option chooses.
func (s *Store) pins(ctx context.Context, makeRequest func() *request, visit func(pinned) error) error {
	return s.call(ctx, "its pins", func() *request {
		return makeRequest().option("type", "recursive").option("names", true).option("stream", true)
	}, func(line []byte) error {
		var p pinned
		if err := json.Unmarshal(line, &p); err != nil {
			return err
		}
		return visit(p)
	})
}

// pinOf finds the recursive pin of a root.
func (s *Store) pinOf(ctx context.Context, root cid.Cid) (p pinned, found bool, err error) {
	err = s.pins(ctx, func() *request { return newRequest("pin/ls", root.String()) }, func(one pinned) error {
		p, found = one, true
		return nil
	})
	if says(err, "is not pinned") {
		return pinned{}, false, nil
	}
	return p, found, err
}

// addPin pins a root recursively, which makes the node load all there is below
// it. The pin that the root has is gone meanwhile.
func (s *Store) addPin(ctx context.Context, root cid.Cid, name string) error {
	return s.client.Retry(ctx, s.asked("pin of "+root.String()), func(ctx context.Context) error {
		nodes := -1 // which the node has gone through
		err := s.client.TryMoving(ctx, func(ctx context.Context, moved func()) error {
			request := newRequest("pin/add", root.String()).option("progress", true).option("name", name)
			return s.api.send(ctx, request, func(r io.Reader) error {
				return objects(r, func(line []byte) error {
					var said struct{ Progress int }
					// It says how far it is all the time, also where it stands.
					if err := json.Unmarshal(line, &said); err != nil || said.Progress == nodes {
						return err
					}
					nodes = said.Progress
					moved()
					return nil
				})
			})
		})
		late, ok := errors.AsType[interface {
			error
			Timeout() bool
		}](err)
		stuck := nodes >= 0 && ok && late.Timeout()
		if stuck || isAbsent(err) {
			// It would be the same again.
			return remote.Permanent(fmt.Errorf("%w after %d blocks: a recursive pin takes in what the map's values link to, and some of that seems to be nowhere", err, max(nodes, 0)))
		}
		return err
	})
}

// renamePin changes the name of the pin of a root, or removes it.
//
// The node cannot do that. It forgets the pin, goes through everything below the
// root and makes a new one: if it is killed then, or finds some block nowhere,
// nothing holds the root any more. So the pin of a small block that links to the
// root holds it meanwhile. What a crash leaves is that pin, and the next renaming
// of this root takes it away.
func (s *Store) renamePin(ctx context.Context, root cid.Cid, name string) error {
	guard, err := guardOf(root)
	if err != nil {
		return err
	}
	if err := s.putBlock(ctx, guard, true); err != nil {
		return err
	}
	begun := context.WithoutCancel(ctx) // and to be finished
	if name == "" {
		err = s.pinAsItIs(begun, root)
	} else if err = s.addPin(ctx, root, name); err != nil {
		if undo := s.pinAsItIs(begun, root); undo != nil {
			return errors.Join(err, undo) // and the guard stays
		}
	}
	return errors.Join(err, s.removePin(begun, guard.CID))
}

// guardOf makes the block whose pin holds a root.
func guardOf(root cid.Cid) (carfile.Block, error) {
	node, err := qp.BuildList(basicnode.Prototype.List, 2, func(list datamodel.ListAssembler) {
		qp.ListEntry(list, qp.String("holds a HAMT while the name of its pin changes"))
		qp.ListEntry(list, qp.Link(cidlink.Link{Cid: root}))
	})
	if err != nil {
		return carfile.Block{}, err
	}
	var block bytes.Buffer
	if err := dagcbor.Encode(node, &block); err != nil {
		return carfile.Block{}, err
	}
	c, err := cid.V1Builder{Codec: cid.DagCBOR, MhType: multihash.SHA2_256}.Sum(block.Bytes())
	return carfile.Block{CID: c, Data: block.Bytes()}, err
}

// pinAsItIs pins a root without a name, and without going through what is below
// it, which was pinned before: a block that is put can be pinned with all that it
// links to.
func (s *Store) pinAsItIs(ctx context.Context, root cid.Cid) error {
	block, err := s.Get(ctx, root)
	if err != nil {
		return err
	}
	if err := s.putBlock(ctx, carfile.Block{CID: root, Data: block}, true); err != nil {
		return err
	}
	p, found, err := s.pinOf(ctx, root)
	if err == nil && (!found || p.Name != "") {
		err = s.failed(fmt.Errorf("%s did not get a pin without a name", root))
	}
	return err
}

func (s *Store) removePin(ctx context.Context, c cid.Cid) error {
	err := s.call(ctx, "removal of the pin of "+c.String(), func() *request { return newRequest("pin/rm", c.String()) }, func([]byte) error { return nil })
	if says(err, "not pinned") {
		return nil // an earlier attempt did it
	}
	return err
}
