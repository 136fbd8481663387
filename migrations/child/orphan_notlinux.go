//go:build !linux

package child

import (
	"os/exec"
	"syscall"
)

// dieWithParent keeps the terminal's interrupts from the child; when this process is killed, it stays behind.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}
