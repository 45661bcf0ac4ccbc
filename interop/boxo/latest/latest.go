// Package latest says what the latest boxo is that package boxo works with:
// latest.work tests it with that, go.work with the one that Kubo has.
package latest

import _ "github.com/ipfs/boxo/gateway"
