// Package unixfs knows as much of UnixFS as a node needs that is the content of a
// file: dag-pb blocks with data in them and links to what follows. It reads no
// directories, and writes files of one block.
//
//	PBNode  { 2: Links, repeated PBLink; 1: Data }
//	PBLink  { 1: Hash, 2: Name, 3: Tsize }
//	Data    { 1: Type; 2: Data; 3: filesize; 4: blocksizes, repeated; … }
package unixfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// File is a file, or a part of one, as one block has it.
type File struct {
	// Data is the content that stands in the block itself: a part of the block.
	Data []byte
	// Links are the binary CIDs of the blocks with the content that follows.
	Links [][]byte
}

// The numbers of fields and types.
const (
	nodeData, nodeLinks = 1, 2
	linkHash            = 1
	dataType            = 1
	dataBytes           = 2
	dataSize            = 3

	typeRaw, typeFile = 0, 2
)

// The wire types of protobuf that dag-pb and UnixFS have.
const (
	wireVarint = 0
	wireBytes  = 2
)

var errTruncated = errors.New("unexpected end of protobuf")

// Parse parses a dag-pb block that is a file, or a part of one.
func Parse(block []byte) (File, error) {
	var f File
	var data []byte
	err := fields(block, func(field int, _ uint64, bytes []byte) error {
		switch field {
		case nodeData:
			data = bytes
		case nodeLinks:
			var hash []byte
			if err := fields(bytes, func(field int, _ uint64, bytes []byte) error {
				if field == linkHash {
					hash = bytes
				}
				return nil
			}); err != nil {
				return err
			}
			f.Links = append(f.Links, hash)
		}
		return nil
	})
	if err != nil {
		return File{}, fmt.Errorf("dag-pb: %w", err)
	}
	kind := uint64(math.MaxUint64)
	err = fields(data, func(field int, n uint64, bytes []byte) error {
		switch field {
		case dataType:
			kind = n
		case dataBytes:
			f.Data = bytes
		}
		return nil
	})
	if err != nil {
		return File{}, fmt.Errorf("UnixFS: %w", err)
	}
	if kind != typeRaw && kind != typeFile {
		return File{}, errors.New("UnixFS: it is no file")
	}
	return f, nil
}

// fields calls use for each field of a message: with its value for a varint, with
// its bytes for anything else.
func fields(message []byte, use func(field int, n uint64, bytes []byte) error) error {
	for len(message) > 0 {
		tag, width := binary.Uvarint(message)
		if width <= 0 || tag>>3 > math.MaxInt32 {
			return errTruncated
		}
		message = message[width:]
		n, width := binary.Uvarint(message)
		if width <= 0 {
			return errTruncated
		}
		message = message[width:]
		var bytes []byte
		switch tag & 7 {
		case wireVarint:
		case wireBytes:
			if n > uint64(len(message)) {
				return errTruncated
			}
			bytes, message = message[:n:n], message[n:]
		default:
			return fmt.Errorf("protobuf wire type %d", tag&7)
		}
		if err := use(int(tag>>3), n, bytes); err != nil {
			return err
		}
	}
	return nil
}

// Append appends the block of a file with some content, all of it in the block,
// as ipfs add writes it without raw leaves.
func Append(dst, content []byte) []byte {
	var data []byte
	data = append(data, dataType<<3|wireVarint, typeFile)
	if len(content) > 0 {
		data = appendBytes(data, dataBytes, content)
	}
	data = binary.AppendUvarint(append(data, dataSize<<3|wireVarint), uint64(len(content)))
	return appendBytes(dst, nodeData, data)
}

func appendBytes(dst []byte, field byte, bytes []byte) []byte {
	dst = binary.AppendUvarint(append(dst, field<<3|wireBytes), uint64(len(bytes)))
	return append(dst, bytes...)
}
