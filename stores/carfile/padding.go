package carfile

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	carv2 "github.com/ipld/go-car/v2"
)

// padded returns Limits for a CARv1 that may have zeros behind its sections, as
// those have that Filecoin's storage providers fill up to the size of a sector. To
// go-car a zero is then the end; whether only zeros follow is for checkPadding.
func padded() []carv2.Option { return append(Limits(), carv2.ZeroLengthSectionAsEOF(true)) }

// checkPadding returns an error unless only zeros follow: what else is there would
// be left out without a word. at is where in the file r begins.
func checkPadding(r io.Reader, at int64) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		part, err := in.Peek(1)
		if err == nil {
			part, err = in.Peek(in.Buffered())
		}
		if rest := bytes.TrimLeft(part, "\x00"); len(rest) > 0 {
			return fmt.Errorf("a section has no bytes, and there is more behind it at byte %d", at+int64(len(part)-len(rest)))
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		n, err := in.Discard(len(part))
		if err != nil {
			return err
		}
		at += int64(n)
	}
}
