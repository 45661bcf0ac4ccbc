package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestChoices: a flag that takes one of a few words, which its usage lists, knows them.
func TestChoices(t *testing.T) {
	checked := 0
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		c.LocalFlags().VisitAll(func(flag *pflag.Flag) {
			if !slices.Contains([]string{"format", "layout", "codec", "hash", "block-hash"}, flag.Name) {
				return
			}
			checked++
			words := flag.Annotations[choicesAnnotation]
			if len(words) < 2 {
				t.Errorf("%s --%s does not say what it takes", c.CommandPath(), flag.Name)
			}
			for _, word := range words {
				if flag.Name == "hash" {
					continue // which lists none
				}
				if !strings.Contains(flag.Usage, word) {
					t.Errorf("%s --%s: %q is not in its usage", c.CommandPath(), flag.Name, word)
				}
			}
		})
		for _, below := range c.Commands() {
			check(below)
		}
	}
	a := &app{}
	check(a.command())
	if checked == 0 {
		t.Error("there is no such flag")
	}
}

func TestArgumentWords(t *testing.T) {
	for use, want := range map[string]string{
		"names": "", "get [ROOT] KEY…": "ROOT KEY…", "build [FILE…|-]": "FILE…", "set ROOT [KEY VALUE]": "ROOT KEY VALUE",
		"export [ROOT] -o FILE.car": "ROOT", "fsck [--repair [STORE…]]": "", "reset NAME --to ROOT": "NAME",
	} {
		if got := strings.Join(argumentWords(use), " "); got != want {
			t.Errorf("%s: %q, want %q", use, got, want)
		}
	}
}
