// Package car holds this library against go-car, and against LinkSystems with
// the habits of graphsync and of trustless-utils: traversals through maps load
// what they load without this library, in that order and one block at a time,
// so that what is wrapped around them works. It is a module of its own, and has
// nothing but tests.
package car
