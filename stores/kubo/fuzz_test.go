package kubo

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// FuzzAnswers asks a node that answers with anything. A block that is returned is
// the one that was asked for, and nothing is called done that the node did not
// acknowledge.
func FuzzAnswers(f *testing.F) {
	b := testBlock(f, 1)
	f.Add(false, b.Data)
	for _, answer := range []string{
		`{"Key":"` + b.CID.String() + `","Size":100}`,
		`{"Stats":{"BlockCount":1,"BlockBytesCount":100}}` + "\n",
		`{"Root":{"Cid":{"/":"` + b.CID.String() + `"},"PinErrorMsg":""}}` + "\n" + `{"Stats":{"BlockCount":1,"BlockBytesCount":100}}`,
		`{"Keys":{"` + b.CID.String() + `":{"Type":"recursive","Name":"hamt:x"}}}`,
		`{"Cid":"` + b.CID.String() + `","Type":"recursive","Name":"a\u001b[31m"}` + "\n{}",
		`{"Pins":["` + b.CID.String() + `"]}`,
		`{"Version":"0.42.0"}`, "[", "null", `{"Keys":{"":null}}`, `{"Cid":1}`,
	} {
		f.Add(false, []byte(answer))
		f.Add(true, []byte(answer))
	}
	f.Add(true, []byte(`{"Message":"ipld: could not find `+b.CID.String()+`","Code":0,"Type":"error"}`))
	node := newFakeNode(f)
	f.Fuzz(func(t *testing.T, fails bool, body []byte) {
		node.before = func(_ string, w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/json")
			if fails {
				w.WriteHeader(http.StatusInternalServerError)
			}
			_, _ = w.Write(body)
			return true
		}
		s, err := Open(t.Context(), node.URL, Options{Pin: true, Remote: remote.Options{Retries: -1, Timeout: 5 * time.Second}})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get(t.Context(), b.CID); err == nil && !bytes.Equal(got, b.Data) {
			t.Errorf("Get returns %q", got)
		}
		_, _ = s.Has(t.Context(), b.CID) // it is believed
		for name, err := range s.Names(t.Context()) {
			if err == nil && name.Root == cid.Undef {
				t.Errorf("name %q has no root", name.Name)
			}
		}
		if root, found, err := s.Lookup(t.Context(), "x"); err == nil && found == (root == cid.Undef) {
			t.Errorf("Lookup returns %v, %v", root, found)
		}
		if _, err := s.RemoveName(t.Context(), "x"); fails && err == nil {
			t.Error("a name is removed by a node that fails")
		}
		err = s.Put(t.Context(), b.CID, b.Data)
		if err == nil {
			err = s.Sync()
		}
		if err == nil {
			err = s.Publish(t.Context(), b.CID)
		}
		if fails && err == nil {
			t.Error("published by a node that fails")
		}
		_ = s.Close() // it says again what has failed
	})
}
