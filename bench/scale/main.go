//go:build unix

// Scale measures the command with maps of any size, in its embedded store: it
// builds a map of entries that it streams as ndjson, and then gets one key,
// describes the tree, counts the entries and applies changes, each by a process
// of its own.
//
//	go run ./bench/scale -n 10000,100000,1000000
//	go run ./bench/scale -n 10000,100000,1000000,10000000,100000000 -memory 1GiB -dir DIR -json > scale.ndjson
//	go run ./bench/scale -read scale.ndjson
//
// Every answer is checked: the number of entries, values that are there, and in
// the end the root and the number of blocks of each size, against those that a
// builder returns which has nothing of the library in it (work.Root).
// Streaming the entries takes a little of one core; reading processes find in
// the operating system's cache what it has kept of the store. For 100 million
// entries the directory needs 8 GB, and the check of the root 0.8 GB of memory and
// two minutes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

type settings struct {
	sizes  []int
	memory string
	dir    string
	lines  bool   // JSON instead of a table
	read   string // results to print instead of measuring
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := parse()
	if err == nil {
		err = run(ctx, s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func parse() (s settings, err error) {
	sizes := flag.String("n", "10000,100000,1000000", "numbers of entries, with commas between")
	flag.StringVar(&s.memory, "memory", "1GiB", "the command's --memory")
	flag.StringVar(&s.dir, "dir", "", "where stores and spilled runs go, one after the other (default: where temporary files go)")
	flag.BoolVar(&s.lines, "json", false, "print one JSON object a line instead of a table")
	flag.StringVar(&s.read, "read", "", "measure nothing: print the results in this file, which -json wrote")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		return s, errors.New("bad arguments")
	}
	for text := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || uint64(n) > math.MaxUint32 {
			return s, fmt.Errorf("-n: %q is no number of entries up to %d", text, uint32(math.MaxUint32))
		}
		s.sizes = append(s.sizes, n)
	}
	return s, nil
}

func run(ctx context.Context, s settings) (err error) {
	out := output{to: os.Stdout, lines: s.lines}
	if s.read != "" {
		return out.reread(s.read)
	}
	dir, err := os.MkdirTemp(s.dir, "hamt-scale-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	command, err := buildCommand(ctx, dir)
	if err != nil {
		return err
	}
	measured, err := measureAll(ctx, s, command, dir, out.add)
	// What was measured is printed, whatever came then.
	if err := errors.Join(err, out.close()); err != nil {
		return err
	}
	return checkRoots(ctx, measured)
}

func measureAll(
	ctx context.Context, s settings, command, dir string, add func(result) error,
) (measured []measurement, err error) {
	for _, n := range s.sizes {
		m := measurement{command: command, dir: dir, memory: s.memory, n: n}
		if err := m.all(ctx, add); err != nil {
			return measured, fmt.Errorf("%d entries: %w", n, err)
		}
		measured = append(measured, m)
	}
	return measured, nil
}
