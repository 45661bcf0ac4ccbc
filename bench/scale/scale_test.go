//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMeasurement measures a small map, all of whose answers are checked, and
// prints the results twice.
func TestMeasurement(t *testing.T) {
	dir := t.TempDir()
	command, err := buildCommand(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	m := measurement{command: command, dir: dir, memory: "64KiB", n: 5000}
	var lines, table, again strings.Builder
	outputs := []*output{{to: &lines, lines: true}, {to: &table}}
	if err := m.all(t.Context(), func(r result) error {
		if r.Seconds <= 0 || r.CPUSeconds <= 0 || r.PeakRSS < 1<<20 || r.NsPerEntry <= 0 {
			t.Errorf("%+v", r)
		}
		if (r.Work == "build") != (r.StoreBytes > 0) || (r.Work == "stat") != (r.BlocksWritten > 0) {
			t.Errorf("%+v", r)
		}
		for _, o := range outputs {
			if err := o.add(r); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := checkRoots(t.Context(), []measurement{m}); err != nil {
		t.Error(err)
	}
	other, fewer := m, m
	other.n++
	fewer.blocks--
	for what, wrong := range map[string]measurement{"root": other, "number of blocks": fewer} {
		if err := checkRoots(t.Context(), []measurement{m, wrong}); err == nil {
			t.Errorf("a wrong %s is not noticed", what)
		}
	}
	if err := outputs[1].close(); err != nil || strings.Count(table.String(), "\n") != 7 {
		t.Errorf("%v\n%s", err, &table)
	}
	file := filepath.Join(dir, "results")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&output{to: &again}).reread(file); err != nil || again.String() != table.String() {
		t.Errorf("%v: reread as\n%s", err, &again)
	}
}

// TestWatch: the largest size counts, not the last.
func TestWatch(t *testing.T) {
	dir := t.TempDir()
	stop := watch(dir)
	file := filepath.Join(dir, "run")
	if err := os.WriteFile(file, make([]byte, 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	if most := stop(); most != 1000 {
		t.Errorf("%d bytes", most)
	}
}

// TestFailures of the command are told with what it said.
func TestFailures(t *testing.T) {
	if _, err := execute(t.Context(), nil, "", "sh", "-c", "echo no such thing >&2; exit 3"); err == nil || !strings.Contains(err.Error(), "no such thing") {
		t.Errorf("error %v", err)
	}
	m := measurement{command: "echo", n: 3, root: "root"}
	for name, verb := range map[string]func() error{
		"get": func() error { _, err := m.get(t.Context()); return err },
		"len": func() error { _, err := m.len(t.Context()); return err },
	} {
		if err := verb(); err == nil || !strings.Contains(err.Error(), "wrong answer") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
