package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
	carv2 "github.com/ipld/go-car/v2"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ipld-hamt/go-ipld-hamt/stores/carfile"
	"github.com/ipld-hamt/go-ipld-hamt/stores/embedded"
	"github.com/ipld-hamt/go-ipld-hamt/stores/pack"
)

// TestMain puts the command into the PATH of all tests here, the Go tests as
// well as the scripts: it is this test binary under another name, so that -race
// and -cover see what it does.
func TestMain(m *testing.M) {
	// Otherwise the race detector has each command wait a second before it exits.
	if os.Getenv("GORACE") == "" {
		if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
			log.Fatal(err)
		}
	}
	testscript.Main(m, map[string]func(){
		"hamt":     main,
		"precip":   precip,
		"numbered": numbered,
	})
}

// precip prints the entries of spec-fixtures/precip.md, as many as its argument
// says, as lines that build takes.
func precip() {
	if len(os.Args) != 2 {
		log.Fatal("usage: precip COUNT")
	}
	printLines(func(w io.Writer) { writeLines(w, number(os.Args[1])) })
}

// numbered prints the entries that fixtures have as {"key":"PREFIX{i}","value":"i"},
// COUNT of them from FROM on: as lines that build takes, or changes that apply
// takes.
func numbered() {
	format := "{\"key\":\"%s%[2]d\",\"value\":%[2]d}\n"
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "-set" {
		format, args = "{\"op\":\"set\",\"key\":\"%s%[2]d\",\"value\":%[2]d}\n", args[1:]
	} else if len(args) > 0 && args[0] == "-delete" {
		format, args = "{\"op\":\"delete\",\"key\":\"%s%d\"}\n", args[1:]
	}
	if len(args) != 3 {
		log.Fatal("usage: numbered [-set|-delete] PREFIX FROM COUNT")
	}
	from, count := number(args[1]), number(args[2])
	printLines(func(w io.Writer) {
		for i := from; i < from+count; i++ {
			fmt.Fprintf(w, format, args[0], i)
		}
	})
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		log.Fatal(err)
	}
	return n
}

func printLines(print func(w io.Writer)) {
	out := bufio.NewWriter(os.Stdout)
	print(out)
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}

// fixtures is the directory of the specification's fixtures. The module alone,
// outside the repository, does not have it.
const fixtures = "../../spec-fixtures"

// TestScript runs the scripts in testdata/script. They know the commands of
// package testscript, and these:
//
//	status N COMMAND…     runs a command that exits with the status N
//	fails N COMMAND…      the same; it also prints nothing to stdout, and one
//	                      line that begins with "hamt: " to stderr
//	root VARIABLE         sets the variable to the one line on stdout
//	precip, numbered      print entries (see [precip], [numbered])
//	car FILE BLOCKS       writes a CAR of the blocks in a file of lines "CID HEX",
//	                      of which the first is the root, as fixtures have them
//	carv2 FILE FILE       makes a CAR of version 2 of one of version 1
//	flip FILE N           flips a bit of the byte N of a file
//	flip PACKS CID        flips a bit of a block, in all packs of a directory
//	hold [-write] DIR     has a store open, as another process would, until…
//	release               closes it
//	gateway NAME FILE     runs a trustless gateway with the blocks of a CAR, and
//	                      sets the variable NAME to its URL
//	web NAME DIR          runs a web server with the files in a directory, and sets the
//	                      variable NAME to its URL
//	answers NAME HOW…     changes how the gateway answers (see [gateway.behave])
//	requests NAME COUNT   checks the number of requests since the last time:
//	                      N, <N, <=N
//	examples VERB [A=B]…  runs the examples in a verb's help, with A replaced by B
//	transcript FILE.md    runs the commands in blocks marked console, and compares
//	                      what they print with what stands below them there
//
// The variable FIXTURES names the directory of the specification's fixtures, the
// condition fixtures reports whether it is there, and README is the command's page.
func TestScript(t *testing.T) {
	found, err := filepath.Abs(fixtures)
	if err != nil {
		t.Fatal(err)
	}
	readme, err := filepath.Abs("README.md")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("FIXTURES", found)
			env.Setenv("README", readme)
			env.Setenv("LC_ALL", "C") // for sort
			env.Values[scriptedKey{}] = &scripted{gateways: map[string]*gateway{}}
			return nil
		},
		Condition: func(condition string) (bool, error) {
			if condition != "fixtures" {
				return false, fmt.Errorf("unknown condition %q", condition)
			}
			_, err := os.Stat(found)
			return err == nil, nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"status":     positive("status N COMMAND…", 2, many, cmdStatus),
			"fails":      positive("fails N COMMAND…", 2, many, cmdFails),
			"root":       positive("root VARIABLE", 1, 1, cmdRoot),
			"car":        positive("car FILE BLOCKS", 2, 2, cmdCAR),
			"carv2":      positive("carv2 FROM TO", 2, 2, cmdCARv2),
			"flip":       positive("flip FILE|PACKS N|CID", 2, 2, cmdFlip),
			"hold":       positive("hold [-write] DIR", 1, 2, cmdHold),
			"release":    positive("release", 0, 0, cmdRelease),
			"gateway":    positive("gateway NAME FILE", 2, 2, cmdGateway),
			"web":        positive("web NAME DIR", 2, 2, cmdWeb),
			"answers":    positive("answers NAME HOW [ARGUMENT]", 2, 3, cmdAnswers),
			"requests":   positive("requests NAME COUNT", 2, 2, cmdRequests),
			"examples":   positive("examples VERB [OLD=NEW]…", 1, many, cmdExamples),
			"transcript": positive("transcript FILE.md", 1, 1, cmdTranscript),
		},
	})
}

