//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// buildCommand builds the command into a directory.
func buildCommand(ctx context.Context, dir string) (path string, err error) {
	path = filepath.Join(dir, "hamt")
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/ipld-hamt/go-ipld-hamt/cmd/hamt")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the command: %w: %s", err, out)
	}
	return path, nil
}

// process is what a run of the command gave and took.
type process struct {
	out      string
	wall     time.Duration
	cpu      time.Duration // of user and system, all cores
	peakRSS  int64         // the most memory that was resident, in bytes
	peakSize int64         // the most that a directory took, in bytes
}

// execute runs the command. input, if not nil, writes its standard input;
// watched, if not empty, is a directory whose size is looked at meanwhile.
func execute(ctx context.Context, input func(io.Writer) error, watched, path string, args ...string) (p process, err error) {
	var out, errOut bytes.Buffer
	command := exec.CommandContext(ctx, path, args...)
	command.Stdout, command.Stderr = &out, &errOut
	var stdin io.WriteCloser
	if input != nil {
		if stdin, err = command.StdinPipe(); err != nil {
			return p, err
		}
	}
	begin := time.Now()
	if err := command.Start(); err != nil {
		return p, err
	}
	watching := watch(watched)
	var written error
	if input != nil {
		written = errors.Join(input(stdin), stdin.Close())
	}
	err = command.Wait()
	p.wall = time.Since(begin)
	p.peakSize = watching()
	if err != nil {
		return p, fmt.Errorf("hamt %s: %w: %s", strings.Join(args, " "), err, &errOut)
	}
	if written != nil {
		return p, fmt.Errorf("hamt %s: writing its input: %w", strings.Join(args, " "), written)
	}
	p.out = strings.TrimSpace(out.String())
	p.cpu = command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	p.peakRSS = maxRSS(command.ProcessState)
	return p, nil
}

// maxRSS is in KiB but on macOS.
func maxRSS(state *os.ProcessState) int64 {
	most := int64(state.SysUsage().(*syscall.Rusage).Maxrss)
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return most
	}
	return most << 10
}

// watch looks at the size of a directory until the returned function is called,
// which returns the largest.
func watch(dir string) (stop func() int64) {
	if dir == "" {
		return func() int64 { return 0 }
	}
	const every = 50 * time.Millisecond
	end, most := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for largest := int64(0); ; {
			select {
			case <-tick.C:
				// What is removed meanwhile is not there to be counted.
				size, _ := sizeOf(dir)
				largest = max(largest, size)
			case <-end:
				most <- largest
				return
			}
		}
	}()
	return func() int64 {
		close(end)
		return <-most
	}
}

// sizeOf is how many bytes the files in a directory have.
func sizeOf(dir string) (size int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		size += info.Size()
		return nil
	})
	return size, err
}
