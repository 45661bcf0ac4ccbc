package carfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

func block(t testing.TB, n int) Block {
	t.Helper()
	data := fmt.Appendf(nil, "block %d", n)
	c, err := cid.V1Builder{Codec: cid.Raw, MhType: multihash.SHA2_256}.Sum(data)
	if err != nil {
		t.Fatal(err)
	}
	return Block{c, data}
}

func write(t testing.TB, w io.Writer, root cid.Cid, blocks ...Block) {
	t.Helper()
	out, err := NewWriter(w, root)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		if err := out.Put(context.Background(), b.CID, b.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Finish(); err != nil {
		t.Fatal(err)
	}
}

func TestWriteAndRead(t *testing.T) {
	var file bytes.Buffer
	first, second := block(t, 1), block(t, 2)
	write(t, &file, first.CID, first, second, first) // the repetition is dropped
	whole := file.Bytes()
	in, err := NewReader(bytes.NewReader(whole), "x.car")
	if err != nil {
		t.Fatal(err)
	}
	if roots := in.Roots(); len(roots) != 1 || !roots[0].Equals(first.CID) {
		t.Errorf("roots %v", roots)
	}
	var got []Block
	for b, err := range in.Blocks() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, b)
	}
	if fmt.Sprint(got) != fmt.Sprint([]Block{first, second}) {
		t.Errorf("blocks %v", got)
	}

	tampered := bytes.Replace(whole, second.Data, []byte("BLOCK 2"), 1)
	if err := readAll(tampered); err == nil {
		t.Error("a block that was tampered with is taken")
	}
	// Between two blocks nobody can tell that a CAR was cut; anywhere else it
	// is an error.
	for n := range whole {
		between := bytes.HasSuffix(whole[:n], first.Data) || n == bytes.LastIndex(whole, first.CID.Bytes())-1
		if err := readAll(whole[:n]); err == nil && !between {
			t.Errorf("cut at %d, and taken", n)
		}
	}
}

func readAll(file []byte) error {
	in, err := NewReader(bytes.NewReader(file), "x.car")
	if err != nil {
		return err
	}
	for _, err := range in.Blocks() {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.car")
	say := func(text string, err error) func(io.Writer) error {
		return func(w io.Writer) error {
			_, writeErr := io.WriteString(w, text)
			return errors.Join(writeErr, err)
		}
	}
	for _, text := range []string{"first", "second"} {
		if err := WriteFile(path, say(text, nil), WithForce()); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := WriteFile(path, say("third", broken), WithForce()); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "second" {
		t.Errorf("after a failure: %q, %v", got, err)
	}
	if err := WriteFile(path, say("fourth", nil), WithForce()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestWeakDigests: a block whose CID is that of many is not taken from a CAR, and
// cannot be the root of one, unless that is asked for.
func TestWeakDigests(t *testing.T) {
	strong, weak := block(t, 1), named(t, cid.V1Builder{Codec: cid.Raw, MhType: multihash.SHA2_256, MhLength: 19}, 2, 10)
	var file bytes.Buffer
	write(t, &file, weak.CID, strong, weak)
	for _, allowed := range []bool{false, true} {
		in, err := NewReader(bytes.NewReader(file.Bytes()), "x.car")
		if err != nil {
			t.Fatal(err)
		}
		if allowed {
			in.AllowWeakDigests()
		}
		read, failed := 0, error(nil)
		for _, err := range in.Blocks() {
			if failed = err; err == nil {
				read++
			}
		}
		if allowed && (failed != nil || read != 2) || !allowed && (!errors.Is(failed, stores.ErrWeakDigest) || read != 1) {
			t.Errorf("allowed %v: %d blocks, %v", allowed, read, failed)
		}
		b := create(t, filepath.Join(t.TempDir(), "x.car"))
		if allowed {
			b.AllowWeakDigests()
			put(t, b, weak)
		}
		if err := b.Publish(t.Context(), weak.CID); allowed != (err == nil) || !allowed && !errors.Is(err, stores.ErrWeakDigest) {
			t.Errorf("allowed %v: published: %v", allowed, err)
		}
	}
}
