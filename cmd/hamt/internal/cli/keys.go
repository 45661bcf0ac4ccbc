package cli

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/input"
)

// keyFlags say how KEY arguments are written.
type keyFlags struct{ hex bool }

func (f *keyFlags) add(flags *pflag.FlagSet) {
	flags.BoolVar(&f.hex, "hex", false, "KEY is in hexadecimal")
}

func (f *keyFlags) key(text string) ([]byte, error) {
	if !f.hex {
		return []byte(text), nil
	}
	key, err := hex.DecodeString(text)
	if err != nil {
		return nil, usage("KEY %q is not in hexadecimal", text)
	}
	return key, nil
}

// show writes a key as it was typed.
func (f *keyFlags) show(key []byte) string {
	if f.hex {
		return hex.EncodeToString(key)
	}
	return fmt.Sprintf("%q", key)
}

// keysFlags say where the keys are of a verb that takes any number of them.
type keysFlags struct {
	app *app
	keyFlags
	from string
	zero bool
}

// keysHelp says what the flags mean.
const keysHelp = `--keys-from FILE, or -, reads keys, in place of KEY: one a line, as they are, or as hamt
keys and hamt entries print them. So a line that begins with a quote or a brace is
DAG-JSON. With -0 keys are as they are, and a zero byte ends each.`

func (f *keysFlags) add(flags *pflag.FlagSet) {
	f.keyFlags.add(flags)
	flags.StringVar(&f.from, "keys-from", "", "read keys from `FILE`, or from standard input for -")
	flags.BoolVarP(&f.zero, "null", "0", false, "a zero byte ends each of them, and not a newline")
}

// taking makes a verb take [ROOT] KEY, ROOT KEY…, or [ROOT] --keys-from FILE; ROOT is
// always there where it has no default.
func (f *keysFlags) taking(c *cobra.Command, hasDefault bool) *cobra.Command {
	f.add(c.Flags())
	c.Args = func(c *cobra.Command, args []string) error {
		n := counts{2, many}
		if f.from != "" {
			n = exactly(1)
		}
		if hasDefault {
			n.least--
		}
		if f.zero && f.from == "" {
			return errors.New("--null goes with --keys-from")
		}
		return n.check(c, args)
	}
	return c
}

// given returns how many of the arguments are keys: all but ROOT, where that may be left
// out if there is one key.
func (f *keysFlags) given(args []string) int {
	if f.from != "" {
		return 0
	}
	return max(1, len(args)-1)
}

// several reports whether there may be more than one.
func (f *keysFlags) several(args []string) bool { return f.from != "" || len(args) > 2 }

// check returns early what is wrong with --keys-from.
func (f *keysFlags) check() error {
	if f.from == "" {
		return nil
	}
	_, err := fileArguments([]string{f.from})
	return err
}

// each visits the keys, which are the caller's.
func (f *keysFlags) each(ctx context.Context, args []string) iter.Seq2[[]byte, error] {
	if f.from != "" {
		return f.read(ctx)
	}
	return func(yield func([]byte, error) bool) {
		for _, text := range args {
			if key, err := f.key(text); !yield(key, err) || err != nil {
				return
			}
		}
	}
}

// read visits the keys of a file.
func (f *keysFlags) read(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		more := true
		err := f.app.reading(ctx, []string{f.from}, func(readers []io.Reader, _ *progress) error {
			source := input.Source{Reader: readers[0], Name: fileName(f.from)}
			for key, err := range source.Keys(f.zero) {
				if err != nil {
					return err
				}
				text := bytes.Clone(key.Key)
				if key.Text && f.hex {
					if text, err = hex.DecodeString(string(key.Key)); err != nil {
						return &input.Error{At: key.Position, Err: fmt.Errorf("%q is not in hexadecimal", key.Key)}
					}
				}
				if more = yield(text, nil); !more {
					return nil
				}
			}
			return nil
		})
		if err != nil && more {
			yield(nil, err)
		}
	}
}
