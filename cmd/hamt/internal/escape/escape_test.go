package escape

import (
	"encoding/json"
	"testing"
	"unicode"
)

func TestLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "",
		"plain, é, 日本, 👩\u200d👩": "plain, é, 日本, 👩\u200d👩",
		"\ufffd":                 "\ufffd",
		"a\tb\nc\rd":             `a\tb\nc\rd`,
		"\x1b[31m\x00\x7f":       `\u001b[31m\u0000\u007f`,
		"\u0085\u009b31m":        `\u0085\u009b31m`,
		"\u2028\u2029":           `\u2028\u2029`,
		"\u202egnp\u2066\u200f":  `\u202egnp\u2066\u200f`,
		"\xff\x9b\xc2":           `\xff\x9b\xc2`,
	} {
		if got := Line(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
		if IsPlain([]byte(text)) != (Line(text) == text) {
			t.Errorf("%q: plain %v", text, IsPlain([]byte(text)))
		}
	}
	if got := string(Append([]byte("x"), []byte("a\tb\n\r\u0085"), "\n\t")); got != "xa\tb\n\\r\\u0085" {
		t.Errorf("%q", got)
	}
}

func TestIsPlain(t *testing.T) {
	for key, want := range map[string]bool{
		"": true, "a b": true, "é": true, "a\nb": false, "\x7f": false, "\xff": false, "\u0085": false,
	} {
		if IsPlain([]byte(key)) != want {
			t.Errorf("%q", key)
		}
	}
}

// TestJSON: JSON that is escaped says the same.
func TestJSON(t *testing.T) {
	for char := rune(' '); char <= unicode.MaxRune; char++ {
		if char == '"' || char == '\\' || 0xd800 <= char && char < 0xe000 {
			continue
		}
		var got string
		if err := json.Unmarshal([]byte(`"`+Line(string(char))+`"`), &got); err != nil || got != string(char) {
			t.Fatalf("%q is %q, %v", char, got, err)
		}
	}
}
