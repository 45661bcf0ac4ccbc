package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/ipld/go-ipld-prime/linking"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/input"
	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/unixfs"
)

// fileValues puts what is in large strings and bytes into files, and links to those in
// their place. nil puts nothing into files.
type fileValues struct {
	lsys  *linking.LinkSystem
	limit int // in bytes of DAG-CBOR
}

// fileValues returns what the flags say of large values that are written with a
// LinkSystem.
func (f *blockFlags) fileValues(lsys linking.LinkSystem) *fileValues {
	if !f.files {
		return nil
	}
	return &fileValues{&lsys, f.inlineBytes()}
}

// keep returns a value in DAG-CBOR as the map is to have it.
func (v *fileValues) keep(ctx context.Context, raw []byte) ([]byte, error) {
	if v == nil || len(raw) <= v.limit {
		return raw, nil
	}
	content, ok := dagjson.Content(raw)
	if !ok {
		return raw, nil
	}
	return v.write(ctx, bytes.NewReader(content))
}

// write writes a file, and returns a link to it.
func (v *fileValues) write(ctx context.Context, content io.Reader) ([]byte, error) {
	root, err := unixfs.Write(ctx, v.lsys, content)
	if err != nil {
		return nil, err
	}
	return dagjson.AppendLink(nil, root.Bytes()), nil
}

// set puts an entry into a map, whose value may become a file.
func (v *fileValues) set(ctx context.Context, e input.Entry, set func(key, value []byte) error) error {
	value, err := v.keep(ctx, e.Value)
	if err != nil {
		return fmt.Errorf("key %q: %w", e.Key, err)
	}
	return inPlace(e.Position, set(e.Key, value))
}
