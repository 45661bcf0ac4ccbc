package embedded

import (
	"testing"

	"github.com/multiformats/go-multicodec"

	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// TestNamesRememberParams: a name remembers the parameters of its map, also when it
// moves, and when the store is opened again or its log begins anew; those of what it
// stands for again are those of before.
func TestNamesRememberParams(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, true)
	first, _ := block(t, 1)
	second, _ := block(t, 2)
	none := params.Params{}
	v3, v0 := params.Filecoin(), params.Params{Layout: params.FilecoinV0, BitWidth: 8, BucketSize: 1}.WithHashAlg(multicodec.Identity)
	check := func(step string, want params.Params) {
		t.Helper()
		for _, when := range []string{"at once", "read again"} {
			p, ok, err := s.NameParams(t.Context(), "name")
			if err != nil || ok != (want != none) || p != want {
				t.Errorf("%s, %s: %v, %v, %v", step, when, p, ok, err)
			}
			closeStore(t, s)
			s = open(t, dir, true)
		}
	}
	check("no name", none)
	for _, step := range []struct {
		name string
		do   func() error
		want params.Params
	}{
		{"set with some", func() error { return s.SetNameParams(t.Context(), "name", first, v3) }, v3},
		{"set with others", func() error { return s.SetNameParams(t.Context(), "name", first, v0) }, v0},
		{"moved", func() error { return s.MoveName(t.Context(), "name", first, second) }, v0},
		{"set without", func() error { return s.SetName(t.Context(), "name", second) }, none},
		{"moved back", func() error { return s.MoveName(t.Context(), "name", second, first) }, v0},
		{"removed", func() error { _, err := s.RemoveName(t.Context(), "name"); return err }, none},
		{"set to what it was", func() error { _, err := s.RemoveName(t.Context(), "name"); return err }, none},
		{"set with defaults", func() error {
			return s.SetNameParams(t.Context(), "name", first, params.Params{Layout: params.FilecoinV3})
		}, v3},
		{"set with what blocks carry", func() error { return s.SetNameParams(t.Context(), "name", first, params.Default()) }, none},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		check(step.name, step.want)
	}
	defer closeStore(t, s)
	if err := s.SetNameParams(t.Context(), "name", first, v0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.RenameName(t.Context(), "name", "new"); err != nil {
		t.Fatal(err)
	}
	if p, ok, err := s.NameParams(t.Context(), "new"); p != v0 || !ok || err != nil {
		t.Errorf("renamed: %v, %v, %v", p, ok, err)
	}
	// None that a map cannot have is believed.
	for _, object := range []string{
		`{"layout":"filecoin-v9","hashAlg":18,"bitWidth":5,"bucketSize":3}`,
		`{"layout":"filecoin-v3","hashAlg":18,"bitWidth":17,"bucketSize":3}`,
		`{"layout":"filecoin-v3","hashAlg":18,"bitWidth":5,"bucketSize":0}`,
	} {
		line := appendLine(nil, []byte(`{"n":1,"time":"2026-01-01T00:00:00Z","names":[{"name":"x","root":"`+first.String()+`","params":`+object+`}]}`))
		if _, ok := parseLine(line[:len(line)-1]); ok {
			t.Errorf("%s is believed", object)
		}
	}
}
