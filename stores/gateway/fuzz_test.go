package gateway

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
)

// FuzzAnswers asks a gateway that answers with anything. A block that is returned
// is the one that was asked for.
func FuzzAnswers(f *testing.F) {
	b := newContent()
	leaf := b.raw("a leaf")
	root := b.put(cid.DagCBOR, append([]byte{0xd8, 0x2a, 0x58, 0x25, 0x00}, leaf.Bytes()...))
	var car bytes.Buffer
	w, err := carfile.NewWriter(&car, root)
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range []cid.Cid{root, leaf} {
		if err := w.Put(f.Context(), c, b.block(c)); err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Finish(); err != nil {
		f.Fatal(err)
	}
	f.Add(200, "application/vnd.ipld.raw", "", b.block(root))
	f.Add(200, "application/vnd.ipld.car; version=1; order=dfs; dups=n", "", car.Bytes())
	f.Add(200, "application/vnd.ipld.car", "", car.Bytes()[:car.Len()-3])
	f.Add(429, "text/html", "-1", []byte("<html>"))
	f.Add(503, "; ;", "Wed, 21 Oct 2015 07:28:00 GMT", []byte{})
	f.Add(302, "text/plain", "99999999999999999999", []byte{})
	var answer http.HandlerFunc
	server := serve(f, func(w http.ResponseWriter, r *http.Request) { answer(w, r) })
	f.Fuzz(func(t *testing.T, status int, contentType, retryAfter string, body []byte) {
		answer = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Retry-After", retryAfter)
			w.WriteHeader(200 + int(uint(status)%400))
			_, _ = w.Write(body) // some statuses have none
		}
		if status == 200 {
			answer = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", contentType)
				_, _ = io.Copy(w, bytes.NewReader(body))
			}
		}
		s := open(t, once, server)
		for _, c := range []cid.Cid{root, leaf} {
			if got, err := s.Get(t.Context(), c); err == nil && !bytes.Equal(got, b.block(c)) {
				t.Errorf("Get(%s) returns %q", c, got)
			}
			_, _ = s.Has(t.Context(), c) // it is believed
		}
		delivered := map[cid.Cid]bool{}
		err := s.Tree(t.Context(), root, func(c cid.Cid, block []byte) error {
			delivered[c] = true
			return stores.Check(c, block)
		})
		if err == nil && !(delivered[root] && delivered[leaf]) {
			t.Errorf("the tree is whole with %v", delivered)
		}
	})
}
