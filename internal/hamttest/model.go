package hamttest

import (
	"context"
	"fmt"
	"testing"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// Model is what a map should hold: a plain Go map.
type Model map[string]datamodel.Node

func (m Model) Apply(ops []Operation) {
	for _, op := range ops {
		if op.Value == nil {
			delete(m, string(op.Key))
		} else {
			m[string(op.Key)] = op.Value
		}
	}
}

func ByAssembler(_ context.Context, prototype builder.Prototype, content Model) (*adl.Node, error) {
	nb := prototype.NewBuilder()
	ma, err := nb.BeginMap(int64(len(content)))
	if err != nil {
		return nil, err
	}
	for key, value := range content {
		if err := ma.AssembleKey().AssignString(key); err != nil {
			return nil, err
		}
		if err := ma.AssembleValue().AssignNode(value); err != nil {
			return nil, err
		}
	}
	if err := ma.Finish(); err != nil {
		return nil, err
	}
	return nb.Build().(*adl.Node), nil
}

func ByBulk(ctx context.Context, prototype builder.Prototype, content Model) (*adl.Node, error) {
	return Bulk(ctx, prototype, content, builder.BulkOptions{})
}

// BySpillingBulk has room for so little that nearly every entry is a run; for
// large maps a bit more, because each run is a file.
func BySpillingBulk(ctx context.Context, prototype builder.Prototype, content Model) (*adl.Node, error) {
	memory := int64(1)
	if len(content) > 30 {
		memory = 1 << 12
	}
	return Bulk(ctx, prototype, content, builder.BulkOptions{MemoryBytes: memory})
}

func Bulk(ctx context.Context, prototype builder.Prototype, content Model, o builder.BulkOptions) (*adl.Node, error) {
	b, err := prototype.NewBulk(o)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	for key, value := range content {
		if err := b.Set([]byte(key), value); err != nil {
			return nil, err
		}
	}
	n, _, err := b.Finish(ctx)
	return n, err
}

// Operation is one line of a step: a value is to be set, or with nil the key
// to be deleted.
type Operation struct {
	Key   []byte
	Value datamodel.Node
}

// ManyLevels are parameters under which few entries make a deep tree.
func ManyLevels() params.Params {
	return params.Params{HashAlg: multicodec.Sha2_256, BitWidth: 3, BucketSize: 1}
}

// Numbered is a map of n entries: key-0 is 0, key-1 is 1 and so on.
func Numbered(n int) Model {
	content := Model{}
	for i := range n {
		content[fmt.Sprint("key-", i)] = basicnode.NewInt(int64(i))
	}
	return content
}

// Build makes a map, by the assembler.
func Build(t testing.TB, p builder.Prototype, content Model) *adl.Node {
	t.Helper()
	node, err := ByAssembler(t.Context(), p, content)
	if err != nil {
		t.Fatal(err)
	}
	return node
}

// Stored builds a map in a new store and gives the store and the root.
func Stored(t testing.TB, p params.Params, content Model) (*Store, datamodel.Link) {
	t.Helper()
	s := NewStore()
	return s, RootOf(t, Build(t, builder.Prototype{Params: p, LinkSystem: s.LinkSystem()}, content))
}

func RootOf(t testing.TB, n *adl.Node) datamodel.Link {
	t.Helper()
	link, err := n.Link()
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func Load(t testing.TB, s *Store, root datamodel.Link, options ...hamt.Option) *adl.Node {
	t.Helper()
	n, err := hamt.Load(t.Context(), s.LinkSystem(), root, options...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func LoadWith(ctx context.Context, s *Store, root datamodel.Link) (*adl.Node, error) {
	return hamt.Load(ctx, s.LinkSystem(), root)
}

func SetAll(txn *builder.Txn, content Model) error {
	for key, value := range content {
		if err := txn.SetString(key, value); err != nil {
			return err
		}
	}
	return nil
}

// Maker is a way of making a map.
type Maker = func(ctx context.Context, p builder.Prototype, content Model) (*adl.Node, error)

// Makers are those that can fail on the content.
var Makers = map[string]Maker{
	"assembler": ByAssembler,
	"Bulk":      ByBulk,
	"spilling":  BySpillingBulk,
	"Txn": func(ctx context.Context, p builder.Prototype, content Model) (*adl.Node, error) {
		txn := Must(p.NewTxn())
		if err := SetAll(txn, content); err != nil {
			return nil, err
		}
		n, _, err := txn.Commit(ctx)
		return n, err
	},
}

// ApplyTo does operations in a transaction.
func ApplyTo(t *testing.T, txn *builder.Txn, ops []Operation) {
	t.Helper()
	for _, op := range ops {
		var err error
		if op.Value == nil {
			_, err = txn.Delete(t.Context(), op.Key)
		} else {
			err = txn.Set(op.Key, op.Value)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
