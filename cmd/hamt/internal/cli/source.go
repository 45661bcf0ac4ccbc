package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"

	"github.com/spf13/pflag"

	"github.com/ipld-hamt/go-ipld-hamt/fault"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/input"
)

// inputFlags say how the entries in FILE arguments are written.
type inputFlags struct {
	format    string
	key       string
	delimiter delimiter
	noHeader  bool
	changed   func(name string) bool
}

func (f *inputFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.format, "format", "", "`FORMAT` of the input: ndjson, json, csv or tsv")
	choices(flags, "format", "ndjson", "json", "csv", "tsv")
	flags.StringVar(&f.key, "key", "", "the `FIELD` or column that is the key (default in csv and tsv: the first column)")
	flags.Var(&f.delimiter, "delimiter", "the `CHARACTER` between the columns of a csv, such as ';', or tab (default: a comma)")
	flags.BoolVar(&f.noHeader, "no-header", false, "the first row of a csv or tsv is an entry; values are lists, and --key counts columns from 1")
	f.changed = flags.Changed
}

// given returns one of the flags that the command line has, if it has any.
func (f *inputFlags) given() (name string, any bool) {
	names := []string{"format", "key", "delimiter", "no-header"}
	if i := slices.IndexFunc(names, f.changed); i >= 0 {
		return names[i], true
	}
	return "", false
}

// inputHelp says what the flags and formats mean.
const inputHelp = `ndjson  lines {"key":K,"value":V} of DAG-JSON, K a string or bytes;
        with --key FIELD, lines that are maps
json    one DAG-JSON map, whose entries are the entries;
        with --key FIELD, one list of maps
csv     a header, then a row an entry: the column --key is the key, the others make
        a map of strings; columns are separated by commas unless --delimiter says
        something else
tsv     csv with tabs

With --key FIELD, the field is the key and the other fields make the value, as in a
csv; integers become keys in decimal. The format is told from the extension (.ndjson,
.jsonl, .json, .csv, .tsv, .tab, also before .gz or .zst) unless --format says it;
standard input is ndjson. What is compressed with gzip or zstd is known by its first
bytes.`

// sources returns how files are read, without their Readers.
func (f *inputFlags) sources(files []string) ([]input.Source, error) {
	sources := make([]input.Source, len(files))
	for i, file := range files {
		format, err := input.FormatOf(f.format, file)
		if err != nil {
			return nil, usage("%w", err)
		}
		switch {
		case f.delimiter != 0 && format != input.CSV:
			return nil, usage("--delimiter is for csv, and the input is %s", format)
		case f.noHeader && !format.Columns():
			return nil, usage("--no-header is for csv and tsv, and the input is %s", format)
		}
		sources[i] = input.Source{
			Name: fileName(file), Format: format, Key: f.key, Delimiter: rune(f.delimiter), NoHeader: f.noHeader,
		}
	}
	return sources, nil
}

// fileName returns what a FILE argument is called in an error.
func fileName(file string) string {
	if file == "-" {
		return "stdin"
	}
	return file
}

// fileArguments returns the FILE arguments, or standard input where there are none,
// once nothing is to be said against reading them.
func fileArguments(args []string) ([]string, error) {
	if len(args) == 0 {
		return []string{"-"}, nil
	}
	stdin := false
	for _, file := range args {
		if file != "-" {
			if _, err := fileInfo(file); err != nil {
				return nil, err
			}
		} else if stdin {
			return nil, usage("standard input cannot be read twice")
		}
		stdin = stdin || file == "-"
	}
	return args, nil
}

func fileInfo(file string) (os.FileInfo, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, usage("%w", err)
	}
	if info.IsDir() {
		return nil, usage("%s is a directory", file)
	}
	return info, nil
}

// reading gives a reader for each of some FILE arguments, and has them read with a
// progress bar. A file is opened when its reader is first read, and closed at its
// end.
func (a *app) reading(ctx context.Context, files []string, do func(readers []io.Reader, p *progress) error) error {
	total := int64(0)
	for _, file := range files {
		if file == "-" {
			total = -1
			break
		}
		info, err := fileInfo(file)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			total = -1
			break
		}
		total += info.Size()
	}
	p := a.progress("reading", total, true)
	defer p.end()
	readers := make([]io.Reader, len(files))
	for i, file := range files {
		f := &fileReader{app: a, ctx: ctx, file: file, progress: p}
		defer f.close()
		readers[i] = f
	}
	return do(readers, p)
}

// readingEntries is reading of files of entries.
func (a *app) readingEntries(
	ctx context.Context, files []string, sources []input.Source, do func(sources []input.Source, p *progress) error,
) error {
	return a.reading(ctx, files, func(readers []io.Reader, p *progress) error {
		sources := slices.Clone(sources)
		for i := range sources {
			sources[i].Reader = readers[i]
		}
		return do(sources, p)
	})
}

// fileReader reads a file, or standard input for "-", that is opened when it is
// first read.
type fileReader struct {
	app      *app
	ctx      context.Context
	file     string
	progress *progress

	opened *os.File  // nil for standard input
	stream io.Reader // nil before the first read
	ended  bool
}

func (f *fileReader) Read(p []byte) (int, error) {
	if f.ended {
		return 0, io.EOF
	}
	if f.stream == nil {
		if err := f.open(); err != nil {
			return 0, err
		}
	}
	n, err := f.stream.Read(p)
	if err == io.EOF {
		f.ended = true
		f.close()
	}
	return n, err
}

func (f *fileReader) open() error {
	stream := f.app.in
	if f.file == "-" {
		if isTerminal(stream) {
			f.app.say("reading from the terminal; Ctrl-D ends the input")
		}
	} else {
		opened, err := os.Open(f.file)
		if err != nil {
			return usage("%w", err)
		}
		f.opened, stream = opened, opened
	}
	f.stream = counting{newInterruptible(f.ctx, stream), f.progress}
	return nil
}

func (f *fileReader) close() {
	if f.opened != nil {
		f.opened.Close() // it was only read
		f.opened = nil
	}
}

// inPlace adds its place to an error about an entry. A repeated key is found when
// keys are sorted, so what is being read by then has nothing to do with it.
func inPlace(at input.Position, err error) error {
	if isBadEntry(err) && !errors.Is(err, fault.ErrRepeatedKey) {
		return &input.Error{At: at, Err: plain{err}}
	}
	return err
}
