package hamttest

import (
	"testing"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/linking"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/traversal"
)

func LoadAny(t *testing.T, lsys *linking.LinkSystem, link datamodel.Link) datamodel.Node {
	t.Helper()
	n, err := lsys.Load(linking.LinkContext{Ctx: t.Context()}, link, basicnode.Prototype.Any)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Progress is a traversal over a LinkSystem that decodes everything as plain
// data.
func Progress(t *testing.T, lsys *linking.LinkSystem) traversal.Progress {
	t.Helper()
	return traversal.Progress{Cfg: &traversal.Config{
		Ctx: t.Context(), LinkSystem: *lsys,
		LinkTargetNodePrototypeChooser: func(datamodel.Link, linking.LinkContext) (datamodel.NodePrototype, error) {
			return basicnode.Prototype.Any, nil
		},
	}}
}
