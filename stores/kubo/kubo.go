package kubo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
	"golang.org/x/sync/semaphore"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// Defaults of Options.
const (
	DefaultBatchBytes  = 8 << 20
	DefaultBatchBlocks = 8192
)

// Options say how a node is used. The zero value stands for the defaults.
type Options struct {
	// Remote says how the node is talked to. An import or a pin may take longer
	// than Remote.Timeout: it ends when nothing has moved for that time.
	Remote remote.Options
	// Pin lets Publish pin roots, recursively. See the package about what a
	// pin takes in.
	Pin bool
	// BatchBytes is how many bytes of blocks are sent in one import, unless a
	// single block has more. Some batches are in memory at once. 0 means
	// DefaultBatchBytes.
	BatchBytes int
	// BatchBlocks is how many blocks are sent in one import. 0 means
	// DefaultBatchBlocks.
	BatchBlocks int
}

// Store is an IPFS node. It is safe for concurrent use.
type Store struct {
	stores.WritableBase
	name    string // of the node, for errors
	api     *client
	client  *remote.Client
	options Options
	timeout time.Duration // of one request

	lifetime context.Context // of imports; done when one has failed
	end      context.CancelCauseFunc
	imports  *semaphore.Weighted // as many as may be under way

	mu      sync.Mutex
	filling batch
	waiting map[string][]byte // blocks that the node has not acknowledged

	naming sync.Mutex // held while pins are looked at and changed
}

var (
	_ stores.Writable = (*Store)(nil)
	_ stores.Named    = (*Store)(nil)
	_ stores.Syncer   = (*Store)(nil)
)

// Open returns the store of a node: of the one with an API at an http or https URL
// without credentials in it, or at a multiaddr on TCP (/ip4/127.0.0.1/tcp/5001).
// "" means the local node: the address in the file api of its repository
// ($IPFS_PATH or ~/.ipfs), else http://127.0.0.1:5001. The node is not asked
// before something is wanted of it.
func Open(ctx context.Context, address string, o Options) (*Store, error) {
	at, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	if o.BatchBytes == 0 {
		o.BatchBytes = DefaultBatchBytes
	}
	if o.BatchBlocks == 0 {
		o.BatchBlocks = DefaultBatchBlocks
	}
	s := &Store{
		name:    "Kubo node " + at.String(),
		client:  remote.New(o.Remote),
		options: o,
		timeout: o.Remote.Timeout,
		imports: semaphore.NewWeighted(importsAtOnce),
		waiting: map[string][]byte{},
	}
	if s.timeout <= 0 {
		s.timeout = remote.DefaultTimeout
	}
	s.api = newClient(at, s.client)
	s.lifetime, s.end = context.WithCancelCause(context.WithoutCancel(ctx))
	s.WritableBase = stores.NewWritableBase(stores.Blocks{Get: s.get, Has: s.has, Checked: true}, s.put)
	return s, nil
}

// get returns a block. A node that is online asks its peers for what it does not
// have, and says nothing while they do not have it either: that it did not find the
// block in time is another error than NotFound.
func (s *Store) get(ctx context.Context, c cid.Cid) ([]byte, error) {
	if block, ok := s.isWaiting(c); ok {
		return block, stores.Check(c, block)
	}
	var block []byte
	// The node gives up before we do. So one that searches in vain is known from
	// one that does not answer, and is asked again.
	patience := s.timeout - s.timeout/10
	err := s.client.Do(ctx, s.asked("block "+c.String()), func(ctx context.Context) error {
		return s.api.send(ctx, newRequest("block/get", c.String()).option("timeout", patience), func(r io.Reader) (err error) {
			block, err = readBlock(r, c)
			return err
		})
	})
	switch {
	case isAbsent(err):
		return nil, stores.NotFound{CID: c}
	case isLate(err):
		return nil, s.failed(fmt.Errorf("block %s: neither it nor a peer of it gave the block within %v", c, patience))
	case err != nil:
		return nil, err
	}
	return block, nil
}

func readBlock(r io.Reader, c cid.Cid) ([]byte, error) {
	block, err := stores.ReadBlock(r, 0)
	if err != nil {
		return nil, err
	}
	return block, stores.Check(c, block)
}

// has reports whether the node itself has a block. It does not ask its peers.
func (s *Store) has(ctx context.Context, c cid.Cid) (bool, error) {
	if _, ok := s.isWaiting(c); ok {
		return true, nil
	}
	var stat struct{ Key string }
	err := s.call(ctx, "block "+c.String(), func() *request {
		return newRequest("block/stat", c.String()).option("offline", true)
	}, func(line []byte) error { return json.Unmarshal(line, &stat) })
	if isAbsent(err) {
		return false, nil
	}
	if err == nil && stat.Key != c.String() {
		err = s.failed(fmt.Errorf("block %s: asked for it, it tells of %q", c, stat.Key))
	}
	return err == nil, err
}

// Close ends the imports that are under way.
func (s *Store) Close() error {
	s.end(errClosed)
	// Each of them ends soon, since its context is done.
	err := s.imports.Acquire(context.Background(), importsAtOnce)
	s.client.Close()
	return err
}

var errClosed = errors.New("the store is closed")
