package main_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
	carv2 "github.com/ipld/go-car/v2"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
)

func TestExportImport(t *testing.T) {
	p := newPlace(t)
	root := p.root(lines(3000), "build", "--name", "precip")
	p.same("export", p.ok("", "export", "precip", "-o", "precip.car"), "")
	p.same("import", p.root("", "--store", "other", "import", "precip.car", "--name", "there"), root)
	p.same("the name", p.ok("", "--store", "other", "names"), "there\t"+root+"\n")
	p.same("verify", p.run("", "--store", "other", "verify", "there").err, "hamt: ok: 3000 entries, 256 blocks\n")
	p.same("blocks", p.ok("", "--store", "other", "blocks", root), p.ok("", "blocks", root))

	bytes := p.read("precip.car")
	p.same("to stdout", p.ok("", "export", root, "-o", "-"), bytes)
	p.same("from a pipe", p.root(bytes, "--store", "third", "import", "-"), root)

	// Exporting what is not whole leaves the file that was there.
	p.fails(3, "block cannot be loaded", "", "export", "bafyreic672jz6huur4c2yekd3uycswe2xfqhjlmtmm5dorb6yoytgflova", "-o", "precip.car")
	p.same("the file", p.read("precip.car"), bytes)
	if found, err := filepath.Glob(filepath.Join(p.dir, ".precip*")); err != nil || len(found) > 0 {
		t.Errorf("left behind: %v, %v", found, err)
	}
}

func (p place) read(name string) string {
	p.t.Helper()
	content, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(content)
}

func TestCARAsStore(t *testing.T) {
	p := newPlace(t)
	root := p.root(lines(3000), "build", "--name", "precip")
	p.ok("", "export", "precip", "-o", "v1.car")
	if err := carv2.WrapV1File(filepath.Join(p.dir, "v1.car"), filepath.Join(p.dir, "v2.car")); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"v1.car", "v2.car"} {
		p.same("get", p.ok("", "--store", file, "get", "precip/0.7"), "7\n")
		p.same("get", p.ok("", "--store", file, "get", root, "precip/0.7"), "7\n")
		p.same("has", p.ok("", "--store", file, "has", "precip/2.999"), "true\n")
		p.same("len", p.ok("", "--store", file, "len"), "3000\n")
		p.same("entries", p.ok("", "--store", file, "entries"), p.ok("", "entries", root))
		p.same("verify", p.ok("", "--store", file, "verify"), "")
		p.same("export", p.ok("", "--store", file, "export", "-o", "-"), p.read("v1.car"))
		p.same("import", p.root("", "--store", "from-"+file+".d", "import", file), root)
		for _, args := range [][]string{
			{"set", root, "x", "1"}, {"delete", root, "x"}, {"apply", root}, {"rebuild", root}, {"import", file},
			{"names", "rm", "x"},
		} {
			p.fails(2, "read-only", "", append([]string{"--store", file}, args...)...)
		}
		p.fails(2, "no names", "", "--store", file, "get", "precip", "x")
		p.fails(2, "no names", "", "--store", file, "names")
	}
	p.fails(3, "absent.car", "", "--store", "absent.car", "len")
	p.fails(3, "bad.car", "", "--store", p.file("bad.car", "this is no CAR"), "len")
	p.fails(3, "bad.car", "", "import", "bad.car")
	p.fails(3, "cut.car", "", "--store", p.file("cut.car", p.read("v1.car")[:1000]), "len")
	p.fails(3, "cut.car", "", "import", "cut.car")
}

// block is a block of DAG-CBOR, written as DAG-JSON.
func (p place) block(json string) (cid.Cid, []byte) {
	p.t.Helper()
	raw, err := dagjson.ToCBOR(nil, []byte(json))
	if err != nil {
		p.t.Fatal(err)
	}
	c, err := cid.V1Builder{Codec: cid.DagCBOR, MhType: multihash.SHA2_256}.Sum(raw)
	if err != nil {
		p.t.Fatal(err)
	}
	return c, raw
}

// car writes a CAR of blocks that are in it under any names.
func (p place) car(name string, root cid.Cid, blocks map[cid.Cid][]byte) string {
	p.t.Helper()
	err := carfile.WriteFile(filepath.Join(p.dir, name), func(w io.Writer) error {
		out, err := carfile.NewWriter(w, root)
		if err != nil {
			return err
		}
		for c, raw := range blocks {
			if err := out.Put(context.Background(), c, raw); err != nil {
				return err
			}
		}
		return out.Finish()
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return name
}

// TestFaultyCARs: what others may hand over.
func TestFaultyCARs(t *testing.T) {
	p := newPlace(t)
	const hamtRoot = `{"bucketSize":3,"hamt":[{"/":{"bytes":"AQ"}},[[]]],"hashAlg":18}`
	root, raw := p.block(hamtRoot)
	leftover := p.car("leftover.car", root, map[cid.Cid][]byte{root: raw})
	p.same("len", p.ok("", "--store", leftover, "len"), "0\n")
	r := p.run("", "--store", leftover, "verify")
	if r.status != 3 || !strings.HasPrefix(r.out, "empty bucket") || !strings.Contains(r.out, root.String()) ||
		strings.Count(r.out, "\n") != 1 || r.err != "hamt: 1 fault\n" {
		t.Errorf("verify: %+v", r)
	}
	// It can be imported, since it can be read, and rebuilt.
	p.root("", "import", leftover, "--name", "m")
	p.same("rebuild", p.root("", "rebuild", "m"), p.root("", "build", "--bit-width", "3"))
	p.same("verify", p.ok("", "verify", "m"), "")

	other, otherRaw := p.block(`{"some":"thing else"}`)
	p.fails(3, "not a HAMT", "", "import", p.car("other.car", other, map[cid.Cid][]byte{other: otherRaw}))
	p.fails(3, "not a HAMT", "", "--store", "other.car", "len")

	tampered := p.car("tampered.car", root, map[cid.Cid][]byte{root: otherRaw})
	p.fails(3, "", "", "import", tampered)
	p.fails(3, "does not match its link", "", "--store", tampered, "len")

	link := `{"bucketSize":3,"hamt":[{"/":{"bytes":"AQ"}},[{"/":"` + other.String() + `"}]],"hashAlg":18}`
	broken, brokenRaw := p.block(link)
	file := p.car("broken.car", broken, map[cid.Cid][]byte{broken: brokenRaw})
	p.fails(3, other.String(), "", "import", file)
	r = p.run("", "--store", file, "verify")
	if r.status != 3 || !strings.Contains(r.out, other.String()+" at /0") {
		t.Errorf("verify: %+v", r)
	}
	p.fails(3, "names no root", "", "import", p.noRoots())
}

func (p place) noRoots() string {
	p.t.Helper()
	err := carfile.WriteFile(filepath.Join(p.dir, "none.car"), func(w io.Writer) error {
		out, err := carfile.NewWriter(w)
		if err != nil {
			return err
		}
		return out.Finish()
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return "none.car"
}
