package block_test

import (
	"strings"
	"testing"

	"github.com/ipld-hamt/go-ipld-hamt/internal/block"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

// TestRootAsWritten: a root is parsed in one pass from both ends, and is then what is in
// between: nothing before the fields, between them or behind them, and a bucket size
// that there can be. In another order its fields are read as well.
func TestRootAsWritten(t *testing.T) {
	const node, hashAlg, bucketSize = "\x64hamt\x82\x41\x01\x81\x81\x82\x41\x00\x01", "\x67hashAlg\x00", "\x6abucketSize\x03"
	for _, good := range []string{
		"\xa3" + node + hashAlg + bucketSize,
		"\xa3" + node + bucketSize + hashAlg,
		"\xa3" + bucketSize + node + hashAlg,
		// The name of the field stands in a value, too.
		"\xa3\x64hamt\x82\x41\x01\x81\x81\x82\x41\x00\x67hashAlg" + hashAlg + bucketSize,
	} {
		root, p, err := block.ParseRoot([]byte(good), params.Params{})
		if err != nil || p.BucketSize != 3 || !p.IdentityHash || p.BitWidth != 3 || root.Entries() != 1 || string(root.Raw()) != good {
			t.Errorf("%q: %v, %v", good, p, err)
		}
	}
	for _, bad := range []string{
		"\xa3" + node + "\x00" + hashAlg + bucketSize,
		"\xa3" + node + hashAlg + "\x00" + bucketSize,
		"\xa3" + node + hashAlg + bucketSize + "\x00",
		"\xa3" + node + hashAlg + hashAlg,
		"\xa3" + node + "\x67hashAlg\x20" + bucketSize,
		"\xa3" + node + hashAlg + "\x6abucketSize\x00",
		"\xa3" + node + hashAlg + "\x6abucketSize\x1a\x80\x00\x00\x00",
		"\xa3" + node + hashAlg + "\x6abucketSize\x1b" + strings.Repeat("\xff", 8),
		"\xa3" + node + hashAlg,
		"\xa2" + node + hashAlg + bucketSize,
		"\xa3" + hashAlg + bucketSize,
		hashAlg + bucketSize,
	} {
		if _, p, err := block.ParseRoot([]byte(bad), params.Params{}); err == nil {
			t.Errorf("%q is read, with %v", bad, p)
		}
	}
}
