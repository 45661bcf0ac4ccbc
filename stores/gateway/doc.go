// Package gateway is [trustless gateways] as a store that can be read: HTTP
// servers, public or one's own (Kubo has one), that serve blocks by their CID.
// Nothing they say is believed: each block is checked against its CID here.
//
// # What is asked for
//
// A block:
//
//	GET URL/ipfs/CID?format=raw
//	Accept: application/vnd.ipld.raw
//
// Whether there is one, with HEAD instead of GET; gateways that do not know
// HEAD are asked for the block. Blocks that stand in their own CID (the identity
// hash) are never asked for.
//
// All blocks below a root, by [Store.Tree], which also says what that means for
// values that a map links to:
//
//	GET URL/ipfs/CID?format=car&dag-scope=all
//	Accept: application/vnd.ipld.car; version=1; order=dfs; dups=n
//
// Package transfer asks for that where it copies into a new store: for all below
// the root with values, else for some parts of the map at the same time, each of
// which it ends before it would bring what a value links to. For 41,700 blocks
// from a gateway that takes 50 ms for each request, that is 4 s and 17 requests;
// one by one, 64 at a time, they take 35 s. Whoever reads a map, or exports it,
// asks for single blocks: they come in the order in which they are wanted, and
// those that are in a cache are not asked for.
//
// Not each gateway can serve CARs: that it cannot is remembered. Redirects are
// followed; credentials (remote.Options.Credentials) go to the origin that they
// are meant for and to no other.
//
// # In which order
//
// Gateways are asked one after the other, in the order in which they were given
// to [Open], until one has the block. Two things change that order:
//
//   - A gateway that failed (no connection, no answer in time, 5xx) rests, first
//     for a second, longer with each failure in a row, at most two minutes. In
//     that time the others come first. After it, one request tries it first
//     again. So a gateway that never answers costs the time limit of a few
//     requests, and not of each.
//   - A gateway that gave wrong bytes comes last from then on, and Warn is told
//     so once. It is not asked for trees any more.
//
// When all have been asked, and one of them failed in a way that may pass, there
// is a wait, as package remote describes, and a next round, of those that may
// have another answer then: not of one that does not have the block, or that gave
// the wrong bytes. A gateway that says when to come back (Retry-After) is left
// alone until then by all requests, while the others are asked.
//
// # Errors
//
// Each is one line that says what was asked for and names each gateway with what
// went wrong there.
//
//   - stores.IsNotFound: all gateways said that they do not have it (404), or
//     do not serve it to anybody (410, 451). One that failed instead may have it,
//     so that this is no NotFound.
//   - stores.ErrWrongBytes: a gateway gave something else, and no other gave the
//     block. The bytes go nowhere.
//   - *remote.StatusError: any other status.
//   - context.DeadlineExceeded, context.Canceled: those of the caller only. A
//     gateway that does not answer in time is not one.
//   - ErrNoCAR, from Tree.
//
// # Limits
//
// A block may have 16 MiB ([stores.MaxBlockBytes]). No more is read of an answer, and
// memory is taken as its bytes arrive, whatever length it claims; more is an
// error, and a failure of the gateway. One that sends nonsense without end can so
// have us take up to 48 MiB for each request in flight, until others are asked
// first. A tree may have [MaxTreeBlocks]. Requests in flight, the time for each
// and how often it is sent again are those of remote.Options, for all gateways
// together.
//
// Equal requests at the same time are all sent: the library, which loads each
// block once however many ask for it, has seen to that before.
//
// [trustless gateways]: https://specs.ipfs.tech/http-gateways/trustless-gateway/
package gateway
