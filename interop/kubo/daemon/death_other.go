//go:build !linux

package daemon

import "os/exec"

// dieWithParent does nothing: the system cannot be asked for it.
func dieWithParent(*exec.Cmd) {}
