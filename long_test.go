package hamt_test

import "flag"

// long asks for the long form of the tests that have one: go test . -long.
var long = flag.Bool("long", false, "run more and larger random tests")
