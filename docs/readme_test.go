package docs_test

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// peerRow is a row of the README's table of peers: the first word is the peer's
// name in RESULTS.md, the last column has the command, or "the same".
var peerRow = regexp.MustCompile(`(?m)^\| (\S+)[^|]* \| (\S+) ns, it (\S+) (ns|µs) \| (\S+) times as fast \| (.*) \|$`)

var entriesFlag = regexp.MustCompile(` -n (\d+) -work '\^(\S+)\$'`)

// TestNumbers: what the README says of peers is in the tables of RESULTS.md, at
// the size and for the work of the command beside it.
func TestNumbers(t *testing.T) {
	if _, err := os.Stat("../go.work"); err != nil {
		t.Skip("the files are in the repository")
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	results, err := os.ReadFile("../bench/RESULTS.md")
	if err != nil {
		t.Fatal(err)
	}
	measured := func(work, name, n string) float64 {
		_, row, ok := strings.Cut(string(results), fmt.Sprintf("\n| %s | %s | %s | ", work, name, n))
		if !ok {
			t.Fatalf("RESULTS.md has no %s of %s entries by %s", work, n, name)
		}
		text, _, _ := strings.Cut(row, " ")
		ns, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		return ns
	}

	rows := peerRow.FindAllStringSubmatch(string(readme), -1)
	if len(rows) != 5 {
		t.Fatalf("%d rows", len(rows))
	}
	var n, work string
	for _, row := range rows {
		if flags := entriesFlag.FindStringSubmatch(row[6]); flags != nil {
			n, work = flags[1], flags[2]
		} else if row[6] != "the same" {
			t.Fatalf("no command in %q", row[0])
		}
		ours, theirs := measured(work, "go-ipld-hamt", n), measured(work, row[1], n)
		unit := 1.0
		if row[4] == "µs" {
			unit = 1000
		}
		for i, c := range []struct {
			said string
			is   float64
		}{{row[2], ours}, {row[3], theirs / unit}, {row[5], theirs / ours}} {
			said, err := strconv.ParseFloat(strings.ReplaceAll(c.said, ",", ""), 64)
			if err != nil {
				t.Fatal(err)
			}
			digits := 1.0 // as many as are printed
			if strings.Contains(c.said, ".") {
				digits = 10
			}
			if said != math.Round(c.is*digits)/digits {
				t.Errorf("number %d is %s and RESULTS.md has %g: %s", i+1, c.said, c.is, row[0])
			}
		}
	}
}
