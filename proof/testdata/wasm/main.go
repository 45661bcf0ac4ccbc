// Command wasm checks a proof: wasm FILE ROOT KEY… prints a line for each key, its value
// in hexadecimal or "absent", or one line "refused".
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/proof"
)

func main() {
	if err := check(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		if !errors.Is(err, proof.ErrNotProven) {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println("refused")
	}
}

func check(name, root string, texts []string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	c, err := cid.Decode(root)
	if err != nil {
		return err
	}
	var keys [][]byte
	for _, text := range texts {
		keys = append(keys, []byte(text))
	}
	results, err := proof.Check(file, c, keys...)
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Present() {
			fmt.Printf("%x\n", r.Value)
		} else {
			fmt.Println("absent")
		}
	}
	return nil
}
