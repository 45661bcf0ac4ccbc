package proof

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/internal/blockio"
	"github.com/ipld-hamt/go-ipld-hamt/internal/trie"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// ErrNotProven is in every error that says that a proof does not prove what it
// should: it is for another root, key or version, it was altered, or a block is
// missing, too many, or not where it has to be. A *fault.Error in it names the block
// and its path, where there is one. That a proof could not be read, or that there
// was nothing to prove, is another error.
var ErrNotProven = errors.New("not proven")

// ErrBudget is in the errors of proofs with more blocks or bytes than the verifier
// allows. Those are ErrNotProven as well.
var ErrBudget = errors.New("over the budget")

// What a [Checker] allows unless told otherwise. The proof of one key takes one to
// four blocks in most maps, of some ten thousand bytes each.
const (
	DefaultMaxBlocks = 1 << 16
	DefaultMaxBytes  = 64 << 20
)

// Checker checks proofs. The zero value is ready to use, for maps in the
// specification's layout. It is safe for concurrent use.
//
// Blocks in other codecs than DAG-CBOR need theirs to be registered with go-ipld-prime,
// which importing it does.
type Checker struct {
	// Params are the parameters of maps in Filecoin's layouts, whose blocks do not
	// carry them. They are the verifier's to know.
	Params params.Params
	// MaxBlocks is the largest number of blocks that a proof may have; 0 stands for
	// DefaultMaxBlocks.
	MaxBlocks int
	// MaxBytes is the largest size of a proof in bytes, the whole file; 0 stands for
	// DefaultMaxBytes. Checking takes a few times that much memory at most. No
	// block may be larger than 16 MiB in any case.
	MaxBytes int64
}

// replay is a proof that takes the place of a store. It gives each block once it is
// asked for, in the order of the proof and in no other.
type replay struct {
	car    carReader
	blocks int               // that it may still have
	seen   map[string][]byte // by binary CID
	loader *blockio.Loader
}

// open begins to check a proof about maps with these roots.
func (c Checker) open(r io.Reader, roots ...cid.Cid) (*replay, error) {
	for _, root := range roots {
		if !root.Defined() {
			return nil, errors.New("hamt: no root was given")
		}
	}
	if err := c.Params.Validate(); err != nil {
		return nil, err
	}
	if r == nil {
		return nil, errors.New("hamt: no proof was given")
	}
	maxBlocks, maxBytes := c.MaxBlocks, c.MaxBytes
	if maxBlocks == 0 {
		maxBlocks = DefaultMaxBlocks
	}
	if maxBytes == 0 {
		maxBytes = DefaultMaxBytes
	}
	p := &replay{
		car:    carReader{in: bufio.NewReader(r), left: maxBytes},
		blocks: maxBlocks,
		seen:   map[string][]byte{},
	}
	// The cache keeps all: the budget bounds it.
	p.loader = blockio.NewOver(p.read, math.MaxInt64, blockio.DefaultMaxRead)
	if err := p.car.header(); err != nil {
		return nil, p.refused(err)
	}
	return p, nil
}

// read returns the block that is asked for, which has to be the next one.
func (p *replay) read(_ context.Context, c cid.Cid) ([]byte, error) {
	if block, ok := p.seen[c.KeyString()]; ok {
		return block, nil
	}
	if err := checkHash(c); err != nil {
		return nil, err
	}
	if p.blocks--; p.blocks < 0 {
		return nil, fmt.Errorf("%w: the proof has too many blocks", ErrBudget)
	}
	block, err := p.car.section(c)
	if err != nil {
		return nil, err
	}
	p.seen[c.KeyString()] = block
	return block, nil
}

// tree opens the map with this root.
func (p *replay) tree(root cid.Cid, given params.Params) (*trie.Tree, error) {
	link, err := blockio.Link(root.Bytes())
	if err != nil {
		return nil, err
	}
	t, err := trie.Open(context.Background(), p.loader, link, given.WithDefaults())
	if err != nil {
		return nil, p.refused(err)
	}
	return t, nil
}

// end ends a check whose operation has returned err: nothing may be left.
func (p *replay) end(err error) error {
	if err == nil {
		err = p.car.end()
	}
	return p.refused(err)
}

// refused returns the error of a check.
func (p *replay) refused(err error) error {
	switch {
	case err == nil:
		return nil
	case p.car.failed != nil:
		return fmt.Errorf("hamt: the proof cannot be read: %w", p.car.failed)
	}
	return &refusal{err}
}

// refusal is ErrNotProven, and why.
type refusal struct{ cause error }

func (e *refusal) Error() string {
	return fmt.Sprintf("hamt: %s: %s", ErrNotProven, strings.TrimPrefix(e.cause.Error(), "hamt: "))
}

func (e *refusal) Unwrap() []error { return []error{ErrNotProven, e.cause} }

// checkHash refuses links that do not bind to one block: those with too little of a
// digest, or by a hash function that is none of cryptography. Who made the map could
// otherwise prove one thing to one verifier and another to the next.
func checkHash(c cid.Cid) error {
	if err := blockio.CheckDigest(c, false); err != nil {
		return err
	}
	switch code := c.Prefix().MhType; {
	case code == multihash.IDENTITY, // the link is the block
		code == multihash.SHA2_256, code == multihash.SHA2_512, code == multihash.SHA3_224, code == multihash.SHA3_256,
		code == multihash.SHA3_384, code == multihash.SHA3_512, code == multihash.KECCAK_224, code == multihash.KECCAK_256,
		code == multihash.KECCAK_384, code == multihash.KECCAK_512, code == multihash.DBL_SHA2_256, code == multihash.BLAKE3,
		code >= multihash.BLAKE2B_MIN && code <= multihash.BLAKE2B_MAX,
		code >= multihash.BLAKE2S_MIN && code <= multihash.BLAKE2S_MAX:
		return nil
	default:
		return fmt.Errorf("its link is by hash function 0x%x, of which nobody says that it is secure", code)
	}
}
