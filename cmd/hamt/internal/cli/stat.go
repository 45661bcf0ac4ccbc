package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/spf13/cobra"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/params"
)

func (a *app) statVerb() *cobra.Command {
	var layout layoutFlags
	var asJSON bool
	c := verb(groupRead, "stat [ROOT]", "Describe a map and the shape of its tree", `
hamt stat people
hamt stat people --json`, rootAnd(0), func(ctx context.Context, args []string) error {
		return a.wholeMap(ctx, args, &layout, func(m *adl.Node) error {
			stats, err := m.Stats(ctx)
			if err != nil {
				return err
			}
			root, err := m.Link()
			if err != nil {
				return err
			}
			report := newStatReport(root, m.Params(), stats)
			if asJSON {
				return json.NewEncoder(a.out).Encode(report)
			}
			return report.table(a.out, m.Params())
		})
	})
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return layout.reading(c)
}

// statReport is what stat prints.
type statReport struct {
	Root       string `json:"root"`
	HashAlg    string `json:"hashAlg"`
	BitWidth   int    `json:"bitWidth"`
	BucketSize int    `json:"bucketSize"`
	Layout     string `json:"layout"`
	adl.Stats
}

func newStatReport(root datamodel.Link, p params.Params, stats adl.Stats) statReport {
	return statReport{root.String(), p.HashAlg.String(), p.BitWidth, p.BucketSize, p.Layout.String(), stats}
}

// table writes the report for people.
func (r statReport) table(w io.Writer, p params.Params) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "root\t%s\n", r.Root)
	fmt.Fprintf(t, "parameters\t%s\n", p)
	fmt.Fprintf(t, "entries\t%d\n", r.Entries)
	fmt.Fprintf(t, "blocks\t%d\n", r.Blocks)
	fmt.Fprintf(t, "bytes\t%d", r.Bytes)
	if r.Blocks > 0 {
		fmt.Fprintf(t, " (%d in a block, on average)", r.Bytes/r.Blocks)
	}
	fmt.Fprintln(t)
	if err := t.Flush(); err != nil {
		return err
	}

	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "\ndepth\tnodes\tentries\tlinks\tbuckets\tbytes\t\n")
	for depth, level := range r.Levels {
		fmt.Fprintf(t, "%d\t%d\t%d\t%d\t%d\t%d\t\n", depth, level.Nodes, level.Entries, level.Links, level.Buckets, level.Bytes)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprint(t, "\nentries in a bucket\tbuckets\t\n")
	for entries, buckets := range r.BucketFill {
		// Empty buckets are there only where a peer's delete left them.
		if entries > 0 || buckets > 0 {
			fmt.Fprintf(t, "%d\t%d\t\n", entries, buckets)
		}
	}
	return t.Flush()
}
