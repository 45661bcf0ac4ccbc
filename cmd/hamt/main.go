// Command hamt builds, reads and changes IPLD HashMaps: maps of any size, kept
// in content-addressed blocks.
package main

import (
	"os"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
