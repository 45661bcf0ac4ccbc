// Package plugin lets a Kubo node see through HAMTs: a path goes on with a key
// where a plain IPLD map would be. cmd is Kubo with the plugin.
//
//	ipfs resolve /ipld/ROOT/Rabbit       the block that holds the value, and the way to it there
//	ipfs dag get ROOT/Rabbit/0/line      the value
//	ipfs cat /ipfs/ROOT/dir/hello.txt    a file in a UnixFS directory that a value links to
//
// Pins, and what is provided of them, are what they are without it, since both
// go by blocks: neither is given what this package makes of them.
package plugin

import (
	"fmt"

	"github.com/ipfs-shipyard/nopfs"
	nopfsipfs "github.com/ipfs-shipyard/nopfs/ipfs"
	"github.com/ipfs/boxo/fetcher"
	bsfetcher "github.com/ipfs/boxo/fetcher/impl/blockservice"
	"github.com/ipfs/boxo/path/resolver"
	"github.com/ipfs/kubo/core"
	"github.com/ipfs/kubo/core/node"
	"github.com/ipfs/kubo/plugin"
	"go.uber.org/fx"

	"github.com/ipld-hamt/go-ipld-hamt/interop/boxo"
)

// Plugin is the plugin. Its zero value is ready to be loaded, once.
type Plugin struct {
	blocker *nopfs.Blocker // nil where content blocking is off
}

var (
	_ plugin.PluginFx             = (*Plugin)(nil)
	_ plugin.PluginDaemonInternal = (*Plugin)(nil)
)

// Name implements [plugin.Plugin].
func (*Plugin) Name() string { return "ipld-hamt" }

// Version implements [plugin.Plugin].
func (*Plugin) Version() string { return "0.1.0" }

// Init implements [plugin.Plugin].
func (*Plugin) Init(*plugin.Environment) error { return nil }

// Options implements [plugin.PluginFx]: the fetchers that paths are resolved
// with load HAMTs as maps, so links in them are followed, in every command.
//
// The offline fetchers stay as they are. Kubo walks with them what is pinned, or
// in MFS, to provide it; a HAMT that is one map has no blocks below its root
// that a walk would see, and they would not be provided.
func (p *Plugin) Options(info core.FXNodeInfo) ([]fx.Option, error) {
	return append(info.FXOptions, fx.Decorate(seeing), fx.Invoke(p.take)), nil
}

// fetchers are the ones that are replaced.
type fetchers struct {
	fx.Out
	IPLD   fetcher.Factory `name:"ipldFetcher"`
	UnixFS fetcher.Factory `name:"unixfsFetcher"`
}

func seeing(in node.FetchersIn) (out fetchers, err error) {
	if out.IPLD, err = through(in.IPLDFetcher); err == nil {
		out.UnixFS, err = through(in.UnixfsFetcher)
	}
	return out, err
}

func through(factory fetcher.Factory) (fetcher.Factory, error) {
	config, ok := factory.(bsfetcher.FetcherConfig)
	if !ok {
		return nil, fmt.Errorf("ipld-hamt: a fetcher is a %T, which this plugin does not know", factory)
	}
	return boxo.Fetcher(config), nil
}

type blocking struct {
	fx.In
	Blocker *nopfs.Blocker `optional:"true"`
}

func (p *Plugin) take(in blocking) { p.blocker = in.Blocker }

// Start implements [plugin.PluginDaemonInternal]: the resolvers of the node find
// values that have no block of their own. Those that work without the network
// get fetchers of their own.
func (p *Plugin) Start(n *core.IpfsNode) error {
	n.IPLDPathResolver = &boxo.Resolver{Resolver: n.IPLDPathResolver, Fetcher: n.IPLDFetcherFactory}
	n.UnixFSPathResolver = &boxo.Resolver{Resolver: n.UnixFSPathResolver, Fetcher: n.UnixFSFetcherFactory}
	var err error
	if n.OfflineIPLDPathResolver, err = p.offline(n.OfflineIPLDFetcherFactory); err == nil {
		n.OfflineUnixFSPathResolver, err = p.offline(n.OfflineUnixFSFetcherFactory)
	}
	return err
}

// offline returns a resolver with a fetcher that sees through HAMTs, and with
// the content blocking of the one that it replaces.
func (p *Plugin) offline(factory fetcher.Factory) (resolver.Resolver, error) {
	fetchers, err := through(factory)
	if err != nil {
		return nil, err
	}
	links := resolver.NewBasicResolver(fetchers)
	if p.blocker != nil {
		links = nopfsipfs.WrapResolver(links, p.blocker)
	}
	return &boxo.Resolver{Resolver: links, Fetcher: fetchers}, nil
}
