package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/input"
)

// valueFlags say how a VALUE argument is written.
type valueFlags struct {
	app           *app
	string, bytes bool
}

func (f *valueFlags) add(flags *pflag.FlagSet) {
	flags.BoolVar(&f.string, "string", false, "VALUE is a string as it stands, without quotes")
	flags.BoolVar(&f.bytes, "bytes", false, "VALUE is bytes as they stand")
}

// maxValueText bounds the text of one value that is held in memory: more than any
// block needs.
const maxValueText = 64 << 20

// value is what a VALUE argument stands for: in DAG-CBOR or, where it is bytes that are
// too many for the memory, what they are to be read from.
type value struct {
	raw    []byte
	stream io.Reader
	name   string // of the stream
}

// keep returns the value as the map is to have it.
func (v value) keep(ctx context.Context, files *fileValues) ([]byte, error) {
	switch {
	case v.stream == nil:
		return files.keep(ctx, v.raw)
	case files == nil:
		return nil, usage("%s: more than %d MiB for one value: --file-values keeps it in a file", v.name, maxValueText>>20)
	}
	return files.write(ctx, v.stream)
}

// with calls do with the value that an argument stands for.
func (f *valueFlags) with(ctx context.Context, arg string, do func(v value) error) error {
	file, ok := strings.CutPrefix(arg, "@")
	switch {
	case arg == "-":
		file = "-"
	case !ok:
		raw, err := f.parse([]byte(arg), "")
		if err != nil {
			return err
		}
		return do(value{raw: raw})
	case file == "":
		return usage("a file name is missing behind the @; the string @ is written '\"@\"'")
	}
	if _, err := fileArguments([]string{file}); err != nil {
		return err
	}
	return f.app.reading(ctx, []string{file}, func(readers []io.Reader, _ *progress) error {
		v, err := f.read(readers[0], file)
		if err != nil {
			return err
		}
		return do(v)
	})
}

// read reads a value from a file, or from standard input for "-".
func (f *valueFlags) read(r io.Reader, file string) (value, error) {
	name := fileName(file)
	text, err := io.ReadAll(io.LimitReader(r, maxValueText+1))
	switch {
	case err != nil:
		return value{}, fmt.Errorf("%s: %w", name, err)
	case len(text) == 0 && file == "-":
		return value{}, usage("stdin: %w; an empty VALUE is written ''", input.ErrEmpty)
	case len(text) > maxValueText && f.bytes:
		return value{stream: io.MultiReader(bytes.NewReader(text), r), name: name}, nil
	case len(text) > maxValueText:
		return value{}, usage("%s: more than %d MiB for one value that is not --bytes", name, maxValueText>>20)
	}
	raw, err := f.parse(text, name)
	return value{raw: raw}, err
}

// parse returns a value in DAG-CBOR. name is that of the file in which its text stands,
// if it does.
func (f *valueFlags) parse(text []byte, name string) ([]byte, error) {
	switch {
	case f.bytes:
		return dagjson.AppendBytes(nil, text), nil
	case f.string && !utf8.Valid(text):
		return nil, usage("VALUE is not UTF-8, and so no string: --bytes takes it")
	case f.string:
		return dagjson.AppendText(nil, string(text)), nil
	}
	raw, err := dagjson.ToCBOR(nil, text)
	switch {
	case err == nil:
		return raw, nil
	case name != "":
		return nil, input.In(text, input.Position{Name: name, Line: 1, Column: 1}, err)
	}
	column := 1
	if syntax := (*dagjson.SyntaxError)(nil); errors.As(err, &syntax) {
		column += syntax.Offset
	}
	return nil, usage(`VALUE is not DAG-JSON: %w (column %d); a string needs quotes of its own, or --string: '%q'`, err, column, text)
}
