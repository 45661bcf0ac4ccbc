// Package car reads and writes CAR files: blocks one after the other, under a
// header that names the roots.
package car

import carv2 "github.com/ipld/go-car/v2"

// Limits are the bounds on what a CAR may make us allocate: a header of a
// MiB, and sections that hold the largest block the library reads.
func Limits() []carv2.Option {
	return []carv2.Option{carv2.MaxAllowedHeaderSize(1 << 20), carv2.MaxAllowedSectionSize(maxSection)}
}

const maxSection = 17 << 20
