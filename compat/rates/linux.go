//go:build linux

package rates

import "syscall"

// endsWithUs has the kernel end a child when the thread that started it goes.
func endsWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
