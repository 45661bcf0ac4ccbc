package cli

import (
	"context"
	"os"
	"slices"
	"strings"

	"github.com/ipfs/go-cid"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/escape"
	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
	"github.com/ipld-hamt/go-ipld-hamt/stores/open"
)

// choicesAnnotation is where a flag has the words that it takes.
const choicesAnnotation = "choices"

// choices says which words a flag takes, or such as are often meant.
func choices(flags *pflag.FlagSet, name string, words ...string) {
	_ = flags.SetAnnotation(name, choicesAnnotation, words) // fails where there is no such flag
}

// addCompletion has a shell complete what stands for roots, names, files and formats,
// as the usage of each verb has it, and the flags of each by what they take.
func (a *app) addCompletion(c *cobra.Command) {
	if words := argumentWords(c.Use); len(words) == 0 {
		c.ValidArgsFunction = cobra.NoFileCompletions
	} else {
		c.ValidArgsFunction = func(c *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			i := len(args)
			if last := len(words) - 1; i > last {
				if !strings.HasSuffix(words[last], "…") {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
				i = last
			}
			return a.complete(c, strings.TrimSuffix(words[i], "…"), args, typed)
		}
	}
	c.LocalFlags().VisitAll(func(flag *pflag.Flag) {
		word, _ := pflag.UnquoteUsage(flag)
		if flag.Name == "hash" || flag.Name == "block-hash" {
			word = ""
		}
		_ = c.RegisterFlagCompletionFunc(flag.Name, func(c *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if words := flag.Annotations[choicesAnnotation]; len(words) > 0 {
				words = slices.DeleteFunc(slices.Clone(words), func(word string) bool { return !strings.HasPrefix(word, typed) })
				return words, cobra.ShellCompDirectiveNoFileComp
			}
			return a.complete(c, word, args, typed)
		}) // fails where the verb has said something else
	})
	for _, below := range c.Commands() {
		a.addCompletion(below)
	}
}

// argumentWords returns what stands for the arguments in the usage of a verb: FILE for
// [FILE…|-], say.
func argumentWords(use string) (words []string) {
	_, rest, _ := strings.Cut(use, " ")
	for _, word := range strings.Fields(rest) {
		if word = strings.Trim(strings.TrimSuffix(word, "|-]"), "[]"); strings.HasPrefix(word, "-") {
			break
		}
		words = append(words, word)
	}
	return words
}

// complete returns what may be meant by what is typed where the usage has a word.
func (a *app) complete(c *cobra.Command, word string, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	switch word {
	case "FILE", "STORE":
		return nil, cobra.ShellCompDirectiveDefault
	case "FILE.car":
		return []cobra.Completion{"car"}, cobra.ShellCompDirectiveFilterFileExt
	case "DIR":
		return nil, cobra.ShellCompDirectiveFilterDirs
	case "VERB":
		var verbs []cobra.Completion
		for _, verb := range c.Root().Commands() {
			if verb.IsAvailableCommand() && strings.HasPrefix(verb.Name(), typed) {
				verbs = append(verbs, cobra.CompletionWithDesc(verb.Name(), verb.Short))
			}
		}
		return verbs, cobra.ShellCompDirectiveNoFileComp
	case "NAME":
		return a.completeNames(c.Context(), typed), cobra.ShellCompDirectiveNoFileComp
	case "ROOT", "A", "B":
		past := ""
		if c.CommandPath() == "hamt names reset" && len(args) > 0 {
			past = args[0]
		}
		return a.completeRoots(c.Context(), typed, past), cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// completeNames returns the names that begin with what is typed, and what they stand
// for. A store on another machine is not asked: it would take too long.
func (a *app) completeNames(ctx context.Context, typed string) (all []cobra.Completion) {
	a.glance(ctx, func(named stores.Named) {
		for name, err := range named.Names(ctx) {
			if err != nil {
				return
			}
			if strings.HasPrefix(name.Name, typed) && escape.IsPlain([]byte(name.Name)) {
				all = append(all, cobra.CompletionWithDesc(name.Name, name.Root.String()))
			}
		}
	})
	return all
}

// completeRoots returns what ROOT may be: names, and once something is typed the CIDs
// that they stand for, or those that the name past has stood for; with a CAR its roots.
func (a *app) completeRoots(ctx context.Context, typed, past string) []cobra.Completion {
	all := a.completeNames(ctx, typed)
	seen := map[cid.Cid]bool{}
	add := func(root cid.Cid, what string) {
		if root.Defined() && !seen[root] && strings.HasPrefix(root.String(), typed) {
			seen[root] = true
			all = append(all, cobra.CompletionWithDesc(root.String(), what))
		}
	}
	for _, root := range a.rootsOfCAR() {
		add(root, "a root of the CAR")
	}
	a.glance(ctx, func(named stores.Named) {
		if logged, ok := named.(stores.Logged); ok && past != "" {
			moves, _ := logged.History(ctx, past) // of what cannot be read nothing is completed
			for _, move := range slices.Backward(moves) {
				add(move.Root, move.Time.UTC().Format("2006-01-02 15:04")+" "+move.By)
			}
		}
		if typed == "" {
			return
		}
		for name, err := range named.Names(ctx) {
			if err != nil {
				return
			}
			add(name.Root, name.Name)
		}
	})
	return all
}

// glance opens a store of this machine that has names, and closes it again. Of one
// that cannot be opened nothing is completed.
func (a *app) glance(ctx context.Context, do func(named stores.Named)) {
	p, err := a.store.chosen()
	if err != nil || p.Kind != open.Embedded {
		return
	}
	s, err := p.reading(ctx)
	if err != nil {
		return
	}
	defer s.Close() // it was only read
	if named, ok := s.(stores.Named); ok {
		do(named)
	}
}

// rootsOfCAR returns the roots that a CAR names, if the store is one.
func (a *app) rootsOfCAR() []cid.Cid {
	p, err := a.store.chosen()
	if err != nil || p.Kind != open.CAR {
		return nil
	}
	f, err := os.Open(p.Place)
	if err != nil {
		return nil
	}
	defer f.Close() // it was only read
	in, err := carfile.NewReader(f, p.Place)
	if err != nil {
		return nil
	}
	return in.Roots()
}
