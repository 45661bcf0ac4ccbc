package builder

import (
	"bytes"
	"io"
	"testing"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
)

// TestSameStorage: a copy of a LinkSystem has its storage, another one does not,
// also where they only write.
func TestSameStorage(t *testing.T) {
	one, other := storage(), storage()
	for _, reads := range []bool{true, false} {
		if !reads {
			one.StorageReadOpener, other.StorageReadOpener = nil, nil
		}
		again := one
		if !sameStorage(&one, &again) {
			t.Errorf("reads %v: a copy has another storage", reads)
		}
		if sameStorage(&one, &other) {
			t.Errorf("reads %v: two stores are one", reads)
		}
	}
}

// storage returns a LinkSystem with a storage of its own.
func storage() (lsys linking.LinkSystem) {
	var block bytes.Buffer
	lsys.StorageReadOpener = func(linking.LinkContext, datamodel.Link) (io.Reader, error) { return &block, nil }
	lsys.StorageWriteOpener = func(linking.LinkContext) (io.Writer, linking.BlockWriteCommitter, error) {
		return &block, func(datamodel.Link) error { return nil }, nil
	}
	return lsys
}
