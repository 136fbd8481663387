package child

import (
	"os/exec"
	"syscall"
)

// dieWithParent lets the kernel kill the child when this process ends, and keeps the terminal's interrupts from it: when it ends is up to
// us.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
