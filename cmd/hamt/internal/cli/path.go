package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"strings"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/multiformats/go-multicodec"

	hamt "github.com/ipld-hamt/go-ipld-hamt"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/params"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/unixfs"
	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// parseCID reads a CID as people have it: alone, as /ipfs/CID, /ipld/CID, ipfs://CID or
// ipld://CID, each with a path behind it or without one. ok is false where text is
// something else, such as a name.
func parseCID(text string) (c cid.Cid, path string, ok bool, err error) {
	rest, form := text, ""
	for _, prefix := range []string{"/ipfs/", "/ipld/", "ipfs://", "ipld://"} {
		if after, found := strings.CutPrefix(text, prefix); found {
			rest, form = after, prefix
		}
	}
	if form == "" && (strings.HasPrefix(text, "/ipns/") || strings.HasPrefix(text, "ipns://")) {
		return cid.Undef, "", false, usage("%s may change: ipfs resolve tells the CID that it stands for now", text)
	}
	head, path, _ := strings.Cut(rest, "/")
	c, decoding := cid.Decode(head)
	switch {
	case decoding != nil && form == "":
		return cid.Undef, "", false, nil
	case decoding != nil:
		return cid.Undef, "", false, usage("%s: %q is not a CID", text, head)
	}
	if strings.HasSuffix(form, "://") {
		if path, err = url.PathUnescape(path); err != nil {
			return cid.Undef, "", false, usage("%s: %w", text, err)
		}
	}
	return c, path, true, nil
}

// explorer goes along paths through what blocks hold: keys of maps, fields and elements
// of other data, and the links between them.
type explorer struct {
	lsys    *linking.LinkSystem
	params  params.Params // of maps that do not carry them
	options []hamt.Option
}

// nothingThere is the error for a path that leads nowhere.
type nothingThere struct {
	after string // the part of the path that leads somewhere
	kind  datamodel.Kind
	rest  string
}

func (e *nothingThere) Error() string {
	of := ""
	if e.kind != datamodel.Kind_Map && e.kind != datamodel.Kind_List {
		of = e.kind.String()
	}
	switch {
	case e.after == "" && of == "":
		return fmt.Sprintf("there is no %q", e.rest)
	case e.after == "":
		return fmt.Sprintf("there is no %q in a value of kind %s", e.rest, of)
	case of == "":
		return fmt.Sprintf("there is no %q in %q", e.rest, e.after)
	}
	return fmt.Sprintf("there is no %q in %q, which is of kind %s", e.rest, e.after, of)
}

// file opens the file that a link leads to; nil where it leads to something else, such
// as a map whose nodes are files.
func (x explorer) file(ctx context.Context, link datamodel.Link) (*unixfs.File, error) {
	c, err := stores.CIDOf(link)
	if err != nil {
		return nil, err
	}
	codec := multicodec.Code(c.Prefix().Codec)
	if codec != multicodec.Raw && codec != multicodec.DagPb {
		return nil, nil
	}
	if x.params.Layout == params.PyHAMT3 {
		// There all values are bytes in blocks of their own, and nodes may be files.
		if codec == multicodec.Raw {
			return nil, nil
		}
		if _, err := hamt.Load(ctx, x.lsys, link, x.options...); err == nil {
			return nil, nil
		}
	}
	f, err := unixfs.Open(ctx, x.lsys, c)
	if errors.Is(err, unixfs.ErrNotFile) {
		return nil, nil
	}
	return f, err
}

// follow returns what a link leads to: a HashMap as a map, and other data as it is.
func (x explorer) follow(ctx context.Context, link datamodel.Link) (datamodel.Node, error) {
	m, err := hamt.Load(ctx, x.lsys, link, x.options...)
	if err == nil {
		return m, nil
	}
	if !errors.Is(err, fault.ErrNotHAMT) && (x.params.Layout == params.Spec || !errors.Is(err, fault.ErrMalformed)) {
		return nil, err
	}
	return x.lsys.Load(linking.LinkContext{Ctx: ctx}, link, basicnode.Prototype.Any)
}

// find returns what a path leads to from a node; a link at its end is not followed.
//
// Slashes divide a path, and may be in keys all the same: where more than one key of a
// map is the beginning of what is left of the path, the longest is taken.
func (x explorer) find(ctx context.Context, from datamodel.Node, path string) (datamodel.Node, error) {
	at := from
	for rest := path; rest != ""; {
		if at.Kind() == datamodel.Kind_Link {
			link, err := at.AsLink()
			if err != nil {
				return nil, err
			}
			if at, err = x.follow(ctx, link); err != nil {
				return nil, err
			}
		}
		next, left, err := x.step(at, rest)
		if err != nil {
			return nil, err
		}
		if next == nil {
			return nil, &nothingThere{strings.TrimSuffix(path[:len(path)-len(rest)], "/"), at.Kind(), rest}
		}
		at, rest = next, left
	}
	return at, nil
}

// step takes the longest beginning of a path that there is in a map, or the first segment
// where there is a list. It returns nil where there is neither.
func (x explorer) step(at datamodel.Node, path string) (next datamodel.Node, rest string, err error) {
	switch at.Kind() {
	case datamodel.Kind_Map:
		for key, rest := range beginnings(path) {
			next, err := at.LookupByString(key)
			if err == nil {
				return next, rest, nil
			}
			if !errors.As(err, new(datamodel.ErrNotExists)) {
				return nil, "", err
			}
		}
	case datamodel.Kind_List:
		first, rest, _ := strings.Cut(path, "/")
		index, err := strconv.ParseUint(first, 10, 63)
		if err != nil || int64(index) >= at.Length() {
			return nil, "", nil
		}
		next, err := at.LookupByIndex(int64(index))
		return next, rest, err
	}
	return nil, "", nil
}

// beginnings visits the parts of a path that end at a slash, the longest first, each with
// what is left behind the slash.
func beginnings(path string) iter.Seq2[string, string] {
	return func(yield func(key, rest string) bool) {
		if !yield(path, "") {
			return
		}
		for end := strings.LastIndexByte(path, '/'); end >= 0; end = strings.LastIndexByte(path[:end], '/') {
			if !yield(path[:end], path[end+1:]) {
				return
			}
		}
	}
}
