//go:build unix

package embedded

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// watchByPipe is the portable stand-in for PR_SET_PDEATHSIG: a shell that reads
// from a pipe whose other end only this process holds, and signals pid when the
// pipe closes, which the kernel does however we end. release ends the shell
// without the signal; call it only after pid was reaped or must live on.
func watchByPipe(pid int, sig syscall.Signal) (release func(), err error) {
	read, write, err := os.Pipe() // close-on-exec: no other child holds the end that matters
	if err != nil {
		return nil, fmt.Errorf("make a pipe to watch process %d: %w", pid, err)
	}
	defer read.Close()
	watcher := exec.Command("/bin/sh", "-c", `read line; kill -"$1" "$2"`, "sh",
		strconv.Itoa(int(sig)), strconv.Itoa(pid))
	watcher.Stdin = read
	watcher.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a Ctrl-C must not end it before us
	if err := watcher.Start(); err != nil {
		write.Close()
		return nil, fmt.Errorf("start the watcher of process %d: %w", pid, err)
	}
	return func() {
		watcher.Process.Kill() // before the pipe closes, or it would signal a reused pid
		watcher.Wait()
		write.Close()
	}, nil
}
