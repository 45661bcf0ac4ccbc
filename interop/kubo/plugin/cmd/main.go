// The ipfs command, Kubo's, with package plugin in it.
package main

import (
	"os"

	"github.com/ipfs/kubo/cmd/ipfs/kubo"
	"github.com/ipfs/kubo/plugin/loader"

	"github.com/ipld-hamt/go-ipld-hamt/interop/kubo/plugin"
)

func main() {
	os.Exit(kubo.Start(kubo.BuildEnv(func(plugins *loader.PluginLoader) error {
		return plugins.Load(new(plugin.Plugin))
	})))
}
