package child

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
)

const lowestPort, highestPort = 12_000, 31_999

// FreePort finds a port on 127.0.0.1 for a server that is started on it, perhaps again and again, here or in a child, and keeps it from everybody else who looks for
// one in this way until this process ends.
//
// It lies below the ephemeral range (from 32768 on Linux): a client that dials a dead server's port can't be given that very port as its own, which would connect it to
// itself, and no other client holds it.
//
// On Linux what keeps it is a socket that is bound and never listens. It allows its address to be used again, as the sockets of servers do (Go's, Postgres's, Java's):
// these may listen there. The search binds without allowing that, so it finds neither a port that somebody listens on nor one that is kept. Elsewhere nothing keeps it.
func FreePort() (int, error) {
	var last error
	for range 100 {
		port := lowestPort + rand.IntN(highestPort-lowestPort+1)
		if last = keep(port); last == nil {
			return port, nil
		}
		if !errors.Is(last, syscall.EADDRINUSE) {
			break
		}
	}
	return 0, fmt.Errorf("find a free port between %d and %d: %w", lowestPort, highestPort, last)
}
