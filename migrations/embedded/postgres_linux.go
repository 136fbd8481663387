package embedded

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Linux capability numbers, from linux/capability.h.
const (
	capDACOverride   = 1
	capDACReadSearch = 2
)

func bindToParent(cmd *exec.Cmd, orphanSignal syscall.Signal) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid = true
	cmd.SysProcAttr.Pdeathsig = orphanSignal
}

// watchParent has nothing to do: the kernel watches.
func watchParent(int, syscall.Signal) (release func(), err error) { return func() {}, nil }

// serverOn reports whether process pid is a server on the folder data. A
// postmaster's working directory is its data folder; a zombie has none.
func serverOn(pid int, data string) bool {
	proc := "/proc/" + strconv.Itoa(pid)
	cwd, err := os.Readlink(proc + "/cwd")
	if err != nil || cwd != data {
		return false
	}
	cmdline, err := os.ReadFile(proc + "/cmdline")
	if err != nil {
		return false
	}
	program, _, _ := bytes.Cut(cmdline, []byte{0})
	name := filepath.Base(string(program))
	return name == "postgres" || name == "postmaster"
}

// searchCapability picks the capability that lets an unprivileged server pass
// folders closed to it: the one that only reads if we have it, else (in a
// container with the usual set) the wider one.
func searchCapability() (capability uintptr, ok bool) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, false
	}
	lines := bufio.NewScanner(bytes.NewReader(status))
	for lines.Scan() {
		mask, found := strings.CutPrefix(lines.Text(), "CapEff:")
		if !found {
			continue
		}
		held, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
		if err != nil {
			return 0, false
		}
		for _, c := range []uintptr{capDACReadSearch, capDACOverride} {
			if held&(1<<c) != 0 {
				return c, true
			}
		}
	}
	return 0, false
}

func setCapability(attr *syscall.SysProcAttr, capability uintptr) {
	attr.AmbientCaps = []uintptr{capability}
}
