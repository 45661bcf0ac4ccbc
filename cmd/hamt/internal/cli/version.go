package cli

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (a *app) versionVerb() *cobra.Command {
	return verb("", "version", "Print the version of the command", `
hamt version
hamt --version`, exactly(0), func(context.Context, []string) error { return a.printVersion() })
}

func (a *app) printVersion() error {
	version, compiler := "unknown", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version, compiler = info.Main.Version, info.GoVersion
	}
	_, err := fmt.Fprintf(a.out, "hamt %s (%s)\n", version, compiler)
	return err
}
