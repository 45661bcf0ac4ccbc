package builder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"

	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/cbor"
	"github.com/ipld-hamt/go-ipld-hamt/internal/hashsort"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
)

// DefaultBulkMemory is how much a Bulk keeps in memory unless told otherwise,
// in bytes.
const DefaultBulkMemory = 256 << 20

// Repeated says what a Bulk does with a key that comes again.
type Repeated uint8

const (
	// LastWins keeps the value that came last.
	LastWins Repeated = iota
	// Refuse makes it fault.ErrRepeatedKey. Keys are compared when they are
	// sorted, so the error comes from Finish, or from a later Set that spills.
	Refuse
)

// BulkOptions say how a Bulk works. The zero value stands for the defaults.
type BulkOptions struct {
	// MemoryBytes is how much is kept in memory before it is sorted and spilled
	// to disk: the entries, and twice 16 bytes for each, with which they are
	// sorted. Finish needs at most as much again, and at most 16 MiB, for
	// reading. What the garbage collector leaves lying about, as much as all of
	// this by default, comes on top: debug.SetMemoryLimit sets it a bound. 0
	// means DefaultBulkMemory.
	MemoryBytes int64
	// SpillDir is where the directory for what is spilled is made; "" means
	// os.TempDir(). As much as all entries take is needed there, and while
	// many runs are merged twice as much.
	SpillDir string
	// Repeated says what to do with a key that comes again.
	Repeated Repeated
	// Progress, if not nil, is called now and then, by the goroutine that
	// calls Set or Finish or one that Finish waits for, never twice at once.
	// Writing waits for it.
	Progress func(BulkProgress)
}

// BulkProgress is how far a Bulk is.
type BulkProgress struct {
	Added   int64 // entries set
	Spilled int64 // of them, entries spilled to disk
	Blocks  int64 // blocks written
}

// progressEvery is the number of entries or blocks between calls of Progress.
const progressEvery = 1 << 12

// mergeAt is the number of runs that are merged into one, so that the number
// of open files stays small however large the map is.
const mergeAt = 64

// Bulk builds a map from a stream of entries in any order. What does not fit
// into its memory is sorted and spilled, and merged in the end. It writes
// blocks as it makes them, so an error leaves blocks behind that nothing links
// to. With Prototype.WritesAtOnce, up to 32 MiB of blocks, and 16 times as many
// as may be being written, wait for their turn. A Bulk is for one goroutine.
type Bulk struct {
	config   *config
	options  BulkOptions
	values   *writer // of blocks of values that are not inline
	buffered *hashsort.Buffer
	dir      string // of the runs; "" until there is one
	runs     []*hashsort.Run
	runCount int // runs so far, those that were merged too
	buffer   []byte
	progress BulkProgress
	done     bool
}

var errBulkDone = errors.New("hamt: the Bulk is finished or closed")

// NewBulk begins a map.
func (p Prototype) NewBulk(o BulkOptions) (*Bulk, error) {
	config, err := p.open()
	if err != nil {
		return nil, err
	}
	if o.MemoryBytes < 1 {
		o.MemoryBytes = DefaultBulkMemory
	}
	return &Bulk{config: config, options: o, values: config.writer(config.Context, nil), buffered: hashsort.NewBuffer(config.Params, config.hasher)}, nil
}

// Set adds an entry. A value that has no DAG-CBOR form is fault.ErrValue. Typed
// nodes are stored in their representation form, and a HAMT, at any depth of the
// value, as a link to its root; of one that stands in another LinkSystem the
// blocks are copied at once, where they are missing, under the prototype's
// Context. An error in spilling leaves all
// entries, this one too, in memory, and the next Set tries again. With
// Prototype.WritesAtOnce, values that become blocks are written meanwhile: an
// error in that comes from a later call and stays, and only Close is left.
func (b *Bulk) Set(key []byte, value datamodel.Node) (err error) {
	var nested nestedMaps
	if b.buffer, err = b.config.appendValue(b.buffer[:0], value, &nested); err != nil {
		return err
	}
	if err := b.config.copyMaps(b.config.Context, maps.Values(nested), false); err != nil {
		return err
	}
	return b.set(key, b.buffer)
}

// SetString is Set by the bytes of a string.
func (b *Bulk) SetString(key string, value datamodel.Node) error { return b.Set([]byte(key), value) }

// SetRaw adds an entry whose value is in DAG-CBOR already; fault.ErrValue where
// it is not, or not in its canonical form.
func (b *Bulk) SetRaw(key, dagCBOR []byte) error {
	if err := cbor.Check(dagCBOR); err != nil {
		return err
	}
	return b.set(key, dagCBOR)
}

