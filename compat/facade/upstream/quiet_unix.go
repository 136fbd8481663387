//go:build unix

package upstream

import (
	"errors"
	"net"
	"syscall"
)

// quiet reports whether nothing has happened on a connection that waits: neither its end nor bytes, which nobody has asked for.
func quiet(c net.Conn) bool {
	sys, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sys.SyscallConn()
	if err != nil {
		return false
	}
	var one [1]byte
	var found error
	err = raw.Read(func(fd uintptr) bool {
		_, found = syscall.Read(int(fd), one[:]) // does not block; a byte that it takes is of a connection that is closed
		return true
	})
	return err == nil && (errors.Is(found, syscall.EAGAIN) || errors.Is(found, syscall.EWOULDBLOCK))
}
