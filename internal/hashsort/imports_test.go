package hashsort

import (
	"go/build"
	"slices"
	"strings"
	"testing"
)

// TestNeverSeesABlock: what sorts entries knows hashes and parameters, and
// nothing of blocks, stores and trees.
func TestNeverSeesABlock(t *testing.T) {
	const module = "github.com/ipld-hamt/go-ipld-hamt/"
	known := []string{module + "internal/keyhash", module + "params"}
	p, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, imported := range p.Imports {
		if strings.HasPrefix(imported, module) && !slices.Contains(known, imported) {
			t.Errorf("it imports %s", imported)
		}
	}
}