const many = 1 << 10

// positive is a command that takes no "!", and a number of arguments.
func positive(
	usage string, least, most int, do func(ts *testscript.TestScript, args []string),
) func(ts *testscript.TestScript, neg bool, args []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < least || len(args) > most {
			ts.Fatalf("usage: %s", usage)
		}
		do(ts, args)
	}
}

func cmdStatus(ts *testscript.TestScript, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

func cmdFails(ts *testscript.TestScript, args []string) {
	cmdStatus(ts, args)
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("it failed, and printed %q", out)
	}
	said := ts.ReadFile("stderr")
	if !strings.HasPrefix(said, "hamt: ") || strings.Count(said, "\n") != 1 || strings.Contains(said, "hamt: hamt:") {
		ts.Fatalf("stderr is not one line that begins with the command's name once: %q", said)
	}
}

func cmdRoot(ts *testscript.TestScript, args []string) {
	root, rest, ok := strings.Cut(ts.ReadFile("stdout"), "\n")
	if !ok || root == "" || rest != "" {
		ts.Fatalf("stdout is not one line")
	}
	ts.Setenv(args[0], root)
}

func cmdCAR(ts *testscript.TestScript, args []string) {
	type block struct {
		cid   cid.Cid
		bytes []byte
	}
	var blocks []block
	var roots []cid.Cid
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		name, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		c, err := cid.Decode(name)
		ts.Check(err)
		raw, err := hex.DecodeString(digits)
		ts.Check(err)
		blocks = append(blocks, block{c, raw})
		roots = []cid.Cid{blocks[0].cid}
	}
	ts.Check(carfile.WriteFile(ts.MkAbs(args[0]), func(w io.Writer) error {
		out, err := carfile.NewWriter(w, roots...)
		if err != nil {
			return err
		}
		for _, b := range blocks {
			if err := out.Put(context.Background(), b.cid, b.bytes); err != nil {
				return err
			}
		}
		return out.Finish()
	}))
}

func cmdCARv2(ts *testscript.TestScript, args []string) {
	ts.Check(carv2.WrapV1File(ts.MkAbs(args[0]), ts.MkAbs(args[1])))
}

func cmdFlip(ts *testscript.TestScript, args []string) {
	path := ts.MkAbs(args[0])
	c, err := cid.Decode(args[1])
	if err != nil {
		flip(ts, path, number(args[1]))
		return
	}
	packs, err := filepath.Glob(filepath.Join(path, "*.car"))
	ts.Check(err)
	flipped := false
	for _, path := range packs {
		data, err := os.ReadFile(path)
		ts.Check(err)
		p, err := pack.Open(bytes.NewReader(data), int64(len(data)))
		ts.Check(err)
		e, ok, err := p.Find(c)
		ts.Check(err)
		if ok {
			flip(ts, path, int(e.Offset)+bytes.Index(data[e.Offset:], c.Bytes())+c.ByteLen())
			flipped = true
		}
	}
	if !flipped {
		ts.Fatalf("%s does not have %s", args[0], c)
	}
}

// flip flips a bit of a byte of a file.
func flip(ts *testscript.TestScript, path string, at int) {
	data, err := os.ReadFile(path)
	ts.Check(err)
	data[at] ^= 1
	ts.Check(os.WriteFile(path, data, 0o600))
}

