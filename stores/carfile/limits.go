package carfile

import (
	"fmt"

	"github.com/ipfs/go-cid"
	carv2 "github.com/ipld/go-car/v2"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// Limits are the bounds on what a CAR may make us allocate: a header of a
// MiB, and sections that hold the largest block under its CID.
func Limits() []carv2.Option {
	return []carv2.Option{carv2.MaxAllowedHeaderSize(1 << 20), carv2.MaxAllowedSectionSize(maxSection)}
}

const maxSection = stores.MaxBlockBytes + 1<<20

// checkSize refuses to write what would not be read.
func checkSize(c cid.Cid, block []byte) error {
	if size := c.ByteLen() + len(block); size > maxSection {
		return fmt.Errorf("block %s: %d bytes with its CID, and a CAR is read up to %d", c, size, maxSection)
	}
	return nil
}
