package cli

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/pflag"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/cache"
	"github.com/ipld-hamt/go-ipld-hamt/stores/embedded"
	"github.com/ipld-hamt/go-ipld-hamt/stores/open"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// storeFlags say where the store is, and how it is talked to.
type storeFlags struct {
	app         *app
	location    string
	wait        time.Duration
	cacheDir    string
	cacheSize   size
	remote      remote.Options
	credentials string
	pin         bool
	force       bool
	weakDigests bool

	options *open.Options // what the flags say together, or nil before the first location
}

const (
	storeVariable       = "HAMT_STORE"
	credentialsVariable = "HAMT_CREDENTIALS"
)

func (f *storeFlags) add(flags *pflag.FlagSet) {
	f.location = os.Getenv(storeVariable)
	if f.location == "" {
		f.location = ".hamt"
	}
	f.cacheSize = cache.DefaultBytes
	flags.StringVar(&f.location, "store", f.location,
		"the `STORE`, as hamt --help has them; also "+storeVariable)
	flags.Lookup("store").DefValue = ".hamt" // the help is no place for what the variable says
	flags.DurationVar(&f.wait, "wait", 10*time.Second, "how long to wait for another process that writes to the store")
	flags.StringVar(&f.cacheDir, "cache", "", "keep blocks that come from another machine in this `DIR`")
	flags.Var(&f.cacheSize, "cache-size", "keep no more of them than this `SIZE`")
	flags.DurationVar(&f.remote.Timeout, "timeout", remote.DefaultTimeout, "how long one request to another machine may take")
	flags.IntVar(&f.remote.Retries, "retries", remote.DefaultRetries, "how often a request is sent again that may yet succeed")
	flags.IntVar(&f.remote.AtOnce, "at-once", remote.DefaultAtOnce, "how many blocks may be on their way at the same time")
	flags.BoolVar(&f.weakDigests, "weak-digests", false, "take CIDs whose digests have fewer than 20 bytes, so that anybody can make other blocks for them")
	flags.StringVar(&f.credentials, "credentials", os.Getenv(credentialsVariable),
		"`FILE` that says how to log in where; also "+credentialsVariable)
	about(flags, topicStore, "store")
	about(flags, topicWait, "wait")
	about(flags, topicRemote, "cache", "cache-size", "timeout", "retries", "at-once", "credentials", "weak-digests")
}

// pinFlag is for verbs that make new roots.
func (f *storeFlags) pinFlag(flags *pflag.FlagSet) {
	flags.BoolVar(&f.pin, "pin", false, "have Kubo pin the new root, under --name if that is given")
}

// forceFlag is for verbs that write CARs.
func (f *storeFlags) forceFlag(flags *pflag.FlagSet) {
	flags.BoolVar(&f.force, "force", false, "replace a file that is no CAR by one")
}

// location is where the command line says that a store is. It is parsed once, and
// the flags are read once for all locations: the file of credentials may be a pipe,
// which cannot be read twice.
type location struct {
	open.Location
	text    string // as it was given
	flags   *storeFlags
	options open.Options
}

// chosen returns the location that --store names.
func (f *storeFlags) chosen() (location, error) { return f.at(f.location) }

// chosenForWriting returns the location that --store names, once nothing is to be
// said against writing to it.
func (f *storeFlags) chosenForWriting(mode open.Mode, name string) (location, error) {
	return f.atForWriting(f.location, mode, name)
}

// atForWriting is chosenForWriting of another location than --store.
func (f *storeFlags) atForWriting(text string, mode open.Mode, name string) (location, error) {
	p, err := f.at(text)
	if err != nil {
		return location{}, err
	}
	return p, p.checkWriting(mode, name)
}

// at returns the location that text names, as --store does.
func (f *storeFlags) at(text string) (location, error) {
	parsed, err := open.Parse(text)
	if err != nil {
		return location{}, usage("%w", err)
	}
	if f.options == nil {
		if f.options, err = f.open(); err != nil {
			return location{}, err
		}
	}
	return location{parsed, text, f, *f.options}, nil
}

// open returns what the flags say about how stores are opened.
func (f *storeFlags) open() (*open.Options, error) {
	o := &open.Options{
		Embedded: embedded.Options{
			Wait: f.wait,
			By:   f.app.verb,
			Warn: func(message string) { f.app.warn("%s", message) },
		},
		Remote:     f.remote,
		Pin:        f.pin,
		CacheDir:   f.cacheDir,
		CacheBytes: int64(f.cacheSize),
		Force:      f.force,

		WeakDigests: f.weakDigests,
	}
	if o.Remote.Retries == 0 {
		o.Remote.Retries = -1 // what 0 means on the command line
	}
	if o.Remote.AtOnce < 1 || o.Remote.Timeout <= 0 || f.remote.Retries < 0 {
		return nil, usage("--at-once has to be 1 or more, --timeout more than 0, --retries 0 or more")
	}
	o.Remote.Warn = o.Embedded.Warn
	if f.credentials != "" {
		credentials, err := remote.ReadCredentials(f.credentials)
		if err != nil {
			return nil, usage("%w", err)
		}
		o.Remote.Credentials = credentials
	}
	return o, nil
}

// reading opens the store for reading.
func (p location) reading(ctx context.Context) (stores.Store, error) {
	return p.Reading(ctx, p.options)
}

// writing opens the store for writing.
func (p location) writing(ctx context.Context, mode open.Mode) (stores.Writable, error) {
	return p.Writing(ctx, mode, p.options)
}

// checkInput refuses to read what would be replaced by what is made of it. input is
// where it is read from, if that is a file.
func (p location) checkInput(file string, input any) error {
	if p.Kind != open.CAR {
		return nil
	}
	there, err := os.Stat(p.Place)
	if err != nil {
		return nil // nothing is there
	}
	var in os.FileInfo
	if opened, ok := input.(*os.File); ok && file == "-" {
		in, err = opened.Stat()
	} else if file != "-" {
		in, err = os.Stat(file)
	}
	if err == nil && in != nil && os.SameFile(there, in) {
		return usage("%s would be replaced while it is read: it is both the input and the store", p.Place)
	}
	return nil
}

// checkWriting returns early what is wrong with the store or the --name flag.
func (p location) checkWriting(mode open.Mode, name string) error {
	if name != "" {
		if err := stores.CheckName(name); err != nil {
			return usage("%w", err)
		}
	}
	switch {
	case p.flags.pin && p.Kind != open.Kubo:
		return usage("--pin is for Kubo, and the store is %s", p.Location)
	case name != "" && p.Kind == open.Kubo && !p.flags.pin:
		return usage("the names that Kubo has are those of its pins: give --pin too")
	case name != "" && p.Kind == open.CAR:
		return usage("a CAR has no names")
	}
	err := p.Check(mode, p.options)
	if errors.Is(err, stores.ErrReadOnly) {
		return usage("%w: name another with --store", err)
	}
	return err
}
