package hamt

import "github.com/ipld-hamt/go-ipld-hamt/builder"

// Prototype builds maps: a datamodel.NodePrototype that needs the LinkSystem
// into which the map's blocks go. It is [builder.Prototype], under the name
// that it has in go-ipld-adl-hamt.
type Prototype = builder.Prototype
