package daemon

import (
	"os/exec"
	"syscall"
)

// dieWithParent lets a process be killed when this one ends without having
// done so: a test that panics, or runs into its time limit, cleans nothing up.
func dieWithParent(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
