// Command format2 makes a store in a directory, as the hamt command keeps it today, of
// one of format 2, which is what it kept before: a Pebble database and a file of blocks.
// It is a module of its own, so that nobody else compiles Pebble.
//
//	go run github.com/ipld-hamt/go-ipld-hamt/stores/format2@latest DIR
//
// The new store is written beside the old one, in DIR.new; every block is checked by its
// hash on the way, and then once more as the new store has it, and every name is
// compared. Only then, when all is on the disk, DIR becomes DIR.format2, and DIR.new
// becomes DIR. Nothing of the old store is changed or removed; remove DIR.format2 when
// you do not want it any more. As much room is needed as the blocks take.
//
// It may be interrupted, or killed, at any point: the same command goes on from there.
// Nobody else may have the old store open meanwhile.
//
// A block that is damaged is named, and the old store stays where it is, unless
// -skip-damaged says to go on: then hamt fsck --repair can take it from another store
// later. Exit status: 0 done; 2 bad usage; 3 anything else.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stderr)
	stop()
	os.Exit(status)
}

// run runs the command, and returns its exit status.
func run(ctx context.Context, args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("format2", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: format2 [-skip-damaged] DIR\n\nMakes a store of format 3 of the one of format 2 in DIR, which stays beside it.")
		flags.PrintDefaults()
	}
	m := migration{say: func(format string, args ...any) { fmt.Fprintf(stderr, "format2: "+format+"\n", args...) }}
	flags.BoolVar(&m.skipDamaged, "skip-damaged", false, "go on without blocks that are damaged")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if flags.NArg() != 1 {
		flags.Usage()
		return 2
	}
	if err := m.run(ctx, flags.Arg(0)); err != nil {
		m.say("%v", err)
		return 3
	}
	return 0
}
