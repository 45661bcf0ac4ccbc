package remote

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"slices"
	"strings"
)

// Credentials are headers that are added to requests to certain origins (scheme,
// host and port), and to no others. The zero value holds none. They never show
// themselves when printed.
type Credentials struct {
	byOrigin map[origin]http.Header
}

// Basic adds a user and a password for the origin of a URL.
func (c *Credentials) Basic(to *url.URL, user, password string) error {
	return c.Header(to, "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

// Bearer adds a token for the origin of a URL.
func (c *Credentials) Bearer(to *url.URL, token string) error {
	return c.Header(to, "Authorization", "Bearer "+token)
}

// Header adds a header for the origin of a URL, in the place of one of the same
// name. The error, where it cannot be one, does not show it.
func (c *Credentials) Header(to *url.URL, name, value string) error {
	if !isFieldName(name) || !isFieldValue(value) {
		return errors.New("not a name and a value that a header can have")
	}
	if c.byOrigin == nil {
		c.byOrigin = map[origin]http.Header{}
	}
	at := originOf(to)
	if c.byOrigin[at] == nil {
		c.byOrigin[at] = http.Header{}
	}
	c.byOrigin[at].Set(name, value)
	return nil
}

// isFieldName reports whether text is a field-name of RFC 9110.
func isFieldName(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

// isFieldValue reports whether net/http sends text as the value of a header, as
// it is: without control characters, tabs excepted.
func isFieldValue(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// addTo adds to a request what is for its origin, and reports whether there was
// anything.
func (c *Credentials) addTo(request *http.Request) bool {
	if c == nil {
		return false
	}
	headers := c.byOrigin[originOf(request.URL)]
	for name, values := range headers {
		request.Header[name] = values
	}
	return len(headers) > 0
}

// hidden returns a text without the credentials in it.
func (c *Credentials) hidden(text string) string {
	if c == nil {
		return text
	}
	for _, secret := range c.secrets() {
		text = strings.ReplaceAll(text, secret, "…")
	}
	return text
}

// secrets are all texts that must not be seen, the longest first: one may be in
// another. What is shorter than guessing takes is none.
func (c *Credentials) secrets() (all []string) {
	for _, headers := range c.byOrigin {
		for _, values := range headers {
			for _, value := range values {
				all = append(all, value)
				_, token, _ := strings.Cut(value, " ")
				all = append(all, token)
				if login, err := base64.StdEncoding.DecodeString(token); err == nil && strings.HasPrefix(value, "Basic ") {
					_, password, _ := strings.Cut(string(login), ":")
					all = append(all, string(login), password)
				}
			}
		}
	}
	const shortest = 4
	all = slices.DeleteFunc(all, func(secret string) bool { return len(secret) < shortest })
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all
}

// Format shows that there are credentials, whatever the verb, and none of them.
func (c *Credentials) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "credentials") // Fprintf has no way to be told
}

// ReadCredentials reads credentials from a file. Each line is one of
//
//	ORIGIN basic USER:PASSWORD
//	ORIGIN bearer TOKEN
//	ORIGIN header NAME: VALUE
//
// where ORIGIN is as https://gateway.example or http://127.0.0.1:5001. Empty
// lines and those that begin with # are nothing. On Unix a file is refused that
// others than its owner can read. Errors name the line and do not show it.
func ReadCredentials(file string) (*Credentials, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	defer f.Close() // it was only read
	if err := checkPrivate(f); err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	credentials := &Credentials{}
	lines := bufio.NewScanner(f)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := credentials.addLine(line); err != nil {
			return nil, fmt.Errorf("credentials: %s, line %d: %w", file, number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("credentials: %s: %w", file, err)
	}
	return credentials, nil
}

func (c *Credentials) addLine(line string) error {
	where, rest := cutWord(line)
	kind, secret := cutWord(rest)
	to, err := ParseURL(where)
	if err != nil || to.Path != "" {
		return errors.New("it does not begin with an origin, such as https://gateway.example")
	}
	switch kind {
	case "basic":
		if user, password, ok := strings.Cut(secret, ":"); ok {
			return c.Basic(to, user, password)
		}
		return errors.New("basic wants USER:PASSWORD")
	case "bearer":
		if secret == "" || strings.ContainsAny(secret, " \t") {
			return errors.New("bearer wants one word, a token")
		}
		return c.Bearer(to, secret)
	case "header":
		if name, value, ok := strings.Cut(secret, ":"); ok {
			return c.Header(to, textproto.TrimString(name), textproto.TrimString(value))
		}
		return errors.New("header wants NAME: VALUE")
	}
	return errors.New("what follows the origin is none of basic, bearer, header")
}

// cutWord cuts the first word off.
func cutWord(text string) (word, rest string) {
	end := strings.IndexAny(text, " \t")
	if end < 0 {
		return text, ""
	}
	return text[:end], strings.TrimLeft(text[end:], " \t")
}
