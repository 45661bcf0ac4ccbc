package kubo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
)

// importsAtOnce is how many batches may be on their way. They are in memory
// until the node has acknowledged them.
const importsAtOnce = 3

// largestMoved is the largest block that nodes send each other (Bitswap).
const largestMoved = 2 << 20

// batch is what goes into one import.
type batch struct {
	blocks []carfile.Block
	bytes  int
}

// isFull reports whether a batch has to be sent before a block of n bytes goes into
// the next one.
func (b *batch) isFull(n int, o Options) bool {
	return len(b.blocks) > 0 && (b.bytes+n > o.BatchBytes || len(b.blocks) >= o.BatchBlocks)
}

// put takes a block, which is sent with others later on. It waits while too many
// batches are on their way.
func (s *Store) put(ctx context.Context, c cid.Cid, block []byte) error {
	if len(block) > largestMoved {
		s.client.Warn(s.asked(fmt.Sprintf("block %s has %d bytes, and nodes send each other no more than 2 MiB", c, len(block))))
	}
	for {
		taken, err := s.take(c, block)
		if taken || err != nil {
			return err
		}
		if err := s.sendBatch(ctx); err != nil {
			return err
		}
	}
}

// take puts a block into the batch, unless that has to be sent first.
func (s *Store) take(c cid.Cid, block []byte) (taken bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := context.Cause(s.lifetime); err != nil {
		return false, err
	}
	if _, ok := s.waiting[c.KeyString()]; ok {
		return true, nil
	}
	if s.filling.isFull(len(block), s.options) {
		return false, nil
	}
	s.filling.blocks = append(s.filling.blocks, carfile.Block{CID: c, Data: block})
	s.filling.bytes += len(block)
	s.waiting[c.KeyString()] = block
	return true, nil
}

func (s *Store) isWaiting(c cid.Cid) (block []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	block, ok = s.waiting[c.KeyString()]
	return block, ok
}

// sendBatch lets the batch go on its way, and returns when it has begun.
func (s *Store) sendBatch(ctx context.Context) error {
	if err := s.imports.Acquire(ctx, 1); err != nil {
		return err
	}
	s.mu.Lock()
	full := s.filling
	s.filling = batch{}
	s.mu.Unlock()
	go func() {
		defer s.imports.Release(1)
		if err := s.importBatch(s.lifetime, full); err != nil {
			s.end(err) // the first is the one that stays
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, block := range full.blocks {
			delete(s.waiting, block.CID.KeyString())
		}
	}()
	return nil
}

// flush returns when the node has acknowledged all blocks that were put.
func (s *Store) flush(ctx context.Context) error {
	if err := s.sendBatch(ctx); err != nil {
		return err
	}
	if err := s.imports.Acquire(ctx, importsAtOnce); err != nil {
		return err
	}
	s.imports.Release(importsAtOnce)
	return context.Cause(s.lifetime)
}

// Sync returns when the node has acknowledged all blocks that were put, or an
// import has failed, which is an error of Put and Publish and not of this, or
// after the time that a request may take.
func (s *Store) Sync() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	if err := s.flush(ctx); ctx.Err() != nil && err != nil {
		return s.failed(fmt.Errorf("it did not get all blocks that were put within %v", s.timeout))
	}
	return nil
}

// Publish returns when the node has acknowledged all blocks that were put, and
// has the root; with Options.Pin when the root is pinned. A block of another
// store that the root reaches is not looked for, except by a pin.
func (s *Store) Publish(ctx context.Context, root cid.Cid) error {
	if err := s.publish(ctx, root); err != nil || !s.options.Pin {
		return err
	}
	s.naming.Lock()
	defer s.naming.Unlock()
	_, pinned, err := s.pinOf(ctx, root)
	if err != nil || pinned {
		return err
	}
	return s.addPin(ctx, root, "")
}

func (s *Store) publish(ctx context.Context, root cid.Cid) error {
	if err := s.flush(ctx); err != nil {
		return err
	}
	has, err := s.Has(ctx, root)
	if err == nil && !has {
		err = s.failed(stores.NotFound{CID: root})
	}
	return err
}

