package remote

import (
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func credentialsFile(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestReadCredentials(t *testing.T) {
	credentials, err := ReadCredentials(credentialsFile(t, `
# of the company
https://Gateway.example/  basic   me:pass: word
http://127.0.0.1:5001 bearer abc
https://gateway.example:443 header X-Key:  a: b
`, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]http.Header{
		"https://gateway.example/ipfs/x?format=raw": {"Authorization": {"Basic bWU6cGFzczogd29yZA=="}, "X-Key": {"a: b"}},
		"https://GATEWAY.example:443/":              {"Authorization": {"Basic bWU6cGFzczogd29yZA=="}, "X-Key": {"a: b"}},
		"http://127.0.0.1:5001/api":                 {"Authorization": {"Bearer abc"}},
		"http://gateway.example/":                   {},
		"https://gateway.example:444/":              {},
		"https://sub.gateway.example/":              {},
		"http://127.0.0.1:5002/":                    {},
		"https://127.0.0.1:5001/":                   {},
	} {
		request, err := http.NewRequest(http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		credentials.addTo(request)
		if len(request.Header) != len(want) {
			t.Errorf("%s got %v", address, request.Header)
		}
		for name := range want {
			if request.Header.Get(name) != want.Get(name) {
				t.Errorf("%s got %v", address, request.Header)
			}
		}
	}
}

func TestBadCredentials(t *testing.T) {
	for _, line := range []string{
		"https://x",
		"https://x basic",
		"https://x basic SECRET",
		"https://x bearer",
		"https://x bearer two SECRETs",
		"https://x bearer SECRET\x01",
		"https://x header SECRET",
		"https://x header two words: SECRET",
		"https://x digest SECRET",
		"https://x/path bearer SECRET",
		"https://me:SECRET@x bearer SECRET",
		"SECRET",
		"x bearer SECRET",
	} {
		file := credentialsFile(t, "# first\n"+line+"\n", 0o600)
		_, err := ReadCredentials(file)
		if err == nil || !strings.Contains(err.Error(), file+", line 2: ") || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", line, err)
		}
	}
	if _, err := ReadCredentials(filepath.Join(t.TempDir(), "absent")); !os.IsNotExist(unwrapped(err)) {
		t.Errorf("%v", err)
	}
}

func unwrapped(err error) error {
	if e, ok := err.(interface{ Unwrap() error }); ok {
		return e.Unwrap()
	}
	return err
}

func TestCredentialsOthersCanRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a mode does not say there who can read a file")
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o644, 0o660} {
		file := credentialsFile(t, "https://x bearer SECRET\n", 0o600)
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadCredentials(file); err == nil || !strings.Contains(err.Error(), "make it 600") {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

func TestParseURL(t *testing.T) {
	for text, want := range map[string]string{
		"http://127.0.0.1:8080":     "http://127.0.0.1:8080",
		"https://ipfs.example/":     "https://ipfs.example",
		"HTTPS://ipfs.example/a/b/": "https://ipfs.example/a/b",
		"http://[::1]:5001":         "http://[::1]:5001",
	} {
		if u, err := ParseURL(text); err != nil || u.String() != want {
			t.Errorf("%s: %v, %v", text, u, err)
		}
	}
	for _, text := range []string{
		"", "127.0.0.1:8080", "/ip4/127.0.0.1/tcp/5001", "ftp://x", "http://", "http:///path", "http://x:port",
		"http://me:SECRET@x", "http://SECRET@x", "http://x?key=SECRET", "http://x?", "http://x#SECRET", "http://me:SECRET@x:port",
	} {
		if u, err := ParseURL(text); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v, %v", text, u, err)
		}
	}
}
