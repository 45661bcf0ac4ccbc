package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/adl"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
)

func (a *app) getVerb() *cobra.Command {
	var layout layoutFlags
	var keys keyFlags
	var follow, path bool
	c := verb(groupRead, "get [ROOT] KEY", "Print the value of a key in DAG-JSON", `
hamt get people Alice
hamt get --follow people Alice
hamt --store people.car get Alice
hamt get --hex people 416c696365
ipfs dag get $(hamt --store kubo: get --path people Alice)`, rootAnd(1), func(ctx context.Context, args []string) error {
		if follow && path {
			return usage("--path leads to the value itself, and --follow to what it links to: give one of them")
		}
		return a.readingMap(ctx, args, 1, &layout, func(m *adl.Node, args []string) error {
			key, err := keys.key(args[0])
			if err != nil {
				return err
			}
			if path {
				return a.printPath(ctx, m, key, &keys)
			}
			raw, found, err := m.GetRaw(ctx, key)
			if err != nil {
				return err
			}
			if !found {
				return absent("key %s is not there", keys.show(key))
			}
			if follow {
				if raw, err = followed(ctx, m, raw); err != nil {
					return fmt.Errorf("key %s: %w", keys.show(key), err)
				}
			}
			text, err := dagjson.FromCBOR(nil, raw)
			if err != nil {
				return fmt.Errorf("key %s: %w", keys.show(key), err)
			}
			_, err = a.out.Write(append(text, '\n'))
			return err
		})
	})
	keys.add(c.Flags())
	c.Flags().BoolVar(&follow, "follow", false, "where the value is a link, print the block it links to")
	c.Flags().BoolVar(&path, "path", false, "print the path by which other IPFS software finds the value, and not the value")
	return layout.reading(c)
}

// printPath prints where the value of a key stands in the map's blocks: the root's
// CID and the path from there, which any IPLD software resolves without an ADL.
func (a *app) printPath(ctx context.Context, m *adl.Node, key []byte, keys *keyFlags) error {
	location, err := m.Locate(ctx, key)
	if errors.As(err, new(datamodel.ErrNotExists)) {
		return absent("key %s is not there", keys.show(key))
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "%s/%s\n", location.Blocks[0], location.Path)
	return err
}

// followed returns the block that a value links to, in DAG-CBOR; or the value
// itself where it is no link.
func followed(ctx context.Context, m *adl.Node, raw []byte) ([]byte, error) {
	value, err := ipld.Decode(raw, dagcbor.Decode)
	if err != nil || value.Kind() != datamodel.Kind_Link {
		return raw, err
	}
	link, err := value.AsLink()
	if err != nil {
		return nil, err
	}
	lsys := m.LinkSystem()
	target, err := lsys.Load(linking.LinkContext{Ctx: ctx}, link, basicnode.Prototype.Any)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", link, err)
	}
	return ipld.Encode(target, dagcbor.Encode)
}

func (a *app) hasVerb() *cobra.Command {
	var layout layoutFlags
	var keys keyFlags
	c := verb(groupRead, "has [ROOT] KEY", "Print whether a key is there: true, or false with exit status 1", `
hamt has people Alice`, rootAnd(1), func(ctx context.Context, args []string) error {
		return a.readingMap(ctx, args, 1, &layout, func(m *adl.Node, args []string) error {
			key, err := keys.key(args[0])
			if err != nil {
				return err
			}
			found, err := m.Has(ctx, key)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintln(a.out, found); err != nil {
				return err
			}
			if !found {
				return &outcome{status: statusAbsent}
			}
			return nil
		})
	})
	keys.add(c.Flags())
	return layout.reading(c)
}
