package dagjson

import (
	"fmt"

	"github.com/ipfs/go-cid"
)

// Links gives the links in one value of DAG-CBOR, in their order.
func Links(raw []byte) ([]cid.Cid, error) {
	var links []cid.Cid
	next, err := eachLink(raw, 0, 0, func(c cid.Cid) { links = append(links, c) })
	if err == nil && next != len(raw) {
		err = errMalformed
	}
	return links, err
}

func eachLink(raw []byte, at, depth int, visit func(cid.Cid)) (next int, err error) {
	if depth > maxDepth {
		return at, errMalformed
	}
	major, arg, next := head(raw, at)
	items := uint64(0)
	switch major {
	case majorTag:
		c, next, err := takeLink(raw, next, arg)
		if err == nil {
			visit(c)
		}
		return next, err
	case majorList:
		items = arg
	case majorMap:
		if arg > uint64(len(raw)) {
			return at, errMalformed
		}
		items = 2 * arg
	default:
		return skip(raw, at, depth)
	}
	for range items {
		if next, err = eachLink(raw, next, depth+1, visit); err != nil {
			return next, err
		}
	}
	return next, nil
}

// takeLink reads a link behind its tag.
func takeLink(raw []byte, at int, tag uint64) (c cid.Cid, next int, err error) {
	major, length, next := head(raw, at)
	if tag != linkTag || major != majorBytes || length < 1 {
		return cid.Undef, at, errMalformed
	}
	text, next, err := take(raw, next, length)
	if err != nil {
		return cid.Undef, at, err
	}
	if c, err = cid.Cast(text[1:]); err != nil {
		return cid.Undef, at, fmt.Errorf("%w: %w", errMalformed, err)
	}
	return c, next, nil
}
