package peer

import (
	"bytes"
	"context"
	"io"

	"github.com/ipfs/go-cid"

	"github.com/ipld-hamt/go-ipld-hamt/bench/workload"
	"github.com/ipld-hamt/go-ipld-hamt/proof"
)

var (
	_ Prover   = ourMap{}
	_ Verifier = Ours{}
)

func bytesOf(keys []string) [][]byte {
	raw := make([][]byte, len(keys))
	for i, key := range keys {
		raw[i] = []byte(key)
	}
	return raw
}

func changesOf(sets []workload.Entry) []proof.Change {
	changes := make([]proof.Change, len(sets))
	for i, e := range sets {
		changes[i] = proof.Change{Key: e.Bytes, Value: e.Raw}
	}
	return changes
}

func (m ourMap) Prove(ctx context.Context, w io.Writer, keys []string) error {
	return proof.Write(ctx, w, m.node, bytesOf(keys)...)
}

func (m ourMap) ProveSets(ctx context.Context, w io.Writer, sets []workload.Entry) (cid.Cid, error) {
	return proof.WriteChange(ctx, w, m.node, changesOf(sets))
}

func (Ours) Check(car []byte, root cid.Cid, keys []string) error {
	results, err := proof.Check(bytes.NewReader(car), root, bytesOf(keys)...)
	if err != nil {
		return err
	}
	for _, r := range results {
		if !r.Present() {
			return errWrongAnswer
		}
	}
	return nil
}

func (Ours) CheckSets(car []byte, from, to cid.Cid, sets []workload.Entry) error {
	return proof.CheckChange(bytes.NewReader(car), from, to, changesOf(sets))
}
