package links

import (
	"bytes"

	"github.com/ipfs/go-cid"
)

// Like returns all that looks like a link in a block of CBOR that need not be one
// that can be decoded. Every link is among it, but for one whose head is longer than
// it has to be.
func Like(block []byte) (links []cid.Cid) {
	for {
		at := bytes.Index(block, linkTag)
		if at < 0 {
			return links
		}
		block = block[at+len(linkTag):]
		s := scanner{rest: block}
		s.link(func(c cid.Cid) { links = append(links, c) })
	}
}

// linkTag is tag 42.
var linkTag = []byte{majorTag | 24, 42}
