package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/adl"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
)

// answer is what is under a key.
type answer struct {
	key    []byte
	absent string    // why there is nothing; empty where there is something
	raw    []byte    // in DAG-CBOR
	m      *adl.Node // or a map, in place of raw
	file   *file     // or a file
}

// size is about how many bytes of memory an answer takes. Of a map there is the root
// block in memory, which counts as one of 1 MiB: few are larger.
func (v answer) size() int64 {
	const overhead, root = 128, 1 << 20
	if v.m != nil || v.file != nil {
		return root
	}
	return int64(len(v.key)+len(v.raw)) + overhead
}

// lookup is what is asked for under keys.
type lookup struct {
	explorer
	at     string // a path inside of the value, or empty
	follow bool   // to what a link leads to
}

// ask looks a key up.
func (l lookup) ask(ctx context.Context, m *adl.Node, key []byte) (answer, error) {
	raw, found, err := m.GetRaw(ctx, key)
	switch {
	case err != nil:
		return answer{}, err
	case !found:
		return answer{key: key, absent: "is not there"}, nil
	case l.at == "" && !l.follow:
		return answer{key: key, raw: raw}, nil
	}
	value, err := ipld.Decode(raw, dagcbor.Decode)
	if err != nil {
		return answer{}, err
	}
	value, err = l.find(ctx, value, l.at)
	if nothing := (*nothingThere)(nil); errors.As(err, &nothing) {
		return answer{key: key, absent: "has another value: " + nothing.Error()}, nil
	}
	if err != nil {
		return answer{}, err
	}
	if l.follow && value.Kind() == datamodel.Kind_Link {
		link, err := value.AsLink()
		if err != nil {
			return answer{}, err
		}
		opened, err := l.explorer.file(ctx, link)
		if opened != nil {
			return answer{key: key, file: &file{opened, m.ReadAhead()}}, nil
		}
		if err == nil {
			value, err = l.explorer.follow(ctx, link)
		}
		if err != nil {
			return answer{}, fmt.Errorf("what it links to: %w", plain{err})
		}
	}
	if inside, ok := value.(*adl.Node); ok {
		return answer{key: key, m: inside}, nil
	}
	raw, err = ipld.Encode(value, dagcbor.Encode)
	return answer{key: key, raw: raw}, err
}

// print writes a value in DAG-JSON. A map is written as it is walked, in the order of
// its keys' hashes. A file is a string, as keys are, or bytes where it is not UTF-8.
func (v answer) print(ctx context.Context, w *bufio.Writer) error {
	if v.file != nil {
		content, err := v.file.content(ctx)
		if err != nil {
			return err
		}
		_, err = w.Write(dagjson.AppendKey(nil, content))
		return err
	}
	if v.m == nil {
		text, err := dagjson.FromCBOR(w.AvailableBuffer(), v.raw)
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	}
	before := byte('{')
	for e, err := range v.m.Entries(ctx) {
		if err != nil {
			return err
		}
		if !utf8.Valid(e.Key()) {
			return fmt.Errorf("the map has key %q, which no JSON map can have: hamt entries prints it", e.Key())
		}
		text := dagjson.AppendKey(append(w.AvailableBuffer(), before), e.Key())
		if text, err = dagjson.FromCBOR(append(text, ':'), e.Raw()); err != nil {
			return fmt.Errorf("key %q in it: %w", e.Key(), err)
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
		before = ','
	}
	end := "}"
	if before == '{' {
		end = "{}"
	}
	_, err := w.WriteString(end)
	return err
}
