package remote

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

func TestTemporary(t *testing.T) {
	network := func(err error) error { return &url.Error{Op: "Get", URL: "http://x", Err: &networkError{err: err}} }
	for _, err := range []error{
		&StatusError{Code: 408}, &StatusError{Code: 429}, &StatusError{Code: 500}, &StatusError{Code: 502},
		&StatusError{Code: 503}, &StatusError{Code: 504}, &StatusError{Code: 599},
		errRefused,
		network(errRefused),
		network(&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}),
		network(io.EOF),
		network(io.ErrUnexpectedEOF),
		network(&net.DNSError{IsTimeout: true}),
		fmt.Errorf("cut: %w", io.ErrUnexpectedEOF),
		&timeoutError{},
		fmt.Errorf("x: %w", fmt.Errorf("y: %w", &StatusError{Code: 429})),
		errors.Join(&StatusError{Code: 404}, &StatusError{Code: 503}),
	} {
		if !Temporary(err) {
			t.Errorf("%v is not temporary", err)
		}
	}
	for _, err := range []error{
		nil,
		&StatusError{Code: 301}, &StatusError{Code: 400}, &StatusError{Code: 401}, &StatusError{Code: 404},
		&StatusError{Code: 410}, &StatusError{Code: 451}, &StatusError{Code: 501},
		fmt.Errorf("x: %w", stores.ErrWrongBytes),
		stores.NotFound{},
		Permanent(&StatusError{Code: 503}),
		fmt.Errorf("x: %w", Permanent(errRefused)),
		network(&net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}),
		network(x509.UnknownAuthorityError{}),
		network(http.ErrSchemeMismatch),
		&networkError{err: errRefused, nobody: true},
		network(context.Canceled),
		network(context.DeadlineExceeded),
		context.Canceled,
		context.DeadlineExceeded,
		io.EOF,
		errors.Join(&StatusError{Code: 404}, &StatusError{Code: 400}),
	} {
		if Temporary(err) {
			t.Errorf("%v is temporary", err)
		}
	}
}

func TestRetryAfterOfSeveral(t *testing.T) {
	soon, late := &StatusError{Code: 429, RetryAfter: 2 * time.Second}, &StatusError{Code: 503, RetryAfter: 30 * time.Second}
	for want, err := range map[time.Duration]error{
		2 * time.Second:  errors.Join(late, &StatusError{Code: 404}, fmt.Errorf("g: %w", soon)),
		30 * time.Second: fmt.Errorf("x: %w", late),
		0:                errors.Join(soon, errRefused),
	} {
		if got := RetryAfter(err); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}
