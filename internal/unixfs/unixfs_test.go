package unixfs_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/ipld-hamt/go-ipld-hamt/internal/unixfs"
)

// TestAppend: the CIDs are those that ipfs add gives these files.
func TestAppend(t *testing.T) {
	for content, want := range map[string]string{
		"":                "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH",
		"hello world\n":   "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o",
		"Hello from IPFS": "",
	} {
		block := unixfs.Append(nil, []byte(content))
		digest, err := multihash.Sum(block, multihash.SHA2_256, -1)
		if err != nil {
			t.Fatal(err)
		}
		if got := cid.NewCidV0(digest).String(); want != "" && got != want {
			t.Errorf("%q: %s, want %s", content, got, want)
		}
		f, err := unixfs.Parse(block)
		if err != nil || string(f.Data) != content || len(f.Links) != 0 {
			t.Errorf("%q is read as %q, %d links, %v", content, f.Data, len(f.Links), err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	file := unixfs.Append(nil, []byte("some content"))
	for name, block := range map[string][]byte{
		"nothing":            {},
		"no data":            {0x12, 0x02, 0x0a, 0x00},
		"a directory":        {0x0a, 0x02, 0x08, 0x01},
		"a symlink":          {0x0a, 0x02, 0x08, 0x04},
		"fixed width":        {0x0d, 1, 2, 3, 4},
		"length too large":   {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		"endless varint":     bytes.Repeat([]byte{0xff}, 20),
		"inside of a link":   {0x12, 0x02, 0x0a, 0x05},
		"inside of the data": {0x0a, 0x03, 0x08, 0x02, 0x12},
	} {
		if f, err := unixfs.Parse(block); err == nil {
			t.Errorf("%s: %+v", name, f)
		}
	}
	for n := range len(file) {
		if f, err := unixfs.Parse(file[:n]); err == nil {
			t.Errorf("the first %d bytes: %+v", n, f)
		}
	}
	if _, err := unixfs.Parse([]byte("a text file, and no protobuf")); err == nil || strings.Contains(err.Error(), "%!") {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(unixfs.Append(nil, []byte("content")))
	f.Add([]byte{0x12, 0x02, 0x0a, 0x00, 0x0a, 0x02, 0x08, 0x02})
	f.Fuzz(func(t *testing.T, block []byte) {
		file, err := unixfs.Parse(block)
		if err != nil {
			return
		}
		size := len(file.Data)
		for _, link := range file.Links {
			size += len(link)
		}
		if size > len(block) {
			t.Errorf("%d bytes out of %d", size, len(block))
		}
		if len(file.Links) == 0 {
			again, err := unixfs.Parse(unixfs.Append(nil, file.Data))
			if err != nil || !bytes.Equal(again.Data, file.Data) {
				t.Errorf("%x is written as %x, %v", file.Data, again.Data, err)
			}
		}
	})
}
