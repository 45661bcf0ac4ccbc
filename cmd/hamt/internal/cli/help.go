package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The topics of flags. Those of the first two have a page of their own, to which the
// help of a verb points; those of the others it lists, where they matter.
const (
	topicRemote  = "remote"  // stores on other machines
	topicLayouts = "layouts" // parameters that a map does not carry
	topicStore   = "store"
	topicWait    = "wait"
	topicBar     = "bar"
)

// about puts flags under a topic.
func about(flags *pflag.FlagSet, topic string, names ...string) {
	for _, name := range names {
		_ = flags.SetAnnotation(name, "topic", []string{topic}) // fails where there is no such flag
	}
}

func topicOf(flag *pflag.Flag) string {
	if topic := flag.Annotations["topic"]; len(topic) > 0 {
		return topic[0]
	}
	return ""
}

// immaterial are the topics of flags which all verbs take that do not matter for one, so
// that its help does not list them. Who only reads waits for nobody.
var immaterial = map[string][]string{
	"hamt create":       {topicBar},
	"hamt export":       {topicWait},
	"hamt names":        {topicBar, topicWait},
	"hamt names rm":     {topicBar},
	"hamt names log":    {topicBar, topicWait},
	"hamt names reset":  {topicBar},
	"hamt names set":    {topicBar},
	"hamt names rename": {topicBar},
	"hamt prove":        {topicBar},
	"hamt check":        {topicBar, topicRemote, topicStore},
	"hamt compact":      {topicBar, topicRemote},
	"hamt gc":           {topicRemote},
	"hamt version":      {topicBar, topicRemote, topicStore, topicWait},
	"hamt help":         {topicBar, topicRemote, topicStore, topicWait},
	"hamt completion":   {topicBar, topicRemote, topicStore, topicWait},
}

// matters reports whether the flags of a topic matter for a verb.
func matters(c *cobra.Command, topic string) bool {
	path := c.CommandPath()
	if strings.HasPrefix(path, "hamt completion ") {
		path = "hamt completion"
	}
	if topic == topicWait && c.GroupID == groupRead {
		return false
	}
	return !slices.Contains(immaterial[path], topic)
}

// pages are what the help has beside the verbs.
func pages() []*cobra.Command {
	return []*cobra.Command{
		{Use: topicRemote, Short: "Flags for stores on other machines", Long: `Flags for stores on other machines: kubo:, gateway: and https:. All verbs that read
or write such a store take them.

What may succeed when it is tried again is: statuses 429 and 5xx, a connection that
breaks, a request that takes longer than --timeout. A connection that is refused by
a machine which has not answered before is an error at once.`},
		{Use: topicLayouts, Short: "Flags for maps in other layouts", Long: `Flags for maps in the layouts of Filecoin and py-hamt, whose blocks do not carry their
parameters. All verbs that read maps take them. Without them a map is what its root
block says, or what its name remembers (that of the embedded store does); a --layout
without the others stands for what its maps usually have:

filecoin-v3  sha2-256, bit width 5, bucket size 3 (Filecoin actors v3 and later)
filecoin-v0  the same (the form before that, which can only be read)
py-hamt-3    BLAKE3, bit width 8, bucket size 4; keys are text, and every value is a
             link to a block of its own, which --follow prints and --values takes along

The bucket size of a map in py-hamt-3 matters for verifying and changing it alone.`},
	}
}

// printHelp prints the help of a verb, of a page, or of the whole.
func printHelp(w io.Writer, c *cobra.Command) {
	text := c.Long
	if text == "" {
		text = c.Short
	}
	fmt.Fprintf(w, "%s\n", strings.TrimSpace(text))
	root := c.Root()
	switch {
	case c == root:
		fmt.Fprint(w, "\nUsage:\n  hamt VERB [FLAG…] [ARGUMENT…]\n")
	case c.Runnable():
		fmt.Fprintf(w, "\nUsage:\n  %s%s\n", c.UseLine(), alsoCalled(c))
	}
	if c.HasExample() {
		fmt.Fprintf(w, "\nExamples:\n%s\n", c.Example)
	}
	printVerbs(w, c)
	flags, topics := flagsToShow(c)
	if flags.HasFlags() {
		fmt.Fprintf(w, "\nFlags:\n%s", flags.FlagUsagesWrapped(100)) // columns
	}
	if len(topics) > 0 && c != root {
		fmt.Fprintln(w)
		for _, page := range pages() {
			if slices.Contains(topics, page.Use) {
				fmt.Fprintf(w, "%s: hamt help %s\n", page.Short, page.Use)
			}
		}
	}
	if c == root {
		fmt.Fprint(w, "\nhamt help VERB says more about one, with examples.\n")
	}
}

// alsoCalled names a verb's aliases.
func alsoCalled(c *cobra.Command) string {
	if len(c.Aliases) == 0 {
		return ""
	}
	return fmt.Sprintf("   (or hamt %s)", strings.Join(c.Aliases, ", "))
}

// printVerbs lists the verbs below one, in their groups.
func printVerbs(w io.Writer, c *cobra.Command) {
	if !c.HasSubCommands() {
		return
	}
	list := func(title string, listed func(*cobra.Command) bool) {
		text, width := "", 12
		for _, below := range c.Commands() {
			if listed(below) {
				text += fmt.Sprintf("  %-*s%s\n", width, below.Name(), below.Short)
			}
		}
		if text != "" {
			fmt.Fprintf(w, "\n%s\n%s", title, text)
		}
	}
	for _, group := range c.Groups() {
		list(group.Title, func(below *cobra.Command) bool { return below.GroupID == group.ID && below.IsAvailableCommand() })
	}
	rest := "More verbs:"
	if c.HasParent() {
		rest = "Verbs:"
	}
	list(rest, func(below *cobra.Command) bool {
		return below.GroupID == "" && (below.IsAvailableCommand() || below.Name() == "help")
	})
	list("Pages of the help:", func(below *cobra.Command) bool { return below.IsAdditionalHelpTopicCommand() })
}

// flagsToShow returns the flags that the help of a verb lists, and the topics of those
// that it leaves to a page.
func flagsToShow(c *cobra.Command) (flags *pflag.FlagSet, topics []string) {
	page := ""
	if c.HasParent() && c.IsAdditionalHelpTopicCommand() {
		page = c.Use
	}
	flags = pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.SortFlags = c.Flags().SortFlags
	show := func(flag *pflag.Flag) {
		topic := topicOf(flag)
		switch {
		case page != "":
			if topic == page {
				flags.AddFlag(flag)
			}
		case flag.Name == "help" && c.HasParent() || topic != "" && !matters(c, topic):
		case topic == topicRemote || topic == topicLayouts:
			topics = append(topics, topic)
		default:
			flags.AddFlag(flag)
		}
	}
	c.LocalFlags().VisitAll(show)
	c.InheritedFlags().VisitAll(show)
	if page == topicLayouts {
		new(layoutFlags).add(flags, true)
	}
	return flags, topics
}
