package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestGenerated generates the types again and finds no difference.
func TestGenerated(t *testing.T) {
	again := filepath.Join(t.TempDir(), "schema_types.go")
	if err := run("../../schema.ipldsch", again); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(again)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../schema_types.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("schema_types.go is not what go generate makes of schema.ipldsch, which is\n%s", want)
	}
}

// TestRunFails: files that are not there, and a schema that is none, are
// errors, and write nothing.
func TestRunFails(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.ipldsch")
	if err := os.WriteFile(bad, []byte("type X struct {"), 0o600); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "types.go")
	for _, from := range []string{filepath.Join(dir, "none.ipldsch"), bad} {
		if err := run(from, to); err == nil {
			t.Errorf("%s: no error", from)
		}
		if _, err := os.Stat(to); err == nil {
			t.Errorf("%s: the file is written", from)
		}
	}
	if err := run("../../schema.ipldsch", filepath.Join(dir, "none", "types.go")); err == nil {
		t.Error("a directory that is not there: no error")
	}
}
