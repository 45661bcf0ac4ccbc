package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/ipld-hamt/go-ipld-hamt/bench/work"
)

// baseline is the implementation that the others are compared with.
const baseline = "go-hamt-ipld"

// format is how results are printed.
type format uint8

const (
	inColumns  format = iota // a table for the terminal
	inMarkdown               // a table for a document
	asLines                  // JSON
)

// output takes results and prints them: as JSON at once, as a table at the
// end, when all ratios are known.
type output struct {
	to      io.Writer
	format  format
	results []work.Result
	absent  []string
}

// best measures so many times, and keeps the fastest.
func (o *output) best(runs int, measure func() (work.Result, error)) error {
	var best work.Result
	for i := range runs {
		r, err := measure()
		if err != nil {
			return err
		}
		if i == 0 || r.NsPerEntry < best.NsPerEntry {
			best = r
		}
	}
	return o.add(best)
}

func (o *output) add(r work.Result) error {
	o.results = append(o.results, r)
	if o.format != asLines {
		return nil
	}
	return json.NewEncoder(o.to).Encode(r)
}

// missing notes who could not be measured, and why.
func (o *output) missing(impl string, why error) {
	o.absent = append(o.absent, fmt.Sprintf("%s: not measured: %v", impl, why))
}

var heading = []string{"work", "impl", "n", "ns/entry", "allocs/entry", "B/entry", "blocks written", "at once", "peak MiB", "ratio"}

// close prints the table.
func (o *output) close() error {
	if o.format == asLines {
		return nil
	}
	rows := make([][]string, 0, len(o.results))
	for _, r := range grouped(o.results) {
		rows = append(rows, o.row(r))
	}
	print := columns
	if o.format == inMarkdown {
		print = markdown
	}
	if err := print(o.to, rows); err != nil {
		return err
	}
	for _, line := range o.absent {
		fmt.Fprintf(o.to, "\n%s\n", line)
	}
	return nil
}

// columns prints rows for the terminal, with space between works.
func columns(to io.Writer, rows [][]string) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, strings.Join(heading, "\t")+"\t")
	for i, row := range rows {
		if i > 0 && row[0] != rows[i-1][0] {
			fmt.Fprintln(w, strings.Repeat("\t", len(heading)))
		}
		fmt.Fprintln(w, strings.Join(row, "\t")+"\t")
	}
	return w.Flush()
}

// markdown prints rows for a document.
func markdown(to io.Writer, rows [][]string) error {
	fmt.Fprintf(to, "| %s |\n|---|---|%s\n", strings.Join(heading, " | "), strings.Repeat("--:|", len(heading)-2))
	for _, row := range rows {
		if _, err := fmt.Fprintf(to, "| %s |\n", strings.Join(row, " | ")); err != nil {
			return err
		}
	}
	return nil
}

func (o *output) row(r work.Result) []string {
	peak := ""
	if r.RequestsAtOnce > 0 {
		peak = fmt.Sprintf("%.1f", float64(r.PeakMemoryBytes)/(1<<20))
	}
	return []string{
		r.Work, r.Impl, strconv.Itoa(r.N), decimal(r.NsPerEntry, 1), decimal(r.AllocsPerEntry, 2), decimal(r.BytesPerEntry, 0),
		count(r.BlocksWritten), count(r.RequestsAtOnce), peak, o.ratio(r),
	}
}

// grouped returns the results by work, in the order in which works first came,
// and by size within a work.
func grouped(results []work.Result) (out []work.Result) {
	type group struct {
		work string
		n    int
	}
	works, sizes := map[string]bool{}, map[group]bool{}
	for _, first := range results {
		if works[first.Work] {
			continue
		}
		works[first.Work] = true
		for _, size := range results {
			of := group{first.Work, size.N}
			if size.Work != first.Work || sizes[of] {
				continue
			}
			sizes[of] = true
			for _, r := range results {
				if (group{r.Work, r.N}) == of {
					out = append(out, r)
				}
			}
		}
	}
	return out
}

// ratio says how many times as fast as the baseline a result is (for memory,
// how many times smaller); nothing where the baseline did not do the same.
func (o *output) ratio(r work.Result) string {
	for _, base := range o.results {
		if base.Impl != baseline || base.Work != r.Work || base.N != r.N {
			continue
		}
		ours, theirs := r.NsPerEntry, base.NsPerEntry
		if r.Work == work.Memory {
			ours, theirs = r.BytesPerEntry, base.BytesPerEntry
		}
		if ours > 0 {
			return strconv.FormatFloat(theirs/ours, 'g', 3, 64)
		}
	}
	return ""
}

// decimal writes a number; nothing for what was not measured.
func decimal(x float64, digits int) string {
	if x == 0 {
		return ""
	}
	return strconv.FormatFloat(x, 'f', digits, 64)
}

func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
