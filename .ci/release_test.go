package ci

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A small repository with what a release has to do with: a library, a module that
// uses it, a command that uses both, and one that is not published.
var repository = map[string]string{
	"go.mod": "module github.com/ipld-hamt/test\n\ngo 1.25.7\n",
	"lib.go": "package test\n\nfunc One() int { return 1 }\n",
	"stores/go.mod": "module github.com/ipld-hamt/test/stores\n\ngo 1.25.7\n\n" +
		"require github.com/ipld-hamt/test v1.2.3\n",
	"stores/go.sum":    "",
	"stores/stores.go": "package stores\n\nimport \"github.com/ipld-hamt/test\"\n\nfunc Two() int { return 2 * test.One() }\n",
	"cmd/x/go.mod": "module github.com/ipld-hamt/test/cmd/x\n\ngo 1.25.7\n\n" +
		"require github.com/ipld-hamt/test/stores v1.2.3\n\n" +
		"require github.com/ipld-hamt/test v1.2.3 // indirect\n",
	// The sum of a version before, as the commit of its release left it.
	"cmd/x/go.sum":  "github.com/ipld-hamt/test v1.2.2 h1:4PC6u0Ef5gPIXhiUbIfvEYDIRdqgkEFrq5UKjFaVqMs=\n",
	"cmd/x/main.go": "package main\n\nimport \"github.com/ipld-hamt/test/stores\"\n\nfunc main() { println(stores.Two()) }\n",
	"bench/go.mod":  "module github.com/ipld-hamt/test/bench\n\ngo 1.25.7\n\nrequire github.com/ipld-hamt/test v1.2.3\n",
	"bench/main.go": "package main\n\nimport \"github.com/ipld-hamt/test\"\n\nfunc main() { println(test.One()) }\n",
	"go.work": "go 1.25.7\n\nuse (\n\t.\n\t./bench\n\t./cmd/x\n\t./stores\n)\n\nreplace (\n" +
		"\tgithub.com/ipld-hamt/test v1.2.3 => ./\n\tgithub.com/ipld-hamt/test/stores v1.2.3 => ./stores\n)\n",
	".gitignore":     "/go.work.sum\n",
	"CHANGELOG.md":   "# Changelog\n\n## Unreleased\n\n## 1.2.3\n\n- All of it.\n",
	"LICENSE":        "Anybody may.\n",
	"stores/LICENSE": "Anybody may.\n",
	"cmd/x/LICENSE":  "Anybody may.\n",
	// In place of the real one: install the command, and say what it prints.
	".ci/consumer": "#!/usr/bin/env bash\nset -euo pipefail\nGOBIN=$PWD/../bin go install github.com/ipld-hamt/test/cmd/x@$1\n" +
		"echo \"x prints $(../bin/x 2>&1)\"\n",
}

