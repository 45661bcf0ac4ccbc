package conformance_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestAPIHasNoInternalTypes: what a public package exports, users can name. No
// function, method, field, variable, constant, interface or type parameter that
// they see is of a type that only this repository can import.
func TestAPIHasNoInternalTypes(t *testing.T) {
	modules := map[string]string{"hamt": "../.."}
	if os.Getenv("GOWORK") != "off" {
		modules["stores"] = "../../stores"
	}
	for name, dir := range modules {
		t.Run(name, func(t *testing.T) {
			public, exports := exportData(t, dir)
			imports := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
			var all []*types.Package
			for _, path := range public {
				pkg, err := imports.Import(path)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, pkg)
			}
			if len(all) < 6 {
				t.Errorf("only %d packages are looked at", len(all))
			}
			for _, shown := range internalTypes(all...) {
				t.Error(shown)
			}
		})
	}
}

// exportData compiles the packages of the module in a directory. It returns
// those that users can import, and for every package where the compiler put
// what it exports.
func exportData(t *testing.T, dir string) (public []string, exports map[string]string) {
	t.Helper()
	var stderr bytes.Buffer
	list := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Name,Export,DepOnly", "./...")
	list.Dir, list.Stderr = dir, &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.Bytes())
	}
	exports = map[string]string{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Name, Export string
			DepOnly                  bool
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return public, exports
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if !p.DepOnly && p.Name != "main" && p.Export != "" && !isInternal(p.ImportPath) { // docs has tests only
			public = append(public, p.ImportPath)
		}
	}
}

func isInternal(path string) bool {
	return slices.Contains(strings.Split(path, "/"), "internal")
}

// internalTypes returns a line for every place where the API of packages shows
// a type of an internal package.
func internalTypes(packages ...*types.Package) []string {
	w := apiWalk{seen: map[types.Type]bool{}}
	for _, pkg := range packages {
		for _, name := range pkg.Scope().Names() {
			if object := pkg.Scope().Lookup(name); object.Exported() {
				w.visit(pkg.Path()+"."+name, object.Type())
			}
		}
	}
	slices.Sort(w.leaks)
	return slices.Compact(w.leaks)
}

// apiWalk walks types as far as users can see into them.
type apiWalk struct {
	seen  map[types.Type]bool
	leaks []string
}

// visit looks at a type that is seen at a place of the API.
func (w *apiWalk) visit(at string, t types.Type) {
	switch t := t.(type) {
	case *types.Alias:
		w.visitAll(at, t.TypeArgs())
		w.visit(at, t.Rhs())
	case *types.Named:
		w.visitAll(at, t.TypeArgs())
		switch pkg := t.Obj().Pkg(); {
		case pkg == nil: // error, comparable
		case strings.Contains(pkg.Path(), ".") && isInternal(pkg.Path()): // not one of the standard library
			w.leaks = append(w.leaks, fmt.Sprintf("%s shows %s", at, t))
		default:
			w.visitNamed(t.Origin())
		}
	case *types.Pointer:
		w.visit(at, t.Elem())
	case *types.Slice:
		w.visit(at, t.Elem())
	case *types.Array:
		w.visit(at, t.Elem())
	case *types.Chan:
		w.visit(at, t.Elem())
	case *types.Map:
		w.visit(at, t.Key())
		w.visit(at, t.Elem())
	case *types.Signature:
		w.visitParams(at, t.TypeParams())
		for _, tuple := range []*types.Tuple{t.Params(), t.Results()} {
			for v := range tuple.Variables() {
				w.visit(at, v.Type())
			}
		}
	case *types.Union:
		for term := range t.Terms() {
			w.visit(at, term.Type())
		}
	case *types.Interface:
		for m := range t.Methods() { // embedded ones too
			if m.Exported() {
				w.visit(at+"."+m.Name(), m.Type())
			}
		}
		for embedded := range t.EmbeddedTypes() {
			w.visit(at, embedded)
		}
	case *types.Struct:
		for field := range t.Fields() {
			if field.Exported() {
				w.visit(at+"."+field.Name(), field.Type())
			} else if field.Embedded() { // its fields are promoted; methods are those of the whole
				embedded := field.Type()
				if p, ok := embedded.(*types.Pointer); ok {
					embedded = p.Elem()
				}
				if _, ok := embedded.Underlying().(*types.Struct); ok {
					w.visit(at, embedded.Underlying())
				}
			}
		}
	}
}

// visitNamed looks into a type that users can come by, exported or not. Types
// of other modules are those modules' affair.
func (w *apiWalk) visitNamed(t *types.Named) {
	if w.seen[t] || !strings.HasPrefix(t.Obj().Pkg().Path(), "github.com/ipld-hamt/") {
		return
	}
	w.seen[t] = true
	at := t.Obj().Pkg().Path() + "." + t.Obj().Name()
	w.visitParams(at, t.TypeParams())
	w.visit(at, t.Underlying())
	if types.IsInterface(t) {
		return
	}
	for selection := range types.NewMethodSet(types.NewPointer(t)).Methods() { // promoted ones too
		if selection.Obj().Exported() {
			w.visit(at+"."+selection.Obj().Name(), selection.Type())
		}
	}
}

