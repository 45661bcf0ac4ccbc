package carfile

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// FuzzCAR reads a file that may be anything, in sequence and by CID. A block that
// is returned is that of its CID, and no more is allocated than the file's length
// justifies.
func FuzzCAR(f *testing.F) {
	some := []Block{block(f, 1), block(f, 2), block(f, 3)}
	var file bytes.Buffer
	write(f, &file, some[0].CID, some...)
	f.Add(file.Bytes())
	f.Add(append(bytes.Clone(file.Bytes()), make([]byte, 100)...)) // padded
	f.Add(file.Bytes()[:file.Len()-20])
	path := filepath.Join(f.TempDir(), "x.car")
	b := create(f, path)
	put(f, b, some...)
	publish(f, b, some[0].CID)
	if err := b.Close(); err != nil {
		f.Fatal(err)
	}
	v2, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(v2)
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		path := filepath.Join(t.TempDir(), "fuzz.car")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		want := append([]Block(nil), some...)
		if r, err := NewReader(bytes.NewReader(data), "fuzz.car"); err == nil {
			for b, err := range r.Blocks() {
				if err != nil {
					break // it says what is wrong
				}
				if err := stores.Check(b.CID, b.Data); err != nil {
					t.Fatalf("block %s is read: %v", b.CID, err)
				}
				want = append(want, b)
			}
		}
		if file, err := Open(path); err == nil {
			for _, b := range want {
				if got, err := load(file, b.CID); err == nil && !bytes.Equal(got, b.Data) {
					t.Fatalf("block %s is another", b.CID)
				}
			}
			if root, ok := file.DefaultRoot(); ok && root == cid.Undef {
				t.Error("the root is undefined")
			}
			if err := file.Close(); err != nil {
				t.Error(err)
			}
		}
		runtime.ReadMemStats(&after)
		if got, most := after.TotalAlloc-before.TotalAlloc, uint64(64<<20+100*len(data)); got > most {
			t.Errorf("%d bytes allocated for a file of %d", got, len(data))
		}
	})
}
