// The first program of somebody who has just installed the library: it builds a
// map in a directory, and reads it back from there.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/ipld/go-ipld-prime/node/basicnode"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/stores/embedded"
)

func run(ctx context.Context, directory string) error {
	store, err := embedded.Open(ctx, directory, embedded.Options{Write: true})
	if err != nil {
		return err
	}
	defer store.Close()

	txn, err := builder.Prototype{LinkSystem: store.LinkSystem()}.NewTxn()
	if err != nil {
		return err
	}
	for number, name := range []string{"zero", "one", "two", "three", "four"} {
		if err := txn.SetString(name, basicnode.NewInt(int64(number))); err != nil {
			return err
		}
	}
	_, root, err := txn.Commit(ctx)
	if err != nil {
		return err
	}

	numbers, err := hamt.Load(ctx, store.LinkSystem(), root)
	if err != nil {
		return err
	}
	value, err := numbers.LookupByString("three")
	if err != nil {
		return err
	}
	three, err := value.AsInt()
	if err != nil {
		return err
	}
	fmt.Println(root, three)
	return store.Close()
}

func main() {
	if err := run(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}
