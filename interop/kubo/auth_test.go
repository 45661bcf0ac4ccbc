package kubo_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/ipld-hamt/go-ipld-hamt/interop/kubo/daemon"
	"github.com/ipld-hamt/go-ipld-hamt/stores/kubo"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// TestAuthorization: a daemon that wants credentials gets them, basic or bearer.
// Wrong ones are one error, at once, and are not in it.
func TestAuthorization(t *testing.T) {
	t.Parallel()
	scope := func(secret string) map[string]any {
		return map[string]any{"AuthSecret": secret, "AllowedPaths": []string{"/api/v0"}}
	}
	node := daemon.Start(t, daemon.Settings{"API.Authorizations": map[string]any{
		"basic":  scope("basic:hamt:open-sesame"),
		"bearer": scope("bearer:open-sesame"),
	}})
	api, err := url.Parse(node.API)
	if err != nil {
		t.Fatal(err)
	}
	with := func(add func(c *remote.Credentials) error) *kubo.Store {
		var c remote.Credentials
		if err := add(&c); err != nil {
			t.Fatal(err)
		}
		return open(t, node.API, kubo.Options{Remote: remote.Options{Credentials: &c}})
	}

	const n = 1000
	basic := with(func(c *remote.Credentials) error { return c.Basic(api, "hamt", "open-sesame") })
	bearer := with(func(c *remote.Credentials) error { return c.Bearer(api, "open-sesame") })
	c := root(t, usual.into(t, basic, n))
	holds(t, load(t, bearer.LinkSystem(), c), n)

	for name, s := range map[string]*kubo.Store{
		"none":         open(t, node.API, kubo.Options{}),
		"wrong basic":  with(func(c *remote.Credentials) error { return c.Basic(api, "hamt", "guess-sesame") }),
		"wrong bearer": with(func(c *remote.Credentials) error { return c.Bearer(api, "guess-sesame") }),
	} {
		_, err := s.Get(t.Context(), c)
		errs := map[string]error{"get": err}
		built, err := usual.tryBuild(t.Context(), s.LinkSystem(), n, nil)
		if err != nil {
			t.Fatal(err)
		}
		errs["publish"] = s.Publish(t.Context(), root(t, built))
		for what, err := range errs {
			if err == nil || strings.Count(err.Error(), node.API) != 1 || !strings.Contains(err.Error(), "403") ||
				strings.Contains(err.Error(), "sesame") || strings.Contains(err.Error(), "attempts") {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
}
