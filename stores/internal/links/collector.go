package links

import (
	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/ipld-hamt/go-ipld-hamt/stores"
)

// collector is what a decoder assembles a value into of which only the links are
// wanted: as a datamodel.NodeAssembler, and as that of all maps and lists in it. A
// block takes up to 80 times its size in memory when nodes are made of it.
type collector struct{ add func(c cid.Cid) }

func (c collector) BeginMap(int64) (datamodel.MapAssembler, error) { return inMap{c}, nil }

func (c collector) BeginList(int64) (datamodel.ListAssembler, error) { return inList{c}, nil }

func (c collector) AssignLink(link datamodel.Link) error {
	to, err := stores.CIDOf(link)
	if err == nil {
		c.add(to)
	}
	return err
}

func (collector) AssignNull() error                   { return nil }
func (collector) AssignBool(bool) error               { return nil }
func (collector) AssignInt(int64) error               { return nil }
func (collector) AssignFloat(float64) error           { return nil }
func (collector) AssignString(string) error           { return nil }
func (collector) AssignBytes([]byte) error            { return nil }
func (collector) Finish() error                       { return nil }
func (c collector) AssignNode(n datamodel.Node) error { return datamodel.Copy(n, c) }

func (collector) Prototype() datamodel.NodePrototype    { return basicnode.Prototype.Any }
func (collector) KeyPrototype() datamodel.NodePrototype { return basicnode.Prototype.String }

type inList struct{ collector }

func (l inList) AssembleValue() datamodel.NodeAssembler     { return l.collector }
func (inList) ValuePrototype(int64) datamodel.NodePrototype { return basicnode.Prototype.Any }

type inMap struct{ collector }

func (m inMap) AssembleKey() datamodel.NodeAssembler                  { return m.collector }
func (m inMap) AssembleValue() datamodel.NodeAssembler                { return m.collector }
func (m inMap) AssembleEntry(string) (datamodel.NodeAssembler, error) { return m.collector, nil }
func (inMap) ValuePrototype(string) datamodel.NodePrototype           { return basicnode.Prototype.Any }
