package ci

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/licensecheck"
)

// pkg.go.dev shows the documentation of a module whose every licence file its
// scanner recognises. A module is downloaded alone, so each has its LICENSE.
func TestLicense(t *testing.T) {
	root, err := os.ReadFile("../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	for _, directory := range modules(t) {
		t.Run(directory, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(directory, "LICENSE"))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(text, root) {
				t.Error("LICENSE is not that of the root module")
			}
			coverage := licensecheck.Scan(text)
			if coverage.Percent != 100 {
				t.Errorf("LICENSE is recognised to %.1f %%, not 100 %%", coverage.Percent)
			}
			var names []string
			for _, match := range coverage.Match {
				names = append(names, match.ID)
			}
			if want := []string{"MIT", "Apache-2.0"}; !slices.Equal(names, want) {
				t.Errorf("LICENSE is recognised as %q, not %q", names, want)
			}

			files, err := os.ReadDir(directory)
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				if name := file.Name(); name != "LICENSE" && maybeLicense(name) {
					t.Errorf("pkg.go.dev would take %s for a licence, too", name)
				}
			}
		})
	}
}

// maybeLicense reports whether pkg.go.dev may read a file of this name.
func maybeLicense(name string) bool {
	name = strings.ToUpper(name)
	return filepath.Ext(name) != ".GO" &&
		(strings.Contains(name, "LICENSE") || strings.Contains(name, "LICENCE") || strings.HasPrefix(name, "COPYING"))
}
