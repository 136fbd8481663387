package child

import (
	"errors"
	"os"
	"syscall"
)

// keep binds a socket that this process never closes.
func keep(port int) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return errors.Join(os.NewSyscallError("bind", err), syscall.Close(fd))
	}
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return errors.Join(os.NewSyscallError("setsockopt", err), syscall.Close(fd))
	}
	return nil
}
