package remote

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// ParseURL reads the address of a store: http or https, a host, and a path or
// none, without a slash at its end. Credentials in it are refused, since
// process listings show them, and so are queries, which could hold some; the
// error shows neither.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errors.New("the address is not a URL") // and may hold secrets
	}
	if u.User != nil {
		return nil, fmt.Errorf("the address %s has credentials in it; give them in a file or in the environment",
			address(text))
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, fmt.Errorf("the address %s has more than a path behind it", address(text))
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return nil, fmt.Errorf("the address %s is not http://HOST or https://HOST", address(text))
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimRight(u.Path, "/")}, nil
}

// origin is whom a request goes to: scheme, host and port.
type origin string

func originOf(u *url.URL) origin {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return origin(u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port))
}
