// Plot draws what compare and scale have measured: out of their JSON lines,
// plots as SVG.
//
//	go run ./bench/compare -n 10000,100000,1000000 -json > results.ndjson
//	go run ./bench/compare -work network -at-once 1,2,4,8,16,32,64 -json >> results.ndjson
//	go run ./bench/scale -n 10000,100000,1000000 -json >> results.ndjson
//	go run ./bench/plot -o bench/plots < results.ndjson
//
// cost.svg has the cost of an entry against the size of the map, for each work
// and implementation; network.svg the time over a network against the requests
// at once; scale.svg the cost of each of the command's verbs against the size of
// the map. What was not measured is not drawn. A point that is measured twice
// counts with its last value.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ipld-hamt/go-ipld-hamt/bench/work"
)

func main() {
	dir := flag.String("o", ".", "directory for the plots")
	flag.Parse()
	if err := run(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	results, err := work.ReadResults(os.Stdin)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := costs(results).save(filepath.Join(dir, "cost.svg")); err != nil {
		return err
	}
	if err := command(results).save(filepath.Join(dir, "scale.svg")); err != nil {
		return err
	}
	return network(results).save(filepath.Join(dir, "network.svg"))
}
