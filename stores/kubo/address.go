package kubo

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// defaultAPI is where Kubo listens unless it was told otherwise.
const defaultAPI = "http://127.0.0.1:5001"

// parseAddress returns the URL of an API: of a URL, of a multiaddr, or where there
// is none of the local node.
func parseAddress(address string) (*url.URL, error) {
	if address == "" {
		return localAddress()
	}
	if strings.HasPrefix(address, "/") {
		multi, err := multiaddr.NewMultiaddr(address)
		if err != nil {
			return nil, err
		}
		return fromMultiaddr(multi)
	}
	return remote.ParseURL(address)
}

// localAddress is what Kubo's own client takes: the address that a running
// daemon has left in its repository.
func localAddress() (*url.URL, error) {
	at, err := repositoryAddress()
	if errors.Is(err, fs.ErrNotExist) {
		return remote.ParseURL(defaultAPI)
	}
	if err != nil {
		return nil, fmt.Errorf("the address of the local Kubo node: %w", err)
	}
	return at, nil
}

func repositoryAddress() (*url.URL, error) {
	repository, err := repositoryPath()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(repository, "api"))
	if err != nil {
		return nil, err
	}
	multi, err := multiaddr.NewMultiaddr(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, err
	}
	return fromMultiaddr(multi)
}

// repositoryPath returns $IPFS_PATH, which may begin with ~ as it may for Kubo,
// else ~/.ipfs.
func repositoryPath() (string, error) {
	path := os.Getenv("IPFS_PATH")
	if path == "" {
		path = "~/.ipfs"
	}
	below, found := strings.CutPrefix(path, "~")
	if !found {
		return path, nil
	}
	if below != "" && below[0] != '/' && below[0] != '\\' {
		return "", fmt.Errorf("%s is in the home directory of somebody else", path)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, below), nil
}

func fromMultiaddr(multi multiaddr.Multiaddr) (*url.URL, error) {
	network, address, err := manet.DialArgs(multi)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(network, "tcp") {
		return nil, fmt.Errorf("%s: the API has to be on TCP", multi)
	}
	scheme := "http"
	secure := func(p multiaddr.Protocol) bool { return p.Code == multiaddr.P_HTTPS || p.Code == multiaddr.P_TLS }
	if slices.ContainsFunc(multi.Protocols(), secure) {
		scheme = "https"
	}
	return remote.ParseURL(scheme + "://" + address)
}
