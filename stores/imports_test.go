package stores_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestImports keeps this module apart from the root module's internal packages: a
// version of the one has to go together with a later version of the other.
func TestImports(t *testing.T) {
	const root = "github.com/ipld-hamt/go-ipld-hamt/"
	for _, of := range []string{"Imports", "TestImports", "XTestImports"} {
		out, err := exec.Command("go", "list", "-f", `{{$p := .ImportPath}}{{range .`+of+`}}{{$p}} {{.}}{{"\n"}}{{end}}`, "./...").Output()
		if err != nil {
			t.Fatal(err)
		}
		pairs := strings.Fields(string(out))
		for i := 0; i < len(pairs); i += 2 {
			if strings.HasPrefix(pairs[i+1], root+"internal/") {
				t.Errorf("%s imports %s", pairs[i], pairs[i+1])
			}
		}
		if of == "Imports" && len(pairs) < 20 {
			t.Errorf("only %d imports: the test has tested nothing", len(pairs)/2)
		}
	}
}
