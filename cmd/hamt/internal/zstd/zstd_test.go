package zstd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
)

// text is what the files in testdata have, which the program zstd 1.5.4 has made, by
// testdata/make: lines as they are put into maps.
func text() []byte {
	var b bytes.Buffer
	x := uint32(1)
	for i := range 2500 {
		x = x*1664525 + 1013904223
		fmt.Fprintf(&b, "{\"key\":\"station-%05d\",\"value\":{\"height\":%d,\"name\":\"%c%x\",\"wet\":%t}}\n", i, x>>22, 'A'+x>>28, x>>9, x&1 == 0)
	}
	return b.Bytes()
}

func decompress(data []byte) ([]byte, error) { return io.ReadAll(NewReader(bytes.NewReader(data))) }

// TestProgram reads what the program zstd writes.
func TestProgram(t *testing.T) {
	want := text()
	for _, name := range []string{"fast", "3", "22", "long", "frames", "skippable"} {
		data, err := os.ReadFile("testdata/" + name + ".zst")
		if err != nil {
			t.Fatal(err)
		}
		got, err := decompress(data)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v; want %d", name, len(got), err, len(want))
		}
		// What is cut off is never taken for whole.
		for n := 1; n < len(data); n += 1 + n/4 {
			got, err := decompress(data[:n])
			whole := name == "frames" || name == "skippable" // where it may be cut between two
			if !whole && !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.HasPrefix(want, got) {
				t.Errorf("%s: %d of %d bytes: %d bytes, %v", name, n, len(data), len(got), err)
			}
		}
	}
	for _, name := range []string{"rle", "empty"} {
		data, err := os.ReadFile("testdata/" + name + ".zst")
		if err != nil {
			t.Fatal(err)
		}
		got, err := decompress(data)
		if want := strings.Repeat("\x00", map[string]int{"rle": 1_000_000}[name]); err != nil || string(got) != want {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

// TestFlipped: a bit of a checked frame that is another is seen.
func TestFlipped(t *testing.T) {
	data, err := os.ReadFile("testdata/3.zst")
	if err != nil {
		t.Fatal(err)
	}
	want := text()
	for i := 0; i < len(data); i += 1 + i/20 {
		damaged := bytes.Clone(data)
		damaged[i] ^= 1 << (i % 8)
		// A bit in the header that has no meaning changes nothing.
		if got, err := decompress(damaged); err == nil && !bytes.Equal(got, want) {
			t.Fatalf("bit %d of byte %d: %d other bytes, and no error", i%8, i, len(got))
		}
	}
}

func TestErrors(t *testing.T) {
	const magic = "\x28\xb5\x2f\xfd"
	for _, c := range []struct{ data, says string }{
		{"x", "unexpected EOF"},
		{"four", "no frame"},
		{magic + "\x08", "reserved"},
		{magic, "unexpected EOF"},
		{magic + "\x00\xa8", "a frame needs 2147483648 bytes of memory"},
		{magic + "\x20", "unexpected EOF"},
		{magic + "\x01\x00\x07", "dictionary 7"},
		{magic + "\x20\x01\x07\x00\x00", "reserved"},
		{magic + "\x20\x01\x11\x00\x00ab", "another size"},
		{magic + "\x20\x02\x09\x00\x00a", "another size"},
		{magic + "\x20\x01\x09\x00\x00ax", "unexpected EOF"}, // of the next frame
		{magic + "\x24\x01\x09\x00\x00aabcd", "checksum"},
		{magic + "\x20\x05\x0d\x00\x00\x00", "corrupt"}, // compressed: no literals
		{magic + "\x20\x05\x15\x00\x00\x00\x01", "corrupt"},
		{"\x50\x2a\x4d\x18\x02\x00\x00\x00a", "unexpected EOF"},
	} {
		if got, err := decompress([]byte(c.data)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %q, %v; want %q", c.data, got, err, c.says)
		}
	}
	broken := errors.New("broken")
	in := io.MultiReader(strings.NewReader(magic), iotest.ErrReader(broken))
	if _, err := io.ReadAll(NewReader(in)); !errors.Is(err, broken) {
		t.Error(err)
	}
}

// TestMemory: memory is not taken because a frame says that it needs it.
func TestMemory(t *testing.T) {
	data := []byte("\x28\xb5\x2f\xfd\x00\x88\x01\x00\x00") // 128 MiB, for nothing
	allocated := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if _, err := decompress(data); err != nil {
				b.Fatal(err)
			}
		}
	}).AllocedBytesPerOp()
	if allocated > 1<<20 {
		t.Errorf("%d bytes for an empty frame", allocated)
	}
}

