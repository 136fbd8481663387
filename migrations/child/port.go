package child

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// FreePort looks for a port on 127.0.0.1 for a child that is started again and again on it. It lies below the ephemeral range (from 32768
// on Linux): a client that dials a dead child's port can't be given that very port as its own, which would connect it to itself, and no
// other client holds it.
func FreePort() (int, error) {
	var err error
	for range 100 {
		port := 20000 + rand.IntN(12000)
		var ln net.Listener
		if ln, err = net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return port, ln.Close()
		}
	}
	return 0, fmt.Errorf("no free port between 20000 and 32000: %w", err)
}
