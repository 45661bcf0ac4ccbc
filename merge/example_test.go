package merge_test

import (
	"context"
	"fmt"

	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/fluent/qp"
	"github.com/ipld/go-ipld-prime/linking"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/storage/memstore"

	"github.com/ipld-hamt/go-ipld-hamt/adl"
	"github.com/ipld-hamt/go-ipld-hamt/builder"
	"github.com/ipld-hamt/go-ipld-hamt/merge"
)

// newLinkSystem returns a LinkSystem over memory; any other does as well.
func newLinkSystem() *linking.LinkSystem {
	lsys := cidlink.DefaultLinkSystem()
	store := &memstore.Store{Bag: map[string][]byte{}}
	lsys.SetReadStorage(store)
	lsys.SetWriteStorage(store)
	return &lsys
}

// with returns a map with some keys set, or deleted where the value is nil.
func with(m *adl.Node, values map[string]datamodel.Node) *adl.Node {
	ctx := context.Background()
	txn, err := builder.NewTxn(m)
	if err != nil {
		panic(err)
	}
	for key, value := range values {
		if value == nil {
			_, err = txn.DeleteString(ctx, key)
		} else {
			err = txn.SetString(key, value)
		}
		if err != nil {
			panic(err)
		}
	}
	next, _, err := txn.Commit(ctx)
	if err != nil {
		panic(err)
	}
	return next
}

// reading is a temperature, and when it was written.
func reading(celsius int64, at string) datamodel.Node {
	node, err := qp.BuildMap(basicnode.Prototype.Any, 2, func(m datamodel.MapAssembler) {
		qp.MapEntry(m, "celsius", qp.Int(celsius))
		qp.MapEntry(m, "at", qp.String(at))
	})
	if err != nil {
		panic(err)
	}
	return node
}

// Two colleagues have corrected one data set, and one station twice: the later correction
// counts.
func ExampleThreeWay() {
	ctx := context.Background()
	empty, err := qp.BuildMap(builder.Prototype{LinkSystem: newLinkSystem()}, 0, func(datamodel.MapAssembler) {})
	if err != nil {
		panic(err)
	}
	stations := map[string]datamodel.Node{}
	for i := range 1000 {
		stations[fmt.Sprint("station ", i)] = reading(20, "2026-01-01T00:00:00Z")
	}
	base := with(empty.(*adl.Node), stations)
	ours := with(base, map[string]datamodel.Node{
		"station 7": reading(21, "2026-02-01T00:00:00Z"),
		"station 8": reading(21, "2026-02-01T00:00:00Z"),
	})
	theirs := with(base, map[string]datamodel.Node{
		"station 8": reading(18, "2026-02-02T00:00:00Z"),
		"station 9": nil,
	})

	merged, _, report, err := merge.ThreeWay(ctx, base, ours, theirs, merge.Options{Resolve: merge.LastWriter("at")})
	if err != nil {
		panic(err)
	}
	fmt.Println(report.Conflicts, "conflict")
	for _, key := range []string{"station 7", "station 8", "station 9"} {
		value, err := merged.GetString(ctx, key)
		if err != nil {
			fmt.Println(key, "is not there")
			continue
		}
		celsius, err := value.LookupByString("celsius")
		if err != nil {
			panic(err)
		}
		fmt.Println(key)
		fmt.Println(celsius.AsInt())
	}
	// Output:
	// 1 conflict
	// station 7
	// 21 <nil>
	// station 8
	// 18 <nil>
	// station 9 is not there
}

// Parts of a map that were built apart, on several machines say, make the one that was
// built at once.
func ExampleJoin() {
	ctx := context.Background()
	lsys := newLinkSystem()
	build := func(from, end int) *adl.Node {
		m, err := qp.BuildMap(builder.Prototype{LinkSystem: lsys}, -1, func(m datamodel.MapAssembler) {
			for i := from; i < end; i++ {
				qp.MapEntry(m, fmt.Sprint("station ", i), qp.Int(20))
			}
		})
		if err != nil {
			panic(err)
		}
		return m.(*adl.Node)
	}
	_, root, _, err := merge.Join(ctx, []*adl.Node{build(0, 300), build(300, 800), build(800, 1000)}, merge.Options{})
	if err != nil {
		panic(err)
	}
	whole, err := build(0, 1000).Link()
	fmt.Println(root == whole, err)
	// Output: true <nil>
}
