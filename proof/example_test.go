package proof_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/storage/memstore"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/proof"
)

func newLinkSystem() *linking.LinkSystem {
	lsys := cidlink.DefaultLinkSystem()
	store := &memstore.Store{Bag: map[string][]byte{}}
	lsys.SetReadStorage(store)
	lsys.SetWriteStorage(store)
	return &lsys
}

// ages returns a map of ages and its root.
func ages() (*adl.Node, cid.Cid) {
	return build(map[string]int64{"Alice": 7, "Bob": 8, "Carol": 9})
}

// build returns a map and its root.
func build(content map[string]int64) (*adl.Node, cid.Cid) {
	txn, err := builder.Prototype{LinkSystem: newLinkSystem()}.NewTxn()
	if err != nil {
		panic(err)
	}
	for name, age := range content {
		if err := txn.SetString(name, basicnode.NewInt(age)); err != nil {
			panic(err)
		}
	}
	m, root, err := txn.Commit(context.Background())
	if err != nil {
		panic(err)
	}
	return m, root.(cidlink.Link).Cid
}

// dagCBOR encodes a number.
func dagCBOR(n int64) []byte {
	raw, err := ipld.Encode(basicnode.NewInt(n), dagcbor.Encode)
	if err != nil {
		panic(err)
	}
	return raw
}

// Who has the map writes the proof of two keys, one of which is not there.
func ExampleWrite() {
	m, _ := ages()
	var car bytes.Buffer
	if err := proof.Write(context.Background(), &car, m, []byte("Bob"), []byte("Dave")); err != nil {
		panic(err)
	}
	fmt.Println(car.Len(), "bytes")
	// Output: 184 bytes
}

// Who has the root, and nothing else, checks it.
func ExampleCheck() {
	m, root := ages()
	var car bytes.Buffer
	if err := proof.Write(context.Background(), &car, m, []byte("Bob"), []byte("Dave")); err != nil {
		panic(err)
	}
	results, err := proof.Check(&car, root, []byte("Bob"), []byte("Dave"))
	if err != nil {
		panic(err)
	}
	for _, r := range results {
		if !r.Present() {
			fmt.Printf("%s is not there\n", r.Key)
			continue
		}
		value, err := ipld.Decode(r.Value, dagcbor.Decode)
		if err != nil {
			panic(err)
		}
		age, err := value.AsInt()
		if err != nil {
			panic(err)
		}
		fmt.Println(string(r.Key), age)
	}
	// Output:
	// Bob 8
	// Dave is not there
}

// A Checker takes no more than it is told to.
func ExampleChecker_Check() {
	m, root := ages()
	var car bytes.Buffer
	if err := proof.Write(context.Background(), &car, m, []byte("Bob")); err != nil {
		panic(err)
	}
	checker := proof.Checker{MaxBlocks: 10, MaxBytes: 100}
	_, err := checker.Check(&car, root, []byte("Bob"))
	fmt.Println(errors.Is(err, proof.ErrNotProven), errors.Is(err, proof.ErrBudget))
	// Output: true true
}

// Who has a version of the map writes the proof of what changes make of it.
func ExampleWriteChange() {
	m, _ := ages()
	changes := []proof.Change{
		{Key: []byte("Bob"), Value: dagCBOR(9)},
		{Key: []byte("Carol")}, // is deleted
	}
	var car bytes.Buffer
	next, err := proof.WriteChange(context.Background(), &car, m, changes)
	if err != nil {
		panic(err)
	}
	_, root := build(map[string]int64{"Alice": 7, "Bob": 9})
	fmt.Println(next == root)
	// Output: true
}

// Who has the two roots and the changes checks that there was no other change.
func ExampleCheckChange() {
	m, root := ages()
	changes := []proof.Change{{Key: []byte("Bob"), Value: dagCBOR(9)}, {Key: []byte("Carol")}}
	var car bytes.Buffer
	next, err := proof.WriteChange(context.Background(), &car, m, changes)
	if err != nil {
		panic(err)
	}
	fmt.Println(proof.CheckChange(bytes.NewReader(car.Bytes()), root, next, changes))
	err = proof.CheckChange(bytes.NewReader(car.Bytes()), root, next, changes[:1])
	fmt.Println(errors.Is(err, proof.ErrNotProven))
	// Output:
	// <nil>
	// true
}

// An audit asks for all entries of a part of the map that nobody could have chosen.
func ExampleWritePrefix() {
	m, root := ages()
	var car bytes.Buffer
	if err := proof.WritePrefix(context.Background(), &car, m, []byte{0xc0}, 2); err != nil {
		panic(err)
	}
	results, err := proof.CheckPrefix(&car, root, []byte{0xc0}, 2)
	if err != nil {
		panic(err)
	}
	fmt.Println(len(results), "of 3")
	// Output: 1 of 3
}

// With 0 bits a proof is of the whole map.
func ExampleCheckPrefix() {
	m, root := ages()
	var car bytes.Buffer
	if err := proof.WritePrefix(context.Background(), &car, m, nil, 0); err != nil {
		panic(err)
	}
	results, err := proof.CheckPrefix(&car, root, nil, 0)
	if err != nil {
		panic(err)
	}
	for _, r := range results {
		fmt.Println(string(r.Key))
	}
	// Output:
	// Alice
	// Carol
	// Bob
}

// That a key was left alone is proven without saying what its value is.
func ExampleWriteSame() {
	m, _ := ages()
	next, _ := build(map[string]int64{"Alice": 7, "Bob": 9})
	var car bytes.Buffer
	fmt.Println(proof.WriteSame(context.Background(), &car, m, next, []byte("Alice")))
	err := proof.WriteSame(context.Background(), &car, m, next, []byte("Bob"))
	fmt.Println(errors.Is(err, proof.ErrDiffers))
	// Output:
	// <nil>
	// true
}

// Who has both roots, and nothing else, checks it.
func ExampleCheckSame() {
	m, root := ages()
	next, after := build(map[string]int64{"Alice": 7, "Bob": 9})
	var car bytes.Buffer
	if err := proof.WriteSame(context.Background(), &car, m, next, []byte("Alice"), []byte("Dave")); err != nil {
		panic(err)
	}
	fmt.Println(proof.CheckSame(&car, root, after, []byte("Alice"), []byte("Dave")))
	// Output: <nil>
}
