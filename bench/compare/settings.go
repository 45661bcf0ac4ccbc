package main

import (
	"errors"
	"flag"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/ipld-hamt/go-ipld-hamt/bench/work"
)

type settings struct {
	sizes      numbers
	slow       int
	atOnce     numbers
	runs       int
	impl, work *regexp.Regexp
	format     format
	read       string
	profiles   string
}

func parse() (s settings, err error) {
	s.sizes, s.atOnce = numbers{200_000}, numbers{work.DefaultAtOnce}
	flag.Var(&s.sizes, "n", "number of entries, or several with commas between")
	flag.IntVar(&s.slow, "n-slow", 10_000, "number of entries for what is much slower than the others")
	flag.Var(&s.atOnce, "at-once", "requests at once in the works over a network, or several with commas between")
	flag.IntVar(&s.runs, "runs", 1, "runs of each work; the fastest counts")
	impl := flag.String("impl", "", "only implementations whose name matches this regular expression")
	works := flag.String("work", "", "only works whose name matches this regular expression")
	asJSON := flag.Bool("json", false, "print one JSON object a line instead of a table")
	asMarkdown := flag.Bool("markdown", false, "print the table in Markdown")
	flag.StringVar(&s.read, "read", "", "measure nothing: print the results in this file, which -json wrote")
	flag.StringVar(&s.profiles, "cpuprofile", "", "write a CPU profile of each work of each Go implementation into this directory")
	flag.Parse()
	if flag.NArg() > 0 || s.slow < 1 || s.runs < 1 || *asJSON && *asMarkdown {
		flag.Usage()
		return s, errors.New("bad arguments")
	}
	switch {
	case *asJSON:
		s.format = asLines
	case *asMarkdown:
		s.format = inMarkdown
	}
	if s.impl, err = regexp.Compile(*impl); err != nil {
		return s, err
	}
	s.work, err = regexp.Compile(*works)
	return s, err
}

// numbers is a flag of positive numbers.
type numbers []int

func (n *numbers) String() string { return strings.Trim(fmt.Sprint([]int(*n)), "[]") }

func (n *numbers) Set(text string) error {
	*n = nil
	for part := range strings.SplitSeq(text, ",") {
		number, err := strconv.Atoi(part)
		if err != nil {
			return err
		}
		if number < 1 {
			return errors.New("not positive")
		}
		*n = append(*n, number)
	}
	return nil
}
