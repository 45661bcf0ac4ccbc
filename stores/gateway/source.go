package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
	"github.com/ipld-hamt/go-ipld-hamt/stores/remote"
)

// source is one gateway.
type source struct {
	name   string // for people
	base   *url.URL
	client *remote.Client
	health health
}

// format is how something is asked for: gateways in the wild differ in which of
// the two they look at.
type format struct{ query, accept string }

var (
	rawBlock = format{"format=raw", "application/vnd.ipld.raw"}
	wholeCAR = format{"format=car&dag-scope=all", "application/vnd.ipld.car; version=1; order=dfs; dups=n"}
)

// send asks for something and returns the answer, whose status was looked at.
func (g *source) send(ctx context.Context, method string, c cid.Cid, f format) (*http.Response, error) {
	at := url.URL{Scheme: g.base.Scheme, Host: g.base.Host, Path: g.base.Path + "/ipfs/" + c.String(), RawQuery: f.query}
	request, err := http.NewRequestWithContext(ctx, method, at.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", f.accept)
	response, err := g.client.HTTP().Do(request)
	if err != nil {
		return nil, err
	}
	if err := remote.CheckStatus(g.name, response); err != nil {
		remote.Discard(response.Body)
		return nil, err
	}
	return response, nil
}

// blame returns an error with the name of the gateway.
func (g *source) blame(err error) error {
	if err == nil || is[*remote.StatusError](err) {
		return err
	}
	if of, ok := errors.AsType[*url.Error](err); ok {
		err = of.Err // what was asked for is said elsewhere
	}
	return fmt.Errorf("%s: %w", g.name, err)
}

// block asks for a block and checks it.
func (g *source) block(ctx context.Context, c cid.Cid) (block []byte, err error) {
	err = g.client.Try(ctx, func(ctx context.Context) error {
		response, err := g.send(ctx, http.MethodGet, c, rawBlock)
		if err != nil {
			return err
		}
		defer response.Body.Close()                     // was read to its end, or is without one
		block, err = stores.ReadBlock(response.Body, 0) // the length it names is not believed
		return err
	})
	if err == nil {
		err = stores.Check(c, block)
	}
	if err != nil {
		return nil, g.blame(err)
	}
	return block, nil
}

// has asks whether a block could be had. The specification has HEAD for it;
// where that is not known, only the block itself tells.
func (g *source) has(ctx context.Context, c cid.Cid) error {
	err := g.client.Try(ctx, func(ctx context.Context) error {
		response, err := g.send(ctx, http.MethodHead, c, rawBlock)
		if err != nil {
			return err
		}
		remote.Discard(response.Body)
		return nil
	})
	err = g.blame(err)
	if status, ok := errors.AsType[*remote.StatusError](err); ok && refused(status.Code) {
		_, err = g.block(ctx, c)
	}
	return err
}

// refused reports whether a status means that a gateway does not know this way of
// asking.
func refused(code int) bool {
	switch code {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusNotAcceptable,
		http.StatusUnsupportedMediaType, http.StatusNotImplemented:
		return true
	}
	return false
}

// absent reports whether an error means that a gateway does not have what it was
// asked for, or does not serve it to anybody.
func absent(err error) bool {
	status, ok := errors.AsType[*remote.StatusError](err)
	return ok && (status.Code == http.StatusNotFound || status.Code == http.StatusGone ||
		status.Code == http.StatusUnavailableForLegalReasons)
}
