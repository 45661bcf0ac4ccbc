//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/ipld-hamt/go-ipld-hamt/bench/work"
	"github.com/ipld-hamt/go-ipld-hamt/bench/workload"
)

// impl is the name that the command has among the implementations.
const impl = "hamt"

// result is one process at one size, as a work.Result with more about it.
type result struct {
	work.Result
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpu_seconds"` // user and system, all cores
	PeakRSS    int64   `json:"peak_rss_bytes"`
	// Only of the build: the root, the files of the store after it, and the most
	// that spilled runs took. How many blocks were written stands with stat.
	Root       string `json:"root,omitempty"`
	StoreBytes int64  `json:"store_bytes,omitempty"`
	SpillBytes int64  `json:"spill_bytes,omitempty"`
}

// applied is the number of changes that are applied.
const applied = 10_000

// measurement is of one size.
type measurement struct {
	command, dir, memory string
	n                    int
	root                 string // after the build
	blocks               int    // after stat
}

func (m *measurement) store() string { return filepath.Join(m.dir, "store") }

// all measures one process after the other, in a fresh store, and tells of each
// at once.
func (m *measurement) all(ctx context.Context, add func(result) error) error {
	for _, measure := range []func(context.Context) (result, error){m.build, m.get, m.stat, m.len, m.apply} {
		r, err := measure(ctx)
		if err != nil {
			return err
		}
		if err := add(r); err != nil {
			return err
		}
	}
	return os.RemoveAll(m.store())
}

// hamt runs a verb of the command on the store.
func (m *measurement) hamt(ctx context.Context, input func(io.Writer) error, args ...string) (process, error) {
	return execute(ctx, input, "", m.command, append([]string{"--store", m.store()}, args...)...)
}

func (m *measurement) result(verb string, p process, entries int) result {
	return result{
		Result:  work.Result{Work: verb, Impl: impl, N: m.n, NsPerEntry: float64(p.wall.Nanoseconds()) / float64(entries)},
		Seconds: p.wall.Seconds(), CPUSeconds: p.cpu.Seconds(), PeakRSS: p.peakRSS,
	}
}

func (m *measurement) build(ctx context.Context) (result, error) {
	spill := filepath.Join(m.dir, "spill")
	if err := os.MkdirAll(spill, 0o777); err != nil {
		return result{}, err
	}
	p, err := execute(ctx, m.entries, spill, m.command,
		"--store", m.store(), "build", "--memory", m.memory, "--spill", spill)
	if err != nil {
		return result{}, err
	}
	m.root = p.out
	r := m.result("build", p, m.n)
	r.Root, r.SpillBytes = m.root, p.peakSize
	r.StoreBytes, err = sizeOf(m.store())
	return r, err
}

// entries writes all entries as lines.
func (m *measurement) entries(to io.Writer) error {
	w := bufio.NewWriterSize(to, 1<<16)
	var line []byte
	for i := range m.n {
		line = workload.AppendKey(append(line[:0], `{"key":"`...), i)
		line = append(strconv.AppendInt(append(line, `","value":`...), int64(i), 10), "}\n"...)
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return w.Flush()
}

// stat goes through all blocks and describes them.
func (m *measurement) stat(ctx context.Context) (result, error) {
	p, err := m.hamt(ctx, nil, "stat", "--json", m.root)
	if err != nil {
		return result{}, err
	}
	var stat struct {
		Entries int `json:"entries"`
		Blocks  int `json:"blocks"`
	}
	if err := json.Unmarshal([]byte(p.out), &stat); err != nil {
		return result{}, err
	}
	if stat.Entries != m.n {
		return result{}, fmt.Errorf("wrong answer: stat tells of %d entries", stat.Entries)
	}
	m.blocks = stat.Blocks
	r := m.result("stat", p, m.n)
	r.BlocksWritten = stat.Blocks
	return r, nil
}

// get gets a key from the middle.
func (m *measurement) get(ctx context.Context) (result, error) {
	p, err := m.expect(ctx, workload.At(m.n/2), m.root)
	return m.result("get", p, 1), err
}

// expect gets the key of an entry and expects its value.
func (m *measurement) expect(ctx context.Context, e workload.Entry, root string) (process, error) {
	p, err := m.hamt(ctx, nil, "get", root, e.Key)
	if err == nil && p.out != strconv.FormatInt(e.Value, 10) {
		err = fmt.Errorf("wrong answer: key %s has value %s", e.Key, p.out)
	}
	return p, err
}

func (m *measurement) len(ctx context.Context) (result, error) {
	p, err := m.hamt(ctx, nil, "len", m.root)
	if err == nil && p.out != strconv.Itoa(m.n) {
		err = fmt.Errorf("wrong answer: len is %s", p.out)
	}
	return m.result("len", p, m.n), err
}

// apply sets entries, about half of them new.
func (m *measurement) apply(ctx context.Context) (result, error) {
	sets := workload.Sets(m.n, applied)
	p, err := m.hamt(ctx, func(to io.Writer) error {
		w := bufio.NewWriter(to)
		for _, e := range sets {
			fmt.Fprintf(w, `{"op":"set","key":%q,"value":%d}`+"\n", e.Key, e.Value) // Flush tells of the error
		}
		return w.Flush()
	}, "apply", m.root)
	if err != nil {
		return result{}, err
	}
	if _, err := m.expect(ctx, sets[len(sets)-1], p.out); err != nil {
		return result{}, err
	}
	return m.result("apply", p, applied), nil
}