// importable reports whether blocks in a codec can be sent in a CAR: Kubo decodes
// what is in one, and knows these. Others are put one by one, undecoded.
func importable(codec uint64) bool {
	switch multicodec.Code(codec) {
	case multicodec.Raw, multicodec.DagPb, multicodec.DagCbor, multicodec.DagJson, multicodec.Cbor, multicodec.Json:
		return true
	}
	return false
}

// importBatch brings the blocks of a batch to the node.
func (s *Store) importBatch(ctx context.Context, full batch) error {
	var car batch
	for _, block := range full.blocks {
		if importable(block.CID.Type()) {
			car.blocks = append(car.blocks, block)
			car.bytes += len(block.Data)
			continue
		}
		if err := s.putBlock(ctx, block, false); err != nil {
			return err
		}
	}
	if len(car.blocks) == 0 {
		return nil
	}
	what := s.asked(fmt.Sprintf("import of %d blocks", len(car.blocks)))
	return s.client.Retry(ctx, what, func(ctx context.Context) error {
		return s.client.TryMoving(ctx, func(ctx context.Context, moved func()) error { return s.importCAR(ctx, car, moved) })
	})
}

// importCAR makes one attempt to import blocks.
func (s *Store) importCAR(ctx context.Context, car batch, moved func()) error {
	stream := car.stream()
	defer stream.Close() //nolint:errcheck // a pipe has no error
	request := newRequest("dag/import").
		option("pin-roots", false).option("stats", true).option("allow-big-block", true).
		body(watched{stream, moved})
	acknowledged := false
	err := s.api.send(ctx, request, func(r io.Reader) error {
		return objects(r, func(line []byte) (err error) {
			acknowledged, err = car.isAcknowledgement(line)
			return err
		})
	})
	if err == nil && !acknowledged {
		err = errors.New("it does not say how many blocks it has imported")
	}
	return err
}

// isAcknowledgement reads what a node says about an import: that it took in just
// what was sent. A CAR that was cut short between two blocks is a CAR.
func (b *batch) isAcknowledgement(line []byte) (bool, error) {
	var said struct {
		Stats *struct{ BlockCount, BlockBytesCount int }
	}
	if err := json.Unmarshal(line, &said); err != nil || said.Stats == nil {
		return false, err
	}
	if said.Stats.BlockCount != len(b.blocks) || said.Stats.BlockBytesCount != b.bytes {
		return false, fmt.Errorf("it imported %d blocks of %d bytes, and not %d of %d: %w",
			said.Stats.BlockCount, said.Stats.BlockBytesCount, len(b.blocks), b.bytes, io.ErrUnexpectedEOF)
	}
	return true, nil
}

// stream returns the blocks as a CAR that is made while it is read. It has to be
// closed.
func (b *batch) stream() io.ReadCloser {
	r, w := io.Pipe()
	go func() { w.CloseWithError(b.writeCAR(w)) }()
	return r
}

func (b *batch) writeCAR(w io.Writer) error {
	car, err := carfile.NewWriter(w)
	if err != nil {
		return err
	}
	for _, block := range b.blocks {
		if err := car.Put(context.Background(), block.CID, block.Data); err != nil {
			return err
		}
	}
	return car.Finish()
}

// watched is a reader that calls moved before each read.
type watched struct {
	io.Reader
	moved func()
}

func (w watched) Read(p []byte) (int, error) {
	w.moved()
	return w.Reader.Read(p)
}

// putBlock puts a single block. Pinned with it is what it links to, without a
// look at whether that is there.
func (s *Store) putBlock(ctx context.Context, block carfile.Block, pin bool) error {
	prefix := block.CID.Prefix()
	var put struct{ Key string }
	err := s.call(ctx, "put of block "+block.CID.String(), func() *request {
		return newRequest("block/put").
			option("cid-codec", multicodec.Code(prefix.Codec)).option("mhtype", multicodec.Code(prefix.MhType)).option("mhlen", prefix.MhLength).
			option("allow-big-block", true).option("pin", pin).
			body(bytes.NewReader(block.Data))
	}, func(line []byte) error { return json.Unmarshal(line, &put) })
	if err != nil {
		return err
	}
	if c, err := cid.Decode(put.Key); err != nil || !c.Equals(block.CID) {
		return s.failed(fmt.Errorf("block %s: put, it is called %q", block.CID, put.Key))
	}
	return nil
}
