// Package escape makes text of others safe to show: what a server or a file calls
// itself may hold characters that a terminal obeys, or that make lines which are
// not there.
package escape

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// IsPlain reports whether text is UTF-8 and has nothing to escape, not even a
// newline or a tab.
func IsPlain(text []byte) bool {
	for at := 0; at < len(text); {
		char, size := utf8.DecodeRune(text[at:])
		if isObeyed(char) || char == utf8.RuneError && size == 1 {
			return false
		}
		at += size
	}
	return true
}

// Line returns text with all that is not plain escaped.
func Line(text string) string { return string(Append(nil, []byte(text), "")) }

// Append appends text. What is not plain, but for the ASCII characters in but, is
// escaped as JSON does, which leaves JSON what it was; bytes that are no UTF-8 are
// escaped as Go does.
func Append(dst, text []byte, but string) []byte {
	const hex = "0123456789abcdef"
	for at := 0; at < len(text); {
		char, size := utf8.DecodeRune(text[at:])
		switch {
		case char == utf8.RuneError && size == 1:
			dst = append(dst, '\\', 'x', hex[text[at]>>4], hex[text[at]&15])
		case !isObeyed(char) || char < utf8.RuneSelf && strings.IndexByte(but, byte(char)) >= 0:
			dst = append(dst, text[at:at+size]...)
		case char == '\n':
			dst = append(dst, `\n`...)
		case char == '\r':
			dst = append(dst, `\r`...)
		case char == '\t':
			dst = append(dst, `\t`...)
		default: // none is above U+FFFF
			dst = append(dst, '\\', 'u', hex[char>>12&15], hex[char>>8&15], hex[char>>4&15], hex[char&15])
		}
		at += size
	}
	return dst
}

// isObeyed reports whether a character is not shown but does something: control
// characters, C1 among them, the two line ends of Unicode, and what turns the
// direction of the text around it.
func isObeyed(char rune) bool {
	return unicode.IsControl(char) || char == '\u2028' || char == '\u2029' || unicode.Is(unicode.Bidi_Control, char)
}
