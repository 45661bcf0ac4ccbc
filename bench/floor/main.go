// Floor measures the least that building a map can cost: hashing the keys,
// sorting, encoding, hashing the blocks; on one core, and nothing else.
//
//	go run ./bench/floor -n 1000000
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/ipld-hamt/go-ipld-hamt/bench/work"
	"github.com/ipld-hamt/go-ipld-hamt/bench/workload"
)

func main() {
	n := flag.Int("n", 200_000, "number of entries")
	flag.Parse()
	result, err := work.MeasureFloor(context.Background(), workload.Entries(*n))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("%d entries, %d blocks: %.1f ns an entry, %.3f s\n",
		result.N, result.BlocksWritten, result.NsPerEntry, result.NsPerEntry*float64(result.N)/1e9)
}
