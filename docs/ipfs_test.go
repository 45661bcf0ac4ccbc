package docs_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/fluent/qp"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/storage/memstore"
	"github.com/ipld/go-ipld-prime/traversal"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
)

// What ipfs.md shows for go-ipld-prime: a plain block links to a HAMT.
func Example_traversal() {
	ctx := context.Background()
	lsys := cidlink.DefaultLinkSystem()
	store := &memstore.Store{}
	lsys.SetReadStorage(store)
	lsys.SetWriteStorage(store)
	root := storeExample(ctx, &lsys)

	lsys.NodeReifier = hamt.ReifyRoots // every HAMT that a traversal loads is a map
	progress := traversal.Progress{Cfg: &traversal.Config{
		Ctx:                            ctx,
		LinkSystem:                     lsys,
		LinkTargetNodePrototypeChooser: hamt.PrototypeChooser(&lsys), // and so for transformations
	}}
	start, err := lsys.Load(linking.LinkContext{Ctx: ctx}, root, basicnode.Prototype.Any)
	if err != nil {
		panic(err)
	}

	line, err := progress.Get(start, datamodel.ParsePath("words/Rabbit/0/line"))
	if err != nil {
		panic(err)
	}
	fmt.Println(line.AsInt())

	mad := func(traversal.Progress, datamodel.Node) (datamodel.Node, error) {
		return basicnode.NewString("mad"), nil
	}
	changed, err := progress.FocusedTransform(start, datamodel.ParsePath("words/Hatter"), mad, false)
	if err != nil {
		panic(err)
	}
	hatter, err := progress.Get(changed, datamodel.ParsePath("words/Hatter"))
	if err != nil {
		panic(err)
	}
	fmt.Println(hatter.AsString())
	// Output:
	// 1 <nil>
	// mad <nil>
}

// storeExample stores {"words": a link to a HAMT of words}.
func storeExample(ctx context.Context, lsys *linking.LinkSystem) datamodel.Link {
	txn, err := builder.Prototype{LinkSystem: lsys}.NewTxn()
	if err != nil {
		panic(err)
	}
	position, err := qp.BuildList(basicnode.Prototype.Any, 1, func(la datamodel.ListAssembler) {
		qp.ListEntry(la, qp.Map(1, func(ma datamodel.MapAssembler) { qp.MapEntry(ma, "line", qp.Int(1)) }))
	})
	if err != nil {
		panic(err)
	}
	for _, word := range []string{"Alice", "Rabbit", "Hatter"} {
		if err := txn.SetString(word, position); err != nil {
			panic(err)
		}
	}
	_, words, err := txn.Commit(ctx)
	if err != nil {
		panic(err)
	}
	book, err := qp.BuildMap(basicnode.Prototype.Any, 1, func(ma datamodel.MapAssembler) {
		qp.MapEntry(ma, "words", qp.Link(words))
	})
	if err != nil {
		panic(err)
	}
	root, err := lsys.Store(linking.LinkContext{Ctx: ctx}, words.Prototype(), book)
	if err != nil {
		panic(err)
	}
	return root
}

// block is a block of code of the page, with the comment on the line before it,
// which says where the code is compiled and run.
var block = regexp.MustCompile("(?:<!-- (\\S+) -->\n)?```(\\w+)\n((?s).*?)\n```")

// TestCode: the Go code on the page is that of the files that it names, line by
// line. Commands are run by the tests that it names.
func TestCode(t *testing.T) {
	if _, err := os.Stat("../go.work"); err != nil {
		t.Skip("the files are in the repository")
	}
	const page = "ipfs.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	matches := block.FindAllStringSubmatch(string(text), -1)
	if len(matches) == 0 {
		t.Fatal("no code")
	}
	for _, match := range matches {
		from, language, code := match[1], match[2], match[3]
		if from == "" {
			t.Errorf("where is this run?\n%s", code)
			continue
		}
		source, err := os.ReadFile(filepath.Join("..", from))
		if err != nil {
			t.Error(err)
			continue
		}
		switch language {
		case "go":
			if !strings.Contains(dedent(string(source)), dedent(code)) {
				t.Errorf("this is not in %s as it is here:\n%s", from, code)
			}
		default:
			if !strings.Contains(string(source), page) {
				t.Errorf("%s does not run this:\n%s", from, code)
			}
		}
	}
}

// dedent returns code without indentation.
func dedent(code string) string {
	var out strings.Builder
	for line := range strings.Lines(code) {
		out.WriteString(strings.TrimLeft(line, "\t"))
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}

// link is where a link or an image of a page leads, inline or by reference.
var link = regexp.MustCompile(`\]\(([^()\s]+)\)|(?m)^\[[^\]]+\]: (\S+)$`)

// code is what is no text on a page.
var code = regexp.MustCompile("(?sm)^```.*?^```|`[^`\n]*`")

// TestLinks: what the pages of this repository link to in it exists, down to the
// heading.
func TestLinks(t *testing.T) {
	if _, err := os.Stat("../go.work"); err != nil {
		t.Skip("the files are in the repository")
	}
	checked := 0
	err := filepath.WalkDir("..", func(page string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (name == "node_modules" || name == "testdata" || name[0] == '.' && name != ".." && name != ".github"):
			return filepath.SkipDir
		case entry.IsDir() || filepath.Ext(name) != ".md":
			return nil
		}
		text, err := os.ReadFile(page)
		if err != nil {
			return err
		}
		for _, match := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), ""), -1) {
			target := match[1] + match[2]
			if strings.Contains(target, "://") {
				continue
			}
			checked++
			file, heading, _ := strings.Cut(target, "#")
			if file = filepath.Join(filepath.Dir(page), file); strings.HasPrefix(target, "#") {
				file = page
			}
			there, err := headings(file)
			if err != nil {
				t.Errorf("%s links to %s: %v", page, target, err)
			} else if heading != "" && !there[heading] {
				t.Errorf("%s links to %s, which has no such heading", page, target)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked == 0 {
		t.Fatal("no links")
	}
}

// headings returns the anchors of a page's headings, or none of what is no page.
func headings(file string) (map[string]bool, error) {
	if _, err := os.Stat(file); err != nil || filepath.Ext(file) != ".md" {
		return nil, err
	}
	text, err := os.ReadFile(file)
	anchors := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if title := strings.TrimLeft(line, "#"); title != line {
			anchors[anchor.Replace(strings.ToLower(strings.TrimSpace(title)))] = true
		}
	}
	return anchors, err
}

var anchor = strings.NewReplacer(" ", "-", "`", "", ",", "", ".", "", ":", "", "?", "", "(", "", ")", "", "/", "")
