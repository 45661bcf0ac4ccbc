package cli

import (
	"slices"
	"testing"
)

func TestSimilar(t *testing.T) {
	names := []string{"get", "set", "keys", "entries", "export", "names", "--name", "--at-once"}
	for text, want := range map[string][]string{
		"gte":       {"get"}, // letters swapped
		"gett":      {"get"},
		"GET":       {"get"},
		"bet":       {"get", "set"},
		"entrys":    {"entries"},
		"en":        {"entries"}, // the beginning
		"ex":        {"export"},
		"e":         nil,
		"x":         nil, // all short names are like it
		"--nmae":    {"--name"},
		"--atonce":  {"--at-once"},
		"something": nil,
		"":          nil,
	} {
		if got := similar(text, names); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"ABC", "abc", 0},
		{"kitten", "sitting", 3}, {"ab", "ba", 1}, {"größe", "grösse", 2}, {"abcd", "badc", 2},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
