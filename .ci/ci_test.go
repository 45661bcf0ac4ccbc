// Package ci tests what a release consists of: the licences, and the script that
// makes it. It is run outside the workspace, by .ci/publish.
package ci

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// modules returns the directories of the modules, as .ci/modules prints them.
func modules(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("./modules", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	directories := strings.Fields(string(out))
	for i, directory := range directories {
		directories[i] = filepath.Join("..", directory)
	}
	return directories
}
