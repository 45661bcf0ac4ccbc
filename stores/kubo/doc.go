// Package kubo is an IPFS node as a store, over the RPC API of Kubo, which other
// nodes have too. What the node lacks it fetches from its peers, so that one
// node reads what was put into another.
//
// # Writing
//
// Blocks are collected and sent as CARs, a batch at a time, a few batches at
// once (dag/import). The node takes the blocks of a CAR in no order of ours, and
// writes some of them before others: until Publish has returned, a block that is
// there says nothing about the blocks below it. So the order of batches does not
// matter either, and whoever asks a node what it lacks has to ask for each block.
// Publish returns when the node has acknowledged every batch, each with the
// number of blocks and of bytes that were sent; before that nobody hears of a
// root. A batch that fails is sent again as a whole. What fails for good is the
// error of every Put and Publish from then on; doing it all again, with another
// Store, finishes the work.
//
// What the node has acknowledged survives its being killed. Whether it survives
// a loss of power is for the node's datastore to say: Kubo's default does not
// sync. A node that collects garbage (Kubo does when told so) drops what is not
// pinned, also what a build has just put.
//
// # Pins
//
// Names are those of the node's recursive pins: "ipfs pin ls --names" shows them.
// A recursive pin keeps the whole map, and goes on from there: where values are
// links, it takes in whatever they link to, and so on down. The node fetches
// what it does not have of that, however much it is, and where nobody has it, the
// pin ends in an error after Options.Remote.Timeout without progress. Kubo has no
// pin of a map's own blocks alone, short of one direct pin for each of them. A
// map of links to what is not to be pinned has to go without pin and name, to a
// node that collects no garbage.
//
// A node holds one recursive pin for a root, with one name. So a root cannot have
// two names, and one that is pinned under another name keeps it.
//
// Names are for one process at a time: the node cannot compare and swap, so
// MoveName looks first and pins then.
package kubo