// newRepository makes the repository, with changes ("" takes a file away), and
// commits it.
func newRepository(t *testing.T, changes map[string]string) string {
	t.Helper()
	directory := filepath.Join(t.TempDir(), "repository")
	write := func(files map[string]string) {
		for name, text := range files {
			file := filepath.Join(directory, name)
			if text == "" && name != "stores/go.sum" {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o777); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(repository)
	for _, script := range []string{"modules", "tidy", "release"} {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		write(map[string]string{".ci/" + script: string(text)})
	}
	write(changes)
	for _, args := range [][]string{
		{"init", "-q"},
		{"config", "user.name", "test"},
		{"config", "user.email", "test@localhost"},
		{"add", "-A"},
		{"commit", "-q", "-m", "Everything"},
	} {
		run(t, directory, "git", args...)
	}
	return directory
}

// run calls a command that has to succeed, and returns what it prints.
func run(t *testing.T, directory, name string, args ...string) string {
	t.Helper()
	out, err := output(directory, name, args...)
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return out
}

func output(directory, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = directory
	cmd.Env = append(os.Environ(), "GOWORK=") // these tests themselves run without one
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestReleaseDryRun(t *testing.T) {
	directory := newRepository(t, nil)
	before := run(t, directory, "git", "rev-parse", "HEAD")
	out := run(t, directory, ".ci/release", "--dry-run", "1.2.3")
	if !strings.Contains(out, "x prints 2\n") {
		t.Errorf("the command was not installed:\n%s", out)
	}
	if got := run(t, directory, "git", "rev-parse", "HEAD"); got != before {
		t.Errorf("HEAD moved from %s to %s", before, got)
	}
	if tags := run(t, directory, "git", "tag"); tags != "" {
		t.Errorf("tags after a rehearsal: %s", tags)
	}
	if status := run(t, directory, "git", "status", "--porcelain"); status != "" {
		t.Errorf("changes after a rehearsal: %s", status)
	}
}

func TestRelease(t *testing.T) {
	directory := newRepository(t, nil)
	out := run(t, directory, ".ci/release", "1.2.3")
	if !strings.Contains(out, "git push --atomic origin HEAD v1.2.3 stores/v1.2.3 cmd/x/v1.2.3") {
		t.Errorf("it does not say how to publish:\n%s", out)
	}
	head := run(t, directory, "git", "rev-parse", "HEAD")
	for _, tag := range []string{"v1.2.3", "stores/v1.2.3", "cmd/x/v1.2.3"} {
		if got := run(t, directory, "git", "rev-parse", tag+"^{commit}"); got != head {
			t.Errorf("%s is at %s, not at %s", tag, got, head)
		}
	}
	if tags := run(t, directory, "git", "tag"); strings.Count(tags, "\n") != 3 {
		t.Errorf("tags: %s", tags)
	}
	if changed := run(t, directory, "git", "diff", "--name-only", "HEAD^"); changed != "cmd/x/go.sum\nstores/go.sum\n" {
		t.Errorf("the release changes %s", changed)
	}
	sums, err := os.ReadFile(filepath.Join(directory, "cmd/x/go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"test v1.2.3 h1:", "test v1.2.3/go.mod h1:", "test/stores v1.2.3 h1:", "test/stores v1.2.3/go.mod h1:",
	} {
		if !strings.Contains(string(sums), want) {
			t.Errorf("cmd/x/go.sum has no %q", want)
		}
	}
	if strings.Contains(string(sums), "v1.2.2") {
		t.Error("cmd/x/go.sum still has the sum of the version before")
	}

	// The tree of a release can be rehearsed again, but not released again.
	run(t, directory, ".ci/release", "--dry-run", "1.2.3")
	if out, err := output(directory, ".ci/release", "1.2.3"); err == nil || !strings.Contains(out, "the tag v1.2.3 is already there") {
		t.Errorf("released twice: %v\n%s", err, out)
	}
}

func TestReleaseRefuses(t *testing.T) {
	for _, test := range []struct {
		name    string
		changes map[string]string
		version string
		want    string
	}{
		{"no version", nil, "v1.2", "usage"},
		{"another version than the modules require", map[string]string{
			"CHANGELOG.md": "# Changelog\n\n## 1.2.4\n",
		}, "1.2.4", "stores requires github.com/ipld-hamt/test at v1.2.3, not v1.2.4"},
		{"one module behind", map[string]string{
			"cmd/x/go.mod": strings.Replace(repository["cmd/x/go.mod"], "test v1.2.3", "test v1.2.2", 1),
		}, "1.2.3", "cmd/x requires github.com/ipld-hamt/test at v1.2.2, not v1.2.3"},
		{"no changes", map[string]string{
			"CHANGELOG.md": "# Changelog\n\n## Unreleased\n\n## 1.2.30\n",
		}, "1.2.3", `CHANGELOG.md has no "## 1.2.3"`},
		{"replace", map[string]string{
			"cmd/x/go.mod": repository["cmd/x/go.mod"] + "\nreplace github.com/ipld-hamt/test => ../..\n",
		}, "1.2.3", "cmd/x/go.mod has a replace"},
		{"no licence", map[string]string{"stores/LICENSE": ""}, "1.2.3", "stores has no LICENSE"},
		{"unpublished requirement", map[string]string{
			"stores/go.mod": repository["stores/go.mod"] + "\nrequire github.com/ipld-hamt/test/bench v1.2.3\n",
		}, "1.2.3", "stores requires github.com/ipld-hamt/test/bench, which is not published"},
		{"another path", map[string]string{
			"cmd/x/go.mod": strings.Replace(repository["cmd/x/go.mod"], "cmd/x", "x", 1),
		}, "1.2.3", "cmd/x/go.mod is not that of github.com/ipld-hamt/test/cmd/x"},
		{"incomplete go.mod", map[string]string{
			"cmd/x/go.mod": strings.Replace(repository["cmd/x/go.mod"], " // indirect", "", 1),
		}, "1.2.3", "go.mod or go.sum is not complete"},
		{"does not compile", map[string]string{
			"stores/stores.go": "package stores\n\nimport \"github.com/ipld-hamt/test\"\n\nfunc Two() int { return test.Two() }\n",
		}, "1.2.3", "undefined: test.Two"},
		{"the command does not work", map[string]string{
			".ci/consumer": "#!/bin/sh\necho it does not work >&2\nexit 1\n",
		}, "1.2.3", "it does not work"},
	} {
		t.Run(test.name, func(t *testing.T) {
			directory := newRepository(t, test.changes)
			out, err := output(directory, ".ci/release", test.version)
			if err == nil || !strings.Contains(out, test.want) {
				t.Errorf("got %v, want %q:\n%s", err, test.want, out)
			}
			if tags := run(t, directory, "git", "tag"); tags != "" {
				t.Errorf("tags after a refusal: %s", tags)
			}
		})
	}

	t.Run("changes that are not committed", func(t *testing.T) {
		directory := newRepository(t, nil)
		if err := os.WriteFile(filepath.Join(directory, "new.go"), []byte("package test\n"), 0o666); err != nil {
			t.Fatal(err)
		}
		out, err := output(directory, ".ci/release", "1.2.3")
		if err == nil || !strings.Contains(out, "changes that are not committed") {
			t.Errorf("got %v:\n%s", err, out)
		}
	})
}

// TestNextVersion makes the modules require each other at another version: they
// still build, and are what a release of that version takes.
func TestNextVersion(t *testing.T) {
	directory := newRepository(t, map[string]string{"CHANGELOG.md": "# Changelog\n\n## 1.3.0-rc.1\n"})
	run(t, directory, ".ci/release", "--next", "1.3.0-rc.1")
	run(t, directory, "go", "build", "-o", os.DevNull, "./cmd/x")
	if out, err := output(directory, "git", "grep", "-F", "v1.2.3", "--", "*.mod", "go.work"); err == nil {
		t.Errorf("left: %s", out)
	}
	run(t, directory, "git", "commit", "-q", "-a", "-m", "Next")
	run(t, directory, ".ci/release", "--dry-run", "1.3.0-rc.1")
}