// scripted is what the commands of one script share.
type scripted struct {
	held     io.Closer // the store that is held open, or nil
	gateways map[string]*gateway
}

// of returns what the commands of a script share.
func of(ts *testscript.TestScript) *scripted { return ts.Value(scriptedKey{}).(*scripted) }

type scriptedKey struct{}

func cmdHold(ts *testscript.TestScript, args []string) {
	write := args[0] == "-write"
	if write {
		args = args[1:]
	}
	store, err := embedded.Open(context.Background(), ts.MkAbs(args[0]), embedded.Options{Write: write})
	ts.Check(err)
	of(ts).held = store
	ts.Defer(func() {
		if of(ts).held != nil { // the script failed before release
			_ = store.Close()
		}
	})
}

func cmdRelease(ts *testscript.TestScript, _ []string) {
	s := of(ts)
	if s.held == nil {
		ts.Fatalf("no store is held")
	}
	ts.Check(s.held.Close())
	s.held = nil
}

func cmdGateway(ts *testscript.TestScript, args []string) {
	g, err := newGateway(ts.MkAbs(args[1]))
	ts.Check(err)
	ts.Defer(g.close)
	of(ts).gateways[args[0]] = g
	ts.Setenv(args[0], g.url)
}

func cmdWeb(ts *testscript.TestScript, args []string) {
	server := httptest.NewServer(http.FileServer(http.Dir(ts.MkAbs(args[1]))))
	ts.Defer(server.Close)
	ts.Setenv(args[0], server.URL)
}

// gatewayOf returns the gateway of that name.
func gatewayOf(ts *testscript.TestScript, name string) *gateway {
	g := of(ts).gateways[name]
	if g == nil {
		ts.Fatalf("there is no gateway %s", name)
	}
	return g
}

func cmdAnswers(ts *testscript.TestScript, args []string) {
	ts.Check(gatewayOf(ts, args[0]).behave(args[1], args[2:]...))
}

func cmdRequests(ts *testscript.TestScript, args []string) {
	got := gatewayOf(ts, args[0]).forget()
	digits := strings.TrimLeft(args[1], "<=")
	want, err := strconv.ParseInt(digits, 10, 64)
	ts.Check(err)
	var ok bool
	switch strings.TrimSuffix(args[1], digits) {
	case "":
		ok = got == want
	case "<":
		ok = got < want
	case "<=":
		ok = got <= want
	}
	if !ok {
		ts.Fatalf("%d requests, want %s", got, args[1])
	}
}

func cmdExamples(ts *testscript.TestScript, args []string) {
	ts.Check(ts.Exec("hamt", append(strings.Fields(args[0]), "--help")...))
	_, after, _ := strings.Cut(ts.ReadFile("stdout"), "Examples:\n")
	examples, _, _ := strings.Cut(after, "\n\n")
	if examples == "" {
		ts.Fatalf("the help of %s has no example", args[0])
	}
	var pairs []string
	for _, pair := range args[1:] {
		old, replacement, ok := strings.Cut(pair, "=")
		if !ok || !strings.Contains(examples, old) {
			ts.Fatalf("%q is not in the examples", old)
		}
		pairs = append(pairs, old, replacement)
	}
	for line := range strings.Lines(strings.NewReplacer(pairs...).Replace(examples)) {
		line = strings.TrimSpace(line)
		// Those for Kubo are run by TestExamples in interop/kubo.
		if strings.Contains(line, "ipfs ") || strings.Contains(line, "kubo:") {
			continue
		}
		ts.Logf("$ %s", line)
		ts.Check(ts.Exec("sh", "-e", "-c", line))
	}
}

func cmdTranscript(ts *testscript.TestScript, args []string) {
	ran := 0
	for _, block := range strings.Split(ts.ReadFile(args[0]), "\n```console\n")[1:] {
		block, _, _ = strings.Cut(block, "\n```")
		for _, exchange := range strings.Split("\n"+block, "\n$ ")[1:] {
			command, printed, _ := strings.Cut(exchange+"\n", "\n")
			ts.Logf("$ %s", command)
			ts.Check(ts.Exec("sh", "-e", "-c", command))
			if got := ts.ReadFile("stdout") + ts.ReadFile("stderr"); got != printed {
				ts.Fatalf("%s prints\n%s\nwhere %s has\n%s", command, got, args[0], printed)
			}
			ran++
		}
	}
	if ran == 0 {
		ts.Fatalf("%s has no commands", args[0])
	}
}
