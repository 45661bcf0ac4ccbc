package cli

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// otherNames are what people call verbs.
var otherNames = map[string]struct{ aliases, meant []string }{
	"get":     {meant: []string{"cat", "show", "read", "lookup"}},
	"has":     {meant: []string{"contains", "exists"}},
	"keys":    {aliases: []string{"ls"}, meant: []string{"list"}},
	"entries": {meant: []string{"dump", "items"}},
	"len":     {meant: []string{"count", "size"}},
	"stat":    {meant: []string{"info", "stats"}},
	"set":     {aliases: []string{"put"}, meant: []string{"add", "insert"}},
	"delete":  {aliases: []string{"rm"}, meant: []string{"remove", "unset"}},
	"build":   {meant: []string{"make", "load"}},
	"copy":    {meant: []string{"cp", "push", "pull", "clone", "fetch"}},
	"names":   {meant: []string{"pins", "roots", "tags"}},
}

// addOtherNames lets verbs be found by other names than theirs.
func addOtherNames(root *cobra.Command) {
	for _, c := range root.Commands() {
		other := otherNames[c.Name()]
		c.Aliases, c.SuggestFor = other.aliases, other.meant
	}
}

// noSuchVerb is the error about a verb below c that there is not.
func noSuchVerb(c *cobra.Command, args []string) error {
	var names []string
	for _, below := range c.Commands() {
		if below.IsAvailableCommand() {
			names = append(names, below.Name())
			if slices.Contains(below.SuggestFor, args[0]) {
				return usage("there is no verb %q: %s does that", args[0], below.CommandPath())
			}
			if below.Name() == args[0] || slices.Contains(below.Aliases, args[0]) {
				return usage("the verb %s has to stand before --", args[0])
			}
		}
	}
	return usage("there is no verb %q%s", args[0], didYouMean(args[0], names))
}

// flagError adds to an error about flags what may have been meant.
func flagError(c *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	switch {
	case !ok:
		return err
	case unknown.GetSpecifiedShortnames() != "":
		return fmt.Errorf("%w; an argument that begins with a dash has to stand behind --", err)
	}
	var names []string
	add := func(flag *pflag.Flag) { names = append(names, "--"+flag.Name) }
	c.LocalFlags().VisitAll(add)
	c.InheritedFlags().VisitAll(add)
	return fmt.Errorf("%w%s", err, didYouMean("--"+unknown.GetSpecifiedName(), names))
}

// exclusiveFlags is how cobra says that flags do not go together.
var exclusiveFlags = regexp.MustCompile(`^if any flags in the group \[.*\] are set none of the others can be; \[(.*)\] were all set$`)

// flagGroupError says it as people do.
func flagGroupError(err error) error {
	set := exclusiveFlags.FindStringSubmatch(err.Error())
	if set == nil {
		return err
	}
	return fmt.Errorf("--%s do not go together", strings.ReplaceAll(set[1], " ", " and --"))
}

// didYouMean asks whether some of the names are meant that are like text. It is empty
// where there is none.
func didYouMean(text string, names []string) string {
	like := similar(text, names)
	if len(like) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(like, " or ") + "?"
}

// similar returns the names that text was meant to be, or is the beginning of: those
// that are closest to it, three at most.
func similar(text string, names []string) []string {
	const most = 3
	type candidate struct {
		name string
		far  int
	}
	var like []candidate
	length, least := utf8.RuneCountInString(text), math.MaxInt
	for _, name := range names {
		far := distance(text, name)
		if far > min(2, length/2) {
			if length < 2 || !strings.HasPrefix(name, text) {
				continue
			}
			far = 0
		}
		like = append(like, candidate{name, far})
		least = min(least, far)
	}
	var closest []string
	for _, c := range like {
		if c.far == least && len(closest) < most {
			closest = append(closest, c.name)
		}
	}
	return closest
}

// distance is the number of letters to insert, to remove, to replace or to swap with
// the next that makes b of a, but for their case.
func distance(a, b string) int {
	x, y := []rune(strings.ToLower(a)), []rune(strings.ToLower(b))
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := range x {
		row[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}
