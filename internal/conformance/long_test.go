package conformance_test

import "flag"

// long asks for the long form of the tests that have one: go test -args -long.
var long = flag.Bool("long", false, "run more and larger random tests")
