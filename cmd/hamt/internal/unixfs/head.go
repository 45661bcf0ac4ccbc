package unixfs

import (
	"encoding/binary"
	"errors"
)

// head is the Data of a dag-pb block: what it is, and how much of what.
//
//	{ 1: Type; 2: Data; 3: filesize; 4: blocksizes, repeated; … }
type head struct {
	kind  uint64
	data  []byte // that stands in the block itself, before what is linked to
	size  uint64 // of data and all below
	sizes []uint64
}

// The numbers of fields and types, and the wire types of protobuf.
const (
	fieldType  = 1
	fieldData  = 2
	fieldSize  = 3
	fieldSizes = 4

	typeRaw  = 0
	typeFile = 2

	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wire32     = 5
)

var errProtobuf = errors.New("malformed UnixFS data")

// parseHead reads a head. Fields that a file does not need are passed by.
func parseHead(message []byte) (h head, err error) {
	h.kind = ^uint64(0)
	hasSize := false
	err = eachField(message, func(field int, n uint64, bytes []byte) error {
		if (field == fieldType || field == fieldSize) && bytes != nil || field == fieldData && bytes == nil {
			return errProtobuf
		}
		switch field {
		case fieldType:
			h.kind = n
		case fieldData:
			h.data = bytes
		case fieldSize:
			h.size, hasSize = n, true
		case fieldSizes:
			if bytes == nil {
				h.sizes = append(h.sizes, n)
				return nil
			}
			for len(bytes) > 0 { // all in one field
				n, width := binary.Uvarint(bytes)
				if width <= 0 {
					return errProtobuf
				}
				h.sizes, bytes = append(h.sizes, n), bytes[width:]
			}
		}
		return nil
	})
	if !hasSize { // which leaves need not say
		h.size = uint64(len(h.data))
		for _, n := range h.sizes {
			h.size += n
		}
	}
	return h, err
}

// eachField visits the fields of a message: the value of a varint, or else bytes, which
// are not nil.
func eachField(message []byte, visit func(field int, n uint64, bytes []byte) error) error {
	for len(message) > 0 {
		tag, width := binary.Uvarint(message)
		if width <= 0 || tag>>3 == 0 || tag>>3 > 1<<29-1 {
			return errProtobuf
		}
		message = message[width:]
		var n, length uint64
		switch tag & 7 {
		case wireVarint, wireBytes:
			if n, width = binary.Uvarint(message); width <= 0 {
				return errProtobuf
			}
			message = message[width:]
			if tag&7 == wireVarint {
				if err := visit(int(tag>>3), n, nil); err != nil {
					return err
				}
				continue
			}
			length = n
		case wire64:
			length = 8
		case wire32:
			length = 4
		default:
			return errProtobuf
		}
		if length > uint64(len(message)) {
			return errProtobuf
		}
		if err := visit(int(tag>>3), 0, message[:length:length]); err != nil {
			return err
		}
		message = message[length:]
	}
	return nil
}
