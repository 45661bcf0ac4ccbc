// Package cli is the hamt command: its verbs, and what they have in common.
//
// stdout carries results alone, so that it can be piped; everything else that
// people want to know goes to stderr. Each verb is a file; the rest:
//
//	main.go      flags of all verbs, from arguments to exit status
//	status.go    which error has which exit status: the only place
//	store.go     flags that say which store and how it is talked to
//	session.go   opening maps, publishing roots
//	whole.go     going through a whole map, with a bar that knows how far it is
//	flags.go     flags that several verbs have
//	help.go      the help, and which flags it lists where
//	suggest.go   what may have been meant by a word that means nothing
//	terminal.go  progress, warnings
package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/escape"
)

// app is one run of the command.
type app struct {
	in       io.Reader
	out      *bufio.Writer
	err      io.Writer
	terminal any // what is behind out
	screen   screen

	store    storeFlags
	deadline time.Duration
	quiet    bool

	began bool                          // a verb was found and its arguments accepted
	flag  func(name string) *pflag.Flag // of that verb
	verb  string                        // that was found

	mu       sync.Mutex
	cleanups []func()
}

const description = `hamt builds, reads and changes IPLD HashMaps (HAMTs): maps of any size, kept in
content-addressed blocks. Any set of entries has exactly one tree of blocks, and
so one root CID; one key is found by loading one to four blocks. Blocks live in
a store: the directory .hamt here, unless --store or HAMT_STORE names another.
Values go in and come out as DAG-JSON.

STORE is a directory, a .car file or the URL of one (read-only), kubo:[URL] (a Kubo
node, by default the one on this machine), gateway:URL,URL… (trustless gateways,
read-only), or flatfs:DIR (a Kubo node's repository, read-only).

ROOT is a CID (alone, or as /ipfs/CID or ipfs://CID), or a name that was given with
--name. A path behind it leads to a map inside: people/friends is the map that the
value of the key friends links to. Slashes may be in keys: of several keys that a
path begins with, the longest is taken. With a CAR as the store ROOT may be left
out and is then the CAR's first root.

Exit status: 0 done; 1 not there (a key; a name to be removed); 2 bad usage or bad
input; 3 a fault in the store or in the data; 130 interrupted.`

// Main runs the command and returns its exit status.
func Main(args []string, in io.Reader, out, err io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	defer stop()
	// Whoever asks a second time does not want to wait for the end.
	defer context.AfterFunc(ctx, stop)()

	a := &app{in: in, err: err, terminal: out}
	lines := &beside{to: out, screen: &a.screen}
	if isTerminal(out) {
		out = lines
	}
	a.out = bufio.NewWriterSize(out, 64<<10)
	defer a.cleanUp()
	root := a.command()
	root.SetArgs(args)
	root.SetOut(a.out)
	root.SetErr(err)
	found, failure := root.ExecuteContextC(ctx)
	if flushed := errors.Join(a.out.Flush(), lines.finish()); failure == nil && flushed != nil {
		failure = fmt.Errorf("cannot print: %w", flushed)
	}
	if failure != nil && !a.began {
		failure = usage("%w (see %s --help)", failure, found.CommandPath())
	}
	status := statusOf(failure)
	if message := messageOf(failure); message != "" {
		a.say(message + a.remedy(failure))
	}
	return status
}

// endings are the signals that end the command in good order. SIGHUP is one, when a
// terminal is closed, unless it was said that it is none, as nohup does.
func endings() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// The groups of verbs in the help.
const (
	groupRead  = "read"
	groupWrite = "write"
	groupStore = "store"
)

func (a *app) command() *cobra.Command {
	version := false
	root := &cobra.Command{
		Use:           "hamt",
		Short:         "IPLD HashMaps: maps of any size in content-addressed blocks",
		Long:          description,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			// Which cobra does later, when the verb's own errors are no longer told from it.
			if err := c.ValidateFlagGroups(); err != nil {
				return flagGroupError(err)
			}
			a.began = true
			a.flag = c.Flags().Lookup
			a.verb = strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" ")
			return a.limitTime(c)
		},
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return noSuchVerb(c, args)
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error {
			if version {
				return a.printVersion()
			}
			return c.Help()
		},
	}
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { printHelp(c.OutOrStdout(), c) })
	root.SetFlagErrorFunc(flagError)
	help := &cobra.Command{
		Use: "help [VERB]", Short: "Help about any verb",
		RunE: func(c *cobra.Command, args []string) error {
			verb, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usage("%w (see hamt --help)", noSuchVerb(verb, rest))
			}
			return verb.Help()
		},
	}
	root.SetHelpCommand(help)
	a.store.app = a
	flags := root.PersistentFlags()
	a.store.add(flags)
	flags.DurationVar(&a.deadline, "deadline", 0, "how long the whole command may take (0: as long as it takes)")
	about(flags, topicRemote, "deadline")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "no progress bar")
	about(flags, topicBar, "quiet")
	root.Flags().BoolVar(&version, "version", false, "print the version")
	root.AddGroup(
		&cobra.Group{ID: groupRead, Title: "Reading a map:"},
		&cobra.Group{ID: groupWrite, Title: "Making and changing maps:"},
		&cobra.Group{ID: groupStore, Title: "The store:"},
	)
	root.AddCommand(
		a.getVerb(), a.hasVerb(), a.keysVerb(), a.valuesVerb(), a.entriesVerb(), a.lenVerb(),
		a.blocksVerb(), a.statVerb(), a.verifyVerb(), a.diffVerb(), a.proveVerb(), a.checkVerb(),
		a.buildVerb(), a.createVerb(), a.applyVerb(), a.setVerb(), a.deleteVerb(), a.rebuildVerb(),
		a.importVerb(), a.exportVerb(), a.copyVerb(), a.namesVerb(),
		a.compactVerb(), a.gcVerb(), a.fsckVerb(),
		a.versionVerb(),
	)
	root.AddCommand(pages()...)
	addOtherNames(root)
	a.addCompletion(root)
	a.addCompletion(help) // which root has only once it is executed
	return root
}

// limitTime ends a verb at its deadline.
func (a *app) limitTime(c *cobra.Command) error {
	if a.deadline < 0 {
		return usage("--deadline has to be more than 0")
	}
	if a.deadline > 0 {
		ctx, cancel := context.WithTimeout(c.Context(), a.deadline)
		a.onExit(cancel)
		c.SetContext(ctx)
	}
	return nil
}

// say prints one line for people. What a server or a file calls itself may be in
// it, and is escaped.
func (a *app) say(message string) {
	line := fmt.Sprintf("hamt: %s\n", escape.Line(once(strings.ReplaceAll(trimPrefix(message), "\n", "; "))))
	a.screen.print(func() { fmt.Fprint(a.err, line) })
}

// warn prints a line about something that is not as it should be.
func (a *app) warn(format string, args ...any) { a.say("warning: " + fmt.Sprintf(format, args...)) }

// onExit has something done when the command ends, however it does.
func (a *app) onExit(do func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cleanups = append(a.cleanups, do)
}

func (a *app) cleanUp() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, do := range a.cleanups {
		do()
	}
	a.cleanups = nil
}
