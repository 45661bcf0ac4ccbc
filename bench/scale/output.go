//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// output takes results and prints them: as JSON at once, as a table in Markdown
// at the end.
type output struct {
	to    io.Writer
	lines bool
	rows  [][]string
}

var heading = []string{"n", "verb", "s", "ns/entry", "CPU s", "peak RSS MiB", "store MiB", "spilled MiB", "blocks"}

func (o *output) add(r result) error {
	if o.lines {
		return json.NewEncoder(o.to).Encode(r)
	}
	perEntry := ""
	if r.Work != "get" {
		perEntry = decimal(r.NsPerEntry, 0)
	}
	row := []string{
		strconv.Itoa(r.N), r.Work, decimal(r.Seconds, 2), perEntry, decimal(r.CPUSeconds, 2),
		mib(r.PeakRSS), "", "", "",
	}
	switch r.Work {
	case "build":
		row[6], row[7] = mib(r.StoreBytes), mib(r.SpillBytes)
	case "stat":
		row[8] = strconv.Itoa(r.BlocksWritten)
	}
	o.rows = append(o.rows, row)
	return nil
}

// reread prints results that were measured before.
func (o *output) reread(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	for lines := json.NewDecoder(file); ; {
		var r result
		if err := lines.Decode(&r); errors.Is(err, io.EOF) {
			return o.close()
		} else if err != nil {
			return err
		}
		if err := o.add(r); err != nil {
			return err
		}
	}
}

// close prints the table.
func (o *output) close() error {
	if o.lines {
		return nil
	}
	_, err := fmt.Fprintf(o.to, "| %s |\n|--:|---|%s\n", strings.Join(heading, " | "), strings.Repeat("--:|", len(heading)-2))
	for _, row := range o.rows {
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(o.to, "| %s |\n", strings.Join(row, " | "))
	}
	return err
}

func decimal(x float64, digits int) string { return strconv.FormatFloat(x, 'f', digits, 64) }

func mib(bytes int64) string { return decimal(float64(bytes)/(1<<20), 1) }
