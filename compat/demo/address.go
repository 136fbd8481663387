package demo

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Free ports are looked for below the range that systems take ports of outgoing connections from: a client that comes back in a loop while its server is not there
// could otherwise be given its very port.
const lowestPort, highestPort = 15_000, 31_999

// freeAddress gives an address that nobody listens at.
func freeAddress() (string, error) {
	var last error
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(lowestPort+rand.IntN(highestPort-lowestPort+1)))
		l, err := net.Listen("tcp4", address)
		if err == nil {
			return address, l.Close()
		}
		last = err
	}
	return "", fmt.Errorf("find a free port: %w", last)
}
