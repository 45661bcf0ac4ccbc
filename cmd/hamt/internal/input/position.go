package input

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/dagjson"
)

// Position is a place in a file. Line and Column count from 1, the column in bytes,
// as compilers count them.
type Position struct {
	Name         string // of the file
	Line, Column int
}

// String is FILE:LINE:COLUMN.
func (p Position) String() string { return fmt.Sprintf("%s:%d:%d", p.Name, p.Line, p.Column) }

// after is where text ends that begins at p.
func (p Position) after(text []byte) Position {
	if lines := bytes.Count(text, []byte("\n")); lines > 0 {
		return Position{p.Name, p.Line + lines, len(text) - bytes.LastIndexByte(text, '\n')}
	}
	p.Column += len(text)
	return p
}

// newLine is where the next line begins.
func (p Position) newLine() Position { return Position{p.Name, p.Line + 1, 1} }

// Error is something wrong in the input.
type Error struct {
	At  Position
	Err error
}

// Error is FILE:LINE:COLUMN: and what is wrong.
func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.At, e.Err) }

// Unwrap gives what is wrong.
func (e *Error) Unwrap() error { return e.Err }

func bad(at Position, err error) error { return &Error{at, err} }

// begin is where the input begins.
func (s Source) begin() Position { return Position{s.Name, 1, 1} }

// In returns the error of a reader of the text at a place: that of the text itself
// or, for a dagjson.SyntaxError, the one in it.
func In(text []byte, at Position, err error) error {
	var syntax *dagjson.SyntaxError
	if errors.As(err, &syntax) {
		at = at.after(text[:min(syntax.Offset, len(text))])
	}
	return bad(at, err)
}

// failed is an error at a place where it may be one of reading, too: that is no
// fault of the input, and has no place in it.
func failed(at Position, err error) error {
	if errors.As(err, new(*dagjson.SyntaxError)) || errors.As(err, new(*damagedError)) {
		return bad(at, err)
	}
	return fmt.Errorf("%s: %w", at.Name, err)
}