// TestLibrary reads what the library for Go writes, which is asked for all that it
// can do, of data of many kinds.
func TestLibrary(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("a be sea deer eagle fishes gorilla hedgehog 0123456789abcdefghijklmnopqrstuvwxyz")
	for _, size := range []int{0, 1, 2, 20, 255, 256, 1000, 1 << 16, 1<<18 + 1, 1 << 20} {
		for kind, data := range map[string][]byte{
			"random": randomBytes(random, size, 256), "few": randomBytes(random, size, 3), "skewed": skewed(random, size),
			"words": randomWords(random, size, words), "zeros": make([]byte, size),
		} {
			for level := zstd.SpeedFastest; level <= zstd.SpeedBestCompression; level++ {
				if size > 1<<18 && (level != zstd.SpeedFastest || kind != "words") {
					continue // where there is more than a window, only that it is moved matters
				}
				var compressed bytes.Buffer
				w, err := zstd.NewWriter(&compressed, zstd.WithEncoderLevel(level), zstd.WithWindowSize(1<<(10+random.IntN(9))), zstd.WithEncoderConcurrency(1))
				if err != nil {
					t.Fatal(err)
				}
				for part := data; len(part) > 0; { // which makes blocks of all sizes
					n := min(len(part), 1+random.IntN(100_000))
					_, err1 := w.Write(part[:n])
					if err := errors.Join(err1, w.Flush()); err != nil {
						t.Fatal(err)
					}
					part = part[n:]
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(NewReader(iotest.HalfReader(&compressed)))
				if err != nil || !bytes.Equal(got, data) {
					t.Fatalf("%s, %d bytes, %v: %d bytes, %v", kind, size, level, len(got), err)
				}
			}
		}
	}
}

func randomBytes(random *rand.Rand, size, of int) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(random.IntN(of))
	}
	return data
}

// skewed has bytes of which some come much more often than others.
func skewed(random *rand.Rand, size int) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(random.ExpFloat64() * 12)
	}
	return data
}

func randomWords(random *rand.Rand, size int, words []string) []byte {
	data := make([]byte, 0, size+100)
	for len(data) < size {
		data = append(data, words[random.IntN(len(words))]...)
	}
	return data[:size]
}

// FuzzReader reads anything, as the library for Go does: what both take is the same,
// and what that takes this takes.
func FuzzReader(f *testing.F) {
	for _, name := range []string{"fast", "3", "22", "frames", "skippable", "rle", "empty"} {
		data, err := os.ReadFile("testdata/" + name + ".zst")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[:min(len(data), 3000)])
	}
	for _, text := range []string{"a", "abcabcabcabcabc", strings.Repeat("hedgehog eagle ", 40)} {
		for level := zstd.SpeedFastest; level <= zstd.SpeedBestCompression; level++ {
			w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderCRC(false))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(w.EncodeAll([]byte(text), nil))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const most = 8 << 20
		theirs, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(MaxWindow))
		if err != nil {
			return
		}
		defer theirs.Close()
		want, wantErr := io.ReadAll(io.LimitReader(theirs, most))
		got, err := io.ReadAll(io.LimitReader(NewReader(bytes.NewReader(data)), most))
		if wantErr == nil && (err != nil || !bytes.Equal(got, want)) {
			t.Fatalf("%d bytes, %v; want %d", len(got), err, len(want))
		}
		if err == nil && wantErr == nil && !bytes.Equal(got, want) {
			t.Fatal("other bytes")
		}
	})
}
