package main

import (
	"fmt"
	"image/color"
	"maps"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/ipld-hamt/go-ipld-hamt/bench/work"
)

// chart is a plot with both axes logarithmic: a line for each name.
type chart struct {
	title, x, y string
	lines       map[string]map[float64]float64
	impls       []string // by color
	works       []string // by shape
}

func newChart(title, x, y string) *chart {
	return &chart{title: title, x: x, y: y, lines: map[string]map[float64]float64{}}
}

// add adds a point to the line of a work and an implementation.
func (c *chart) add(r work.Result, x, y float64) {
	if x <= 0 || y <= 0 {
		return // nothing that a logarithmic axis has a place for
	}
	name := r.Work + ": " + r.Impl
	if c.lines[name] == nil {
		c.lines[name] = map[float64]float64{}
	}
	c.lines[name][x] = y
	if !slices.Contains(c.impls, r.Impl) {
		c.impls = append(c.impls, r.Impl)
	}
	if !slices.Contains(c.works, r.Work) {
		c.works = append(c.works, r.Work)
	}
}

// compared are the implementations in the plot of costs, which has room for
// few; the table has all.
var compared = []string{"go-ipld-hamt", "go-hamt-ipld"}

// costs is the cost of an entry against the size of the map.
func costs(results []work.Result) *chart {
	c := newChart("cost of an entry", "entries in the map", "ns an entry")
	for _, r := range results {
		if r.RequestsAtOnce == 0 && slices.Contains(compared, r.Impl) {
			c.add(r, float64(r.N), r.NsPerEntry)
		}
	}
	return c
}

// command is the cost of the command's verbs against the size of the map: for
// an entry or, of get, for the one key.
func command(results []work.Result) *chart {
	c := newChart("the command with its embedded store", "entries in the map", "ns an entry (get: ns)")
	for _, r := range results {
		if r.Impl == "hamt" {
			c.add(r, float64(r.N), r.NsPerEntry)
		}
	}
	return c
}

// network is the time over a network against the requests at once.
func network(results []work.Result) *chart {
	c := newChart(fmt.Sprintf("iterating over a network of %v a block", work.Latency), "requests at once", "seconds")
	for _, r := range results {
		if r.RequestsAtOnce > 0 && r.Work == "network-iterate" {
			r.Impl = fmt.Sprintf("%s, %d entries", r.Impl, r.N)
			c.add(r, float64(r.RequestsAtOnce), r.NsPerEntry*float64(r.N)/1e9)
		}
	}
	return c
}

func (c *chart) save(path string) error {
	if len(c.lines) == 0 {
		return nil
	}
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = c.title, c.x, c.y
	p.BackgroundColor = color.White
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	p.Add(plotter.NewGrid())
	p.Legend.Top = true
	p.Legend.Left = false
	p.Legend.TextStyle.Font.Size = vg.Points(9)
	for _, name := range slices.Sorted(maps.Keys(c.lines)) {
		line, points, err := plotter.NewLinePoints(sorted(c.lines[name]))
		if err != nil {
			return err
		}
		of, impl, _ := strings.Cut(name, ": ")
		shade := plotutil.Color(slices.Index(c.impls, impl))
		line.Color, points.Color = shade, shade
		line.Width = vg.Points(1.2)
		at := slices.Index(c.works, of)
		line.Dashes = plotutil.Dashes(at)
		points.Shape, points.Radius = shape(at), vg.Points(3)
		p.Add(line, points)
		p.Legend.Add(name, line, points)
	}
	// Room at the right, where the legend stands.
	p.X.Max *= 8
	return p.Save(11*vg.Inch, 7*vg.Inch, path)
}

func shape(i int) draw.GlyphDrawer { return plotutil.Shape(i) }

func sorted(points map[float64]float64) (xys plotter.XYs) {
	for _, x := range slices.Sorted(maps.Keys(points)) {
		xys = append(xys, plotter.XY{X: x, Y: points[x]})
	}
	return xys
}
