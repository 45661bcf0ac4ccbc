package cli

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/ipld-hamt/go-ipld-hamt/fault"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/input"
)

// reading opens a FILE argument, or standard input for "-" or none, and has it
// read with a progress bar.
func (a *app) reading(ctx context.Context, args []string, do func(file string, r io.Reader, p *progress) error) error {
	file, total, stream := "-", int64(-1), a.in
	if len(args) > 0 {
		file = args[0]
	}
	if file == "-" {
		if isTerminal(a.in) {
			a.say("reading from the terminal; Ctrl-D ends the input")
		}
	} else {
		opened, err := os.Open(file)
		if err != nil {
			return usage("%w", err)
		}
		defer opened.Close()
		info, err := opened.Stat()
		if err != nil {
			return usage("%w", err)
		}
		if info.IsDir() {
			return usage("%s is a directory", file)
		}
		if info.Mode().IsRegular() {
			total = info.Size()
		}
		stream = opened
	}
	p := a.progress("reading", total, true)
	defer p.end()
	return do(file, counting{newInterruptible(ctx, stream), p}, p)
}

// checkFile returns early what is wrong with a FILE argument.
func checkFile(file string) error {
	if file == "-" {
		return nil
	}
	info, err := os.Stat(file)
	if err != nil {
		return usage("%w", err)
	}
	if info.IsDir() {
		return usage("%s is a directory", file)
	}
	return nil
}

// sourceOf makes a source of what reading opened.
func sourceOf(file string, r io.Reader, format input.Format, keyColumn string) input.Source {
	if file == "-" {
		file = "stdin"
	}
	return input.Source{Reader: r, Name: file, Format: format, KeyColumn: keyColumn}
}

// inLine adds the line to an error about an entry. A repeated key is found when
// keys are sorted, so what is being read by then has nothing to do with it.
func inLine(s input.Source, line int, err error) error {
	if isBadEntry(err) && !errors.Is(err, fault.ErrRepeatedKey) {
		return s.At(line, plain{err})
	}
	return err
}
