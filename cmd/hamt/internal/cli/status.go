package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ipld/go-ipld-prime/datamodel"

	"github.com/ipld-hamt/go-ipld-hamt/diff"
	"github.com/ipld-hamt/go-ipld-hamt/fault"
	"github.com/ipld-hamt/go-ipld-hamt/proof"

	"github.com/ipld-hamt/go-ipld-hamt/cmd/hamt/internal/input"
	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
)

// The exit statuses, as the help has them.
const (
	statusDone        = 0
	statusAbsent      = 1
	statusUsage       = 2
	statusFault       = 3
	statusInterrupted = 130 // as shells have it: 128 + SIGINT
)

// outcome is an error whose exit status is known where it is made.
type outcome struct {
	status int
	err    error // nil where there is nothing to say
}

func (o *outcome) Error() string {
	if o.err == nil {
		return ""
	}
	return o.err.Error()
}

func (o *outcome) Unwrap() error { return o.err }

// usage returns an error that the user of the command has made.
func usage(format string, args ...any) error {
	return &outcome{statusUsage, fmt.Errorf(format, args...)}
}

// absent says that what was asked for is not there.
func absent(format string, args ...any) error {
	return &outcome{statusAbsent, fmt.Errorf(format, args...)}
}

// statusOf returns the exit status for what a verb returned.
func statusOf(err error) int {
	var known *outcome
	switch {
	case err == nil:
		return statusDone
	case errors.Is(err, context.Canceled):
		return statusInterrupted
	case errors.As(err, &known):
		return known.status
	case errors.Is(err, proof.ErrNotProven): // whatever is the matter with it
		return statusFault
	case errors.Is(err, proof.ErrDiffers):
		return statusAbsent
	case errors.As(err, new(*input.Error)), errors.Is(err, input.ErrEmpty), errors.Is(err, stores.ErrReadOnly), errors.Is(err, diff.ErrHashFunctions),
		errors.Is(err, carfile.ErrNotCAR), errors.Is(err, fault.ErrParams), isBadEntry(err):
		return statusUsage
	}
	return statusFault
}

// isBadEntry reports whether the library refused what was to be written, and not
// what it read.
func isBadEntry(err error) bool {
	for _, kind := range []error{fault.ErrValue, fault.ErrKey, fault.ErrRepeatedKey, fault.ErrReadOnlyLayout} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return isTooLarge(err) || errors.Is(err, fault.ErrMaxDepth) && neverWritten(err)
}

// isTooLarge reports whether a block is too large to be written.
func isTooLarge(err error) bool { return errors.Is(err, fault.ErrTooLarge) && neverWritten(err) }

// neverWritten reports whether an error is about a block that was not written, and so
// has no link.
func neverWritten(err error) bool {
	var f *fault.Error
	return errors.As(err, &f) && f.Link == nil
}

// messageOf returns what there is to say about an error.
func messageOf(err error) string {
	var other *fault.OtherLayout
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.Is(err, context.DeadlineExceeded):
		return "not done before the --deadline; the same command again goes on with what is there"
	case errors.Is(err, carfile.ErrNotCAR):
		return wordsOf(err) + "; --force replaces it"
	case errors.Is(err, fault.ErrWeakDigest) && !errors.Is(err, proof.ErrNotProven):
		return wordsOf(err) + "; --weak-digests takes it all the same"
	case errors.Is(err, fault.ErrParams):
		return wordsOf(err) + "; give the --hash and --bit-width that it was made with"
	case errors.Is(err, diff.ErrHashFunctions):
		return wordsOf(err) + "; --by-lookup compares them all the same"
	case errors.As(err, &other):
		return wordsOf(err) + "; --layout says so"
	}
	return wordsOf(err)
}

// once returns a message without those of its parts that say again whom it is about:
// each layer that an error came through names that, for who sees no other.
func once(message string) string {
	var parts []string
	for part := range strings.SplitSeq(message, ": ") {
		if !aboutPart.MatchString(part) || !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	text := strings.Join(parts, ": ")
	// The library says last in which block a fault is.
	if at := faultAt.FindStringSubmatchIndex(text); at != nil && strings.Contains(text[:at[0]], text[at[2]:at[3]]) {
		path := text[at[4]:at[5]]
		where := " (at " + path + ")"
		if path == "/" { // it is the root
			where = ""
		}
		text = text[:at[0]] + where + text[at[1]:]
	}
	// A block that is a root is called so first, and then what is wrong with it.
	return rootBlock.ReplaceAllStringFunc(text, func(match string) string {
		if found := rootBlock.FindStringSubmatch(match); found[1] == found[2] {
			return "root " + found[1]
		}
		return match
	})
}

var (
	aboutPart = regexp.MustCompile(`^(store|block|root|gateway|Kubo node) \S+$`)
	faultAt   = regexp.MustCompile(` \(block (\S+) at (/[0-9/]*)\)`)
	rootBlock = regexp.MustCompile(`root (\S+): block ([^\s:]+)`)
)

// wordsOf returns the text of an error. That of go-ipld-prime about a kind speaks of
// functions.
func wordsOf(err error) string {
	text := err.Error()
	if kind, ok := errors.AsType[datamodel.ErrWrongKind](err); ok {
		text = strings.ReplaceAll(text, kind.Error(), fmt.Sprintf("it is of kind %s, and not %s", kind.ActualKind, kind.AppropriateKind))
	}
	return text
}

// remedy returns the flags of the verb that help where a block is too large to be
// written.
func (a *app) remedy(err error) string {
	if !isTooLarge(err) || a.flag == nil {
		return ""
	}
	var help []string
	for _, flag := range []struct{ name, does string }{
		{"file-values", "keeps large strings and bytes in files"},
		{"inline-bytes", "other values in blocks of their own"},
		{"max-block", "allows larger blocks"},
	} {
		if a.flag(flag.name) == nil {
			continue
		}
		does := flag.does
		if flag.name == "inline-bytes" && len(help) == 0 {
			does = "keeps large values in blocks of their own"
		}
		help = append(help, "--"+flag.name+" "+does)
	}
	switch n := len(help); n {
	case 0:
		return ""
	case 1, 2:
		return "; " + strings.Join(help, ", and ")
	default:
		return "; " + strings.Join(help[:n-1], ", ") + ", and " + help[n-1]
	}
}

// trimPrefix drops the prefix that the library's errors have of their own.
func trimPrefix(message string) string { return strings.TrimPrefix(message, "hamt: ") }

// plain is an error without that prefix, for the inside of another.
type plain struct{ error }

func (p plain) Error() string { return trimPrefix(p.error.Error()) }
func (p plain) Unwrap() error { return p.error }
