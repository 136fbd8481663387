//go:build !linux

package child

import (
	"fmt"
	"net"
)

// keep only looks whether the port is free.
func keep(port int) error {
	ln, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	return ln.Close()
}
