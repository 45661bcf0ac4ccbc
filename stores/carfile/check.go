package carfile

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/ipfs/go-cid"
	carv2 "github.com/ipld/go-car/v2"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/pack"
)

// DamageError reports that a section of a CAR is damaged. It is
// stores.ErrWrongBytes.
type DamageError struct {
	Path   string
	Offset int64   // of the section in the file
	CID    cid.Cid // of the block, undefined where that cannot be read
	Err    error   // of reading it, or nil
}

func (e *DamageError) Error() string {
	text := fmt.Sprintf("%s: block %s is damaged at byte %d", e.Path, e.CID, e.Offset)
	if !e.CID.Defined() {
		text = fmt.Sprintf("%s: damaged at byte %d, and nothing says which block was there", e.Path, e.Offset)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns stores.ErrWrongBytes and the error of reading the section.
func (e *DamageError) Unwrap() []error {
	if e.Err == nil {
		return []error{stores.ErrWrongBytes}
	}
	return []error{stores.ErrWrongBytes, e.Err}
}

// Check reads a CAR, version 1 or 2, from one end to the other, checks each block by
// its hash, and goes on behind damage with the next block that can be read. It visits
// each block's CID, or a *DamageError; any other error, such as one for a file that
// does not begin as a CAR, is the last. A CARv2's index is not read: Open does not
// believe it either.
func Check(ctx context.Context, path string) iter.Seq2[cid.Cid, error] {
	return func(yield func(cid.Cid, error) bool) {
		file, err := os.Open(path)
		if err != nil {
			yield(cid.Undef, err)
			return
		}
		defer file.Close()
		first, end, padded, err := bounds(file)
		if err != nil {
			yield(cid.Undef, fmt.Errorf("%s is not a CAR, or is damaged: %w", path, early(err)))
			return
		}
		for section, err := range pack.Scan(ctx, file, first, end) {
			var damage *pack.DamageError
			if errors.As(err, &damage) {
				if padded && checkPadding(io.NewSectionReader(file, damage.Offset, end-damage.Offset), damage.Offset) == nil {
					return
				}
				err = &DamageError{path, damage.Offset, damage.CID, damage.Err}
			}
			if !yield(section.CID, err) {
				return
			}
		}
	}
}

// bounds returns where in a CAR its sections are, and whether they may be followed
// by zeros.
func bounds(file *os.File) (first, end int64, padded bool, err error) {
	info, err := file.Stat()
	if err != nil {
		return 0, 0, false, err
	}
	end = info.Size()
	car, err := carv2.NewReader(file, Limits()...)
	if err != nil {
		return 0, 0, false, err
	}
	if _, err := car.Roots(); err != nil {
		return 0, 0, false, err
	}
	if car.Version == 2 {
		first = int64(car.Header.DataOffset)
		if size := car.Header.DataSize; size < uint64(end-first) {
			end = first + int64(size)
		}
	}
	var start [binary.MaxVarintLen64]byte
	n, err := file.ReadAt(start[:], first)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, 0, false, err
	}
	length, n := binary.Uvarint(start[:n])
	return first + int64(n) + int64(length), end, car.Version == 1, nil
}
