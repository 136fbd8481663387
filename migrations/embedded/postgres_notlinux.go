//go:build unix && !linux

package embedded

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

func bindToParent(cmd *exec.Cmd, _ syscall.Signal) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid = true
}

func watchParent(pid int, sig syscall.Signal) (release func(), err error) {
	return watchByPipe(pid, sig)
}

// serverOn reports whether process pid is a server on the folder data, by its
// command line: we always give the folder with -D.
func serverOn(pid int, data string) bool {
	out, err := exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return false
	}
	program, args, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	return filepath.Base(program) == "postgres" && strings.Contains(" "+args+" ", " -D "+data+" ")
}

// Only Linux has capabilities to lend.
func searchCapability() (uintptr, bool)               { return 0, false }
func setCapability(_ *syscall.SysProcAttr, _ uintptr) {}
