package kubo_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multicodec"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/interop/kubo/daemon"
	"github.com/ipld-hamt/go-ipld-hamt/stores/kubo"
)

func sum(t *testing.T, codec multicodec.Code, data []byte) cid.Cid {
	t.Helper()
	c, err := cid.V1Builder{Codec: uint64(codec), MhType: multihash.SHA2_256}.Sum(data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRefused: what the daemon does not take is said in its own words, however
// much of the CAR was still to come.
func TestRefused(t *testing.T) {
	t.Parallel()
	node := daemon.Start(t, nil)
	for range 5 {
		s := open(t, node.API, kubo.Options{Remote: quick})
		bad := []byte{0xff}
		if err := s.Put(t.Context(), sum(t, multicodec.DagCbor, bad), bad); err != nil {
			t.Fatal(err)
		}
		var last cid.Cid
		for i := range 20 {
			data := bytes.Repeat([]byte{byte(i)}, 300<<10)
			last = sum(t, multicodec.Raw, data)
			if err := s.Put(t.Context(), last, data); err != nil {
				t.Fatal(err)
			}
		}
		err := s.Publish(t.Context(), last)
		if err == nil || !strings.Contains(err.Error(), "import failed") {
			t.Errorf("%v", err)
		}
	}
}

// TestOddCodecs: blocks in codecs that the daemon cannot decode go there, too,
// and so do some that are larger than nodes send each other.
func TestOddCodecs(t *testing.T) {
	t.Parallel()
	node := daemon.Start(t, nil)
	var warned []string
	o := kubo.Options{Remote: quick}
	o.Remote.Warn = func(message string) { warned = append(warned, message) }
	s := open(t, node.API, o)
	var last cid.Cid
	put := map[string][]byte{}
	for i, codec := range []multicodec.Code{
		multicodec.Raw, multicodec.DagJose, multicodec.GitRaw, multicodec.Libp2pKey, multicodec.Json, multicodec.Cbor, multicodec.Raw,
	} {
		data := append([]byte{byte('0' + i)}, bytes.Repeat([]byte(" "), i)...)
		if i == 6 {
			data = bytes.Repeat([]byte("large"), 1<<20)
		}
		if codec == multicodec.Cbor {
			data = []byte{byte(i)}
		}
		last = sum(t, codec, data)
		put[last.String()] = data
		if err := s.Put(t.Context(), last, data); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Publish(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	again := open(t, node.API, kubo.Options{Remote: quick})
	for text, want := range put {
		c, err := cid.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := again.Get(t.Context(), c); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v", c, err)
		}
	}
	if len(warned) != 1 || !strings.Contains(warned[0], "2 MiB") {
		t.Errorf("warned %q", warned)
	}
}
