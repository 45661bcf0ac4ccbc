package cli

import (
	"context"
	"errors"
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

// read returns the value that an argument stands for, in DAG-CBOR.
func (f *valueFlags) read(ctx context.Context, arg string) ([]byte, error) {
	text, name := []byte(arg), ""
	if file, ok := strings.CutPrefix(arg, "@"); ok || arg == "-" {
		if !ok {
			file = "-"
		}
		var err error
		if text, err = f.readFile(ctx, file); err != nil {
			return nil, err
		}
		name = fileName(file)
	}
	switch {
	case f.bytes:
		return dagjson.AppendBytes(nil, text), nil
	case f.string && !utf8.Valid(text):
		return nil, usage("VALUE is not UTF-8, and so no string: --bytes takes it")
	case f.string:
		return dagjson.AppendText(nil, string(text)), nil
	}
	value, err := dagjson.ToCBOR(nil, text)
	switch {
	case err == nil:
		return value, nil
	case name != "":
		return nil, input.In(text, input.Position{Name: name, Line: 1, Column: 1}, err)
	}
	column := 1
	if syntax := (*dagjson.SyntaxError)(nil); errors.As(err, &syntax) {
		column += syntax.Offset
	}
	return nil, usage(`VALUE is not DAG-JSON: %w (column %d); a string needs quotes of its own, or --string: '%q'`, err, column, arg)
}

// readFile reads a file, or standard input for "-".
func (f *valueFlags) readFile(ctx context.Context, file string) (text []byte, err error) {
	if file == "" {
		return nil, usage("a file name is missing behind the @; the string @ is written '\"@\"'")
	}
	if _, err := fileArguments([]string{file}); err != nil {
		return nil, err
	}
	err = f.app.reading(ctx, []string{file}, func(readers []io.Reader, _ *progress) error {
		text, err = io.ReadAll(io.LimitReader(readers[0], maxValueText+1))
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxValueText:
		return nil, usage("%s: more than %d MiB for one value", fileName(file), maxValueText>>20)
	case len(text) == 0 && file == "-":
		return nil, usage("stdin: %w; an empty VALUE is written ''", input.ErrEmpty)
	}
	return text, nil
}