func (w *apiWalk) visitParams(at string, params *types.TypeParamList) {
	for p := range params.TypeParams() {
		w.visit(at, p.Constraint())
	}
}

func (w *apiWalk) visitAll(at string, list *types.TypeList) {
	for t := range list.Types() {
		w.visit(at, t)
	}
}

// TestInternalTypes tries the test above on packages that show internal types,
// in every way there is, and on what looks like it.
func TestInternalTypes(t *testing.T) {
	const path = "github.com/ipld-hamt/example"
	hidden := checkSource(t, path+"/internal/hidden", `package hidden
		type T struct{ F int }
		type Deep struct{ F T }
		func (T) M() {}
		type I interface{ Do() T }
		type Maker struct{}
		func (Maker) Make() *T { return nil }
		const C T2 = 1
		type T2 int
		func New() T { return T{} }`, nil)
	public := checkSource(t, path+"/public", `package public
		import "`+path+`/internal/hidden"
		type Shows struct{ F hidden.T }`, hidden)
	for source, want := range map[string][]string{
		`func F(hidden.T) {}`:                                                           {"p.F"},
		`func F() (int, *hidden.T) { return 0, nil }`:                                   {"p.F"},
		`func F(...map[string][]chan hidden.T) {}`:                                      {"p.F"},
		`func F(func(hidden.T)) {}`:                                                     {"p.F"},
		`func F[X hidden.I]() {}`:                                                       {"p.F"},
		`func F(G[hidden.T]) {}; type G[X any] struct{}`:                                {"p.F"},
		`type G[X interface{ hidden.T2 | int }] struct{}`:                               {"p.G"},
		`var V hidden.T`:                                                                {"p.V"},
		`var V = hidden.New()`:                                                          {"p.V"},
		`const C = hidden.C`:                                                            {"p.C"},
		`type A = hidden.T`:                                                             {"p.A"},
		`type A = []hidden.T`:                                                           {"p.A"},
		`type S struct{ F hidden.T }`:                                                   {"p.S.F"},
		`type S struct{ hidden.T }`:                                                     {"p.S.T"},
		`type S hidden.Deep`:                                                            {"p.S.F"},
		`type M map[hidden.T2]int`:                                                      {"p.M"},
		`type S struct{}; func (*S) M() hidden.T { return hidden.T{} }`:                 {"p.S.M"},
		`type S struct{ e }; type e struct{ F hidden.T }`:                               {"p.S.F"},
		`type S struct{ *e }; type e struct{}; func (e) M(hidden.T) {}`:                 {"p.S.M"},
		`type S struct{ e }; type e = hidden.Maker`:                                     {"p.S.Make"},
		`type I interface{ M(hidden.T) }`:                                               {"p.I.M"},
		`type I interface{ hidden.I }`:                                                  {"p.I.Do", "p.I"},
		`func F() e { return e{} }; type e struct{}; func (e) M(hidden.T) {}`:           {"p.e.M"},
		`type S struct{ f hidden.T }; func (S) m(hidden.T) {}; func f(hidden.T) {}`:     nil,
		`type S struct{ g }; type g struct{ f hidden.T }; func (g) m(hidden.T) {}`:      nil,
		`type e struct{ F hidden.T }; func (e) M(hidden.T) {}; var V error; var v e`:    nil,
		`type I interface{ m(hidden.T) }; func F(I) {}; var h hidden.T; var V = h.F`:    nil,
		`type S struct{ Next *S; F func(S) S }; type E[X any] struct{ Next *E[[]int] }`: nil,
	} {
		pkg := checkSource(t, path+"/p", "package p\nimport \""+path+"/internal/hidden\"\nvar _ hidden.T\n"+source, hidden)
		got := internalTypes(pkg)
		if len(got) != len(want) {
			t.Errorf("%s\n\tfound %q, want %q", source, got, want)
			continue
		}
		for _, at := range want {
			if !slices.ContainsFunc(got, func(leak string) bool {
				return strings.HasPrefix(leak, strings.Replace(at, "p", path+"/p", 1)+" shows ")
			}) {
				t.Errorf("%s\n\tfound %q, want %q", source, got, want)
			}
		}
	}
	if leaks := internalTypes(public); len(leaks) != 1 {
		t.Errorf("%q", leaks)
	}
}

// imported resolves one import.
type imported struct{ pkg *types.Package }

func (i imported) Import(string) (*types.Package, error) { return i.pkg, nil }

func checkSource(t *testing.T, path, source string, imports *types.Package) *types.Package {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	pkg, err := (&types.Config{Importer: imported{imports}}).Check(path, files, []*ast.File{file}, nil)
	if err != nil {
		t.Fatalf("%v in\n%s", err, source)
	}
	return pkg
}
