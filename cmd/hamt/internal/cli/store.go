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
		"`STORE`: a directory, a .car file, kubo:URL, gateway:URL,URL…, flatfs:DIR; also "+storeVariable)
	flags.Lookup("store").DefValue = ".hamt" // the help is no place for what the variable says
	flags.DurationVar(&f.wait, "wait", 10*time.Second, "how long to wait for another process that has the store open")
	flags.StringVar(&f.cacheDir, "cache", "", "keep blocks that come from another machine in this `DIR`")
	flags.Var(&f.cacheSize, "cache-size", "keep no more of them than this `SIZE`")
	flags.DurationVar(&f.remote.Timeout, "timeout", remote.DefaultTimeout, "how long one request to another machine may take")
	flags.IntVar(&f.remote.Retries, "retries", remote.DefaultRetries, "how often a request is sent again that may yet succeed")
	flags.IntVar(&f.remote.AtOnce, "at-once", remote.DefaultAtOnce, "how many blocks may be on their way at the same time")
	flags.StringVar(&f.credentials, "credentials", os.Getenv(credentialsVariable),
		"`FILE` that says how to log in where; also "+credentialsVariable)
}

// pinFlag is for verbs that make new roots.
func (f *storeFlags) pinFlag(flags *pflag.FlagSet) {
	flags.BoolVar(&f.pin, "pin", false, "have Kubo pin the new root, under --name if that is given")
}

// at parses the location of a store.
func (f *storeFlags) at(text string) (open.Location, error) {
	location, err := open.Parse(text)
	if err != nil {
		return location, usage("%w", err)
	}
	return location, nil
}

// options say how stores are opened.
func (f *storeFlags) options() (open.Options, error) {
	o := open.Options{
		Embedded: embedded.Options{
			Wait: f.wait,
			Warn: func(message string) { f.app.warn("%s", message) },
			Die:  f.app.die,
		},
		Remote:     f.remote,
		Pin:        f.pin,
		CacheDir:   f.cacheDir,
		CacheBytes: int64(f.cacheSize),
	}
	if o.Remote.Retries == 0 {
		o.Remote.Retries = -1 // what 0 means on the command line
	}
	if o.Remote.AtOnce < 1 || o.Remote.Timeout <= 0 || f.remote.Retries < 0 {
		return o, usage("--at-once has to be 1 or more, --timeout more than 0, --retries 0 or more")
	}
	o.Remote.Warn = o.Embedded.Warn
	if f.credentials != "" {
		credentials, err := remote.ReadCredentials(f.credentials)
		if err != nil {
			return o, usage("%w", err)
		}
		o.Remote.Credentials = credentials
	}
	return o, nil
}

// reading opens the store for reading.
func (f *storeFlags) reading(ctx context.Context) (stores.Store, error) {
	return f.readingAt(ctx, f.location)
}

func (f *storeFlags) readingAt(ctx context.Context, text string) (stores.Store, error) {
	location, options, err := f.understood(text)
	if err != nil {
		return nil, err
	}
	return location.Reading(ctx, options)
}

// writing opens the store for writing.
func (f *storeFlags) writing(ctx context.Context, mode open.Mode) (stores.Writable, error) {
	return f.writingAt(ctx, f.location, mode)
}

func (f *storeFlags) writingAt(ctx context.Context, text string, mode open.Mode) (stores.Writable, error) {
	location, options, err := f.understood(text)
	if err != nil {
		return nil, err
	}
	return location.Writing(ctx, mode, options)
}

// understood is what a location and the flags say together.
func (f *storeFlags) understood(text string) (open.Location, open.Options, error) {
	location, err := f.at(text)
	if err != nil {
		return open.Location{}, open.Options{}, err
	}
	options, err := f.options()
	return location, options, err
}

// fresh says whether a store is not there yet, and so has no blocks.
func (f *storeFlags) fresh(text string) (bool, error) {
	location, err := f.at(text)
	return err == nil && location.Fresh(), err
}

// checkWriting says early what is wrong with the store or the --name flag.
func (f *storeFlags) checkWriting(mode open.Mode, name string) error {
	return f.checkWritingAt(f.location, mode, name)
}

func (f *storeFlags) checkWritingAt(text string, mode open.Mode, name string) error {
	location, _, err := f.understood(text)
	if err != nil {
		return err
	}
	if name != "" {
		if err := stores.CheckName(name); err != nil {
			return usage("%w", err)
		}
	}
	switch {
	case f.pin && location.Kind != open.Kubo:
		return usage("--pin is for Kubo, and the store is %s", location)
	case name != "" && location.Kind == open.Kubo && !f.pin:
		return usage("the names that Kubo has are those of its pins: give --pin too")
	case name != "" && location.Kind == open.CAR:
		return usage("a CAR has no names")
	}
	err = location.Check(mode)
	if errors.Is(err, stores.ErrReadOnly) {
		return usage("%w: name another with --store", err)
	}
	return err
}