func (b *Bulk) set(key, raw []byte) error {
	if b.done {
		return errBulkDone
	}
	if err := b.config.layout.CheckKey(key); err != nil {
		return err
	}
	inline, own, err := b.config.inlineOrBlock(raw)
	if err != nil {
		return err
	}
	if own != nil {
		if err := b.values.add(&pending{block: *own}); err != nil {
			return err
		}
	}
	b.buffered.Add(key, inline)
	b.progress.Added++
	if b.progress.Added%progressEvery == 0 {
		b.report()
	}
	if b.buffered.Memory() > b.options.MemoryBytes {
		return b.spill()
	}
	return nil
}

func repeated(key []byte) error {
	return &fault.Error{Kind: fault.ErrRepeatedKey, Key: bytes.Clone(key)}
}

func (b *Bulk) report() {
	if b.options.Progress != nil {
		b.options.Progress(b.progress)
	}
}

// spill sorts what is in memory into a run.
func (b *Bulk) spill() (err error) {
	if b.dir == "" {
		if b.dir, err = os.MkdirTemp(b.options.SpillDir, "hamt-spill-"); err != nil {
			return fmt.Errorf("hamt: no place to spill to: %w", err)
		}
	}
	run, err := b.sorter().Spill(b.buffered, b.dir, b.runCount)
	if err != nil {
		return spillError(err)
	}
	b.runCount++
	b.progress.Spilled += run.Entries
	b.buffered.Reset()
	if b.runs = append(b.runs, run); len(b.runs) < mergeAt {
		return nil
	}
	merged, err := b.sorter().MergeRuns(b.runs, b.dir, b.runCount)
	if err != nil {
		return spillError(err)
	}
	b.runCount++
	b.runs = append(b.runs[:0], merged)
	return nil
}

func spillError(err error) error {
	if errors.Is(err, fault.ErrRepeatedKey) {
		return err
	}
	return fmt.Errorf("hamt: spilling: %w", err)
}

func (b *Bulk) sorter() hashsort.Sorter {
	s := hashsort.NewSorter(b.config.Params, b.config.hasher)
	s.Repeated, s.BufferBytes = b.repeated(), b.bufferBytes()
	return s
}

// bufferBytes is the read buffer of each run: together they stay within the
// memory that the buffered had.
func (b *Bulk) bufferBytes() int { return int(min(1<<18, b.options.MemoryBytes/mergeAt)) }

// repeated is what is asked about repeated keys; nil for no objection.
func (b *Bulk) repeated() func(key []byte) error {
	if b.options.Repeated == Refuse {
		return repeated
	}
	return nil
}

// Finish writes the tree and returns the map and its root, as [Txn.Commit]
// does. It ends the Bulk, with or without an error, and removes what was
// spilled.
func (b *Bulk) Finish(ctx context.Context) (node *adl.Node, root datamodel.Link, err error) {
	if b.done {
		return nil, nil, errBulkDone
	}
	b.done = true
	defer func() {
		if err = errors.Join(err, b.Close()); err != nil {
			node, root = nil, nil
		}
	}()
	if node, err = b.finish(ctx); err != nil {
		return nil, nil, err
	}
	root, err = node.Link()
	return node, root, err
}

func (b *Bulk) finish(ctx context.Context) (*adl.Node, error) {
	if err := b.finishValues(ctx); err != nil {
		return nil, err
	}
	w := b.config.writer(ctx, b.wrote)
	defer w.stop()
	root, count, err := b.emit(w)
	if err != nil {
		return nil, err
	}
	if err := w.wait(); err != nil {
		return nil, err
	}
	raw := root.AppendRoot(nil)
	named, err := b.config.blockWriter.Encode(raw)
	if err != nil {
		return nil, trie.Oversized(err, raw, fault.Path{}, b.config.Params)
	}
	if err := b.config.blockWriter.Write(ctx, named); err != nil {
		return nil, err
	}
	b.progress.Blocks++
	b.report()
	link, err := blockio.Link(named.CID)
	if err != nil {
		return nil, err
	}
	return b.config.node(b.config.Context, raw, len(named.Bytes), link, count)
}

// finishValues waits for the values that are being written, no longer than the
// context allows.
func (b *Bulk) finishValues(ctx context.Context) error {
	defer context.AfterFunc(ctx, b.values.cancel)()
	err := b.values.wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// wrote counts a block.
func (b *Bulk) wrote() {
	b.progress.Blocks++
	if b.progress.Blocks%progressEvery == 0 {
		b.report()
	}
}

// emit makes all blocks but the root, and hands them to a writer.
func (b *Bulk) emit(w *writer) (root *block.Encoder, count int64, err error) {
	trees := b.config.trees(w.puts)
	trees.Repeated = b.repeated()
	if len(b.runs) == 0 {
		return trees.Buffer(b.buffered)
	}
	return trees.Runs(b.runs, b.buffered, b.bufferBytes())
}

// Close removes what was spilled and ends the Bulk. It is for a Bulk that is
// not finished; after Finish it does nothing.
func (b *Bulk) Close() error {
	b.done = true
	b.values.stop()
	b.buffered, b.runs = nil, nil
	if b.dir == "" {
		return nil
	}
	dir := b.dir
	b.dir = ""
	return os.RemoveAll(dir)
}
