package remote

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// StatusError is an answer with a status that is not 2xx.
type StatusError struct {
	// Source is who answered, for people.
	Source string
	// Code is the HTTP status.
	Code int
	// RetryAfter is how long the answer asks to wait before the request is sent
	// again; 0 where it does not say.
	RetryAfter time.Duration
	// Excerpt is the beginning of what else was said, in one line; it may be
	// empty.
	Excerpt string
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s answered %d", e.Source, e.Code)
	if name := http.StatusText(e.Code); name != "" {
		text += " " + name
	}
	if e.Excerpt != "" {
		text += ": " + e.Excerpt
	}
	if e.RetryAfter > 0 {
		text += fmt.Sprintf(" (ask again in %v)", e.RetryAfter.Round(time.Second))
	}
	return text
}

func (e *StatusError) temporary() bool {
	switch e.Code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return e.Code >= 500
}

// CheckStatus returns a *StatusError unless the status is 2xx. Of the body it
// reads only then, and at most a KiB.
func CheckStatus(source string, r *http.Response) error {
	if r.StatusCode >= 200 && r.StatusCode < 300 {
		return nil
	}
	return &StatusError{
		Source:     source,
		Code:       r.StatusCode,
		RetryAfter: retryAfter(r.Header.Get("Retry-After"), time.Now()),
		Excerpt:    excerpt(r),
	}
}

// retryAfter understands a Retry-After: seconds, or a date. It is 0 for what is
// neither, or over.
func retryAfter(text string, now time.Time) time.Duration {
	const longest = 365 * 24 * time.Hour // no overflow
	seconds, err := strconv.ParseUint(text, 10, 32)
	if err == nil || errors.Is(err, strconv.ErrRange) { // which gives the largest number
		return min(time.Duration(seconds)*time.Second, longest)
	}
	date, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(date.Sub(now), 0), longest)
}

// excerpt is the first words of an answer in plain text or JSON: pages of HTML
// say nothing that the status does not. An answer to a request with credentials
// might repeat them, and is not shown.
func excerpt(r *http.Response) string {
	if b, ok := r.Body.(*body); ok && b.private {
		return ""
	}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // what cannot be parsed is not HTML
	if media == "text/html" {
		return ""
	}
	const most = 200
	text, _ := io.ReadAll(io.LimitReader(r.Body, 1024)) // what could be read is enough
	clean := strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) {
			return ' '
		}
		if !unicode.IsPrint(c) || c == unicode.ReplacementChar {
			return -1
		}
		return c
	}, string(text))
	words := []rune(strings.Join(strings.Fields(clean), " "))
	if len(words) > most {
		return string(words[:most]) + "…"
	}
	return string(words)
}

// Discard reads what is left of a body, if it is not much, so that its
// connection can be used again, and closes it.
func Discard(body io.ReadCloser) {
	const most = 64 << 10
	_, _ = io.CopyN(io.Discard, body, most) // if it cannot be read, the connection is not used again
	_ = body.Close()
}
