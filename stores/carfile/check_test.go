package carfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/ipfs/go-cid"
	carv2 "github.com/ipld/go-car/v2"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// TestCheck names the blocks of a CAR that are damaged, and reads the others, with
// whatever of it is damaged.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	var all []Block
	for n := range 20 {
		data := bytes.Repeat(fmt.Appendf(nil, "block %d;", n), 1+n)
		c, err := cid.V1Builder{Codec: cid.Raw, MhType: multihash.SHA2_256}.Sum(data)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, Block{c, data})
	}
	one := filepath.Join(dir, "one.car")
	if err := WriteFile(one, func(w io.Writer) error {
		out, err := NewWriter(w, all[0].CID)
		for _, b := range all {
			err = errors.Join(err, out.Put(t.Context(), b.CID, b.Data))
		}
		return errors.Join(err, out.Finish())
	}); err != nil {
		t.Fatal(err)
	}
	two := filepath.Join(dir, "two.car")
	if err := carv2.WrapV1File(one, two); err != nil {
		t.Fatal(err)
	}
	check := func(path string, data []byte) (good []cid.Cid, damage []*DamageError, failed error) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		for c, err := range Check(t.Context(), path) {
			var d *DamageError
			switch {
			case err == nil:
				good = append(good, c)
			case errors.As(err, &d) && errors.Is(err, stores.ErrWrongBytes):
				damage = append(damage, d)
			default:
				failed = err
			}
		}
		return good, damage, failed
	}
	for _, path := range []string{one, two} {
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		padded := append(bytes.Clone(whole), make([]byte, 100_000)...)
		for _, data := range [][]byte{whole, padded} {
			if good, damage, err := check(path, data); len(good) != len(all) || len(damage) > 0 || err != nil {
				t.Errorf("%s: %d of %d blocks, %v, %v", path, len(good), len(all), damage, err)
			}
		}
		for what, at := range map[string]int{"length": -2, "version": 0, "digest": 20, "block": 40} {
			begin := bytes.LastIndex(whole, append(all[15].CID.Bytes(), all[15].Data...))
			data := bytes.Clone(whole)
			data[begin+at] ^= 1
			good, damage, err := check(path, data)
			if len(good) != len(all)-1 || len(damage) != 1 || err != nil {
				t.Errorf("%s, %s: %d of %d blocks, %v, %v", path, what, len(good), len(all), damage, err)
				continue
			}
			if what == "block" && damage[0].CID != all[15].CID {
				t.Errorf("%s: %v, want %s", path, damage[0], all[15].CID)
			}
			if damage[0].Offset < int64(begin-2) || damage[0].Offset > int64(begin) {
				t.Errorf("%s, %s: at %d, want about %d", path, what, damage[0].Offset, begin)
			}
		}
		begin := bytes.LastIndex(whole, append(all[19].CID.Bytes(), all[19].Data...))
		good, damage, err := check(path, whole[:begin+50])
		if len(good) != len(all)-1 || len(damage) != 1 || damage[0].CID != all[19].CID || err != nil {
			t.Errorf("%s, cut: %d of %d blocks, %v, %v", path, len(good), len(all), damage, err)
		}
		if _, _, err := check(path, whole[:20]); err == nil {
			t.Errorf("%s: a part of a header is a CAR", path)
		}
	}
	for _, err := range Check(t.Context(), filepath.Join(dir, "absent.car")) {
		if !errors.Is(err, os.ErrNotExist) {
			t.Errorf("absent: %v", err)
		}
	}
}
