package input

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/escape"
)

// Key is one key of a list. It is valid until the next is asked for.
type Key struct {
	Key  []byte
	Text bool // it stands there as it is, and not in DAG-JSON
	Position
}

// AppendKey appends a key as a line of Keys: as it is where it is plain text, and else
// in DAG-JSON, which no plain text is taken for.
func AppendKey(dst, key []byte) []byte {
	if len(bytes.TrimSpace(key)) == 0 || isJSON(key) || bytes.HasPrefix(key, []byte(byteOrderMark)) || !escape.IsPlain(key) {
		return dagjson.AppendKey(dst, key)
	}
	return append(dst, key...)
}

// isJSON reports whether a line is DAG-JSON, and not a key as it is.
func isJSON(text []byte) bool { return text[0] == '"' || text[0] == '{' }

// Keys reads a list of keys, one a line. A line that begins with a quote or a brace is
// DAG-JSON: a string, bytes, or an entry, of which only the key counts. Any other is the
// key, white space and all. Lines that are blank are passed by. With zero, keys stand
// there as they are, and a zero byte ends each. The iteration is over after an error.
func (s Source) Keys(zero bool) iter.Seq2[Key, error] {
	if zero {
		return s.zeroed()
	}
	return func(yield func(Key, error) bool) {
		var record record
		for line, err := range s.eachLine() {
			key := Key{Position: Position{s.Name, line.number, 1}}
			if err == nil {
				if text := trimEnd(line.text); isJSON(text) {
					err = s.inLine(line, record.readKey(text))
					key.Key = record.key
				} else {
					key.Key, key.Text = text, true
				}
			}
			if err != nil {
				yield(Key{}, err)
				return
			}
			if !yield(key, nil) {
				return
			}
		}
	}
}

// trimEnd returns a line without its end.
func trimEnd(text []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
}

// readKey reads a key, or the key of an entry.
func (r *record) readKey(text []byte) error {
	if text[0] == '{' {
		r.reader.Reset(text)
		notEntry := r.readEntryKey()
		if notEntry == nil || r.readKeyAlone(text) != nil {
			return notEntry
		}
		return nil
	}
	return r.readKeyAlone(text)
}

func (r *record) readKeyAlone(text []byte) error {
	r.reader.Reset(text)
	key, err := r.reader.Key()
	if err != nil {
		return err
	}
	r.key = append(r.key[:0], key...)
	return r.reader.End()
}

// readEntryKey reads the key of an entry.
func (r *record) readEntryKey() error {
	has := false
	err := r.reader.Fields(func(name string) (err error) {
		if name != "key" {
			r.value, err = r.reader.Value(r.value[:0])
			return err
		}
		key, err := r.reader.Key()
		r.key, has = append(r.key[:0], key...), true
		return err
	})
	if err == nil {
		err = r.reader.End()
	}
	if err == nil && !has {
		err = errors.New(`field "key" is missing`)
	}
	return err
}

// zeroed reads keys that zero bytes end.
func (s Source) zeroed() iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) {
		reader := bufio.NewReader(s.Reader)
		var key []byte
		for n := 1; ; n++ {
			at := Position{s.Name, n, 1} // keys count as lines
			key = key[:0]
			for {
				part, err := reader.ReadSlice(0)
				if len(key)+len(part) > maxText {
					yield(Key{}, bad(at, tooLong()))
					return
				}
				key = append(key, part...)
				if err == nil {
					break
				}
				if err == io.EOF && len(key) > 0 {
					yield(Key{key, true, at}, nil)
				}
				if err != bufio.ErrBufferFull {
					if err != io.EOF {
						yield(Key{}, failed(at, err))
					}
					return
				}
			}
			if !yield(Key{key[:len(key)-1], true, at}, nil) {
				return
			}
		}
	}
}
