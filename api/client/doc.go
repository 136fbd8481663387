// Package client is what programs need to call a BK server: one connection pool for all services of bk.v1, and what an error means.
//
// # Invariants
//
//   - It never retries. [Retryable] tells what may be sent again as it is; a booking keeps its key.
//   - [Describe] gives one line for a person; [Detail] and [Reason] what the server said.
//
// # File map
//
//	client.go   the connection and the services
//	errors.go   reasons, what may be retried, errors in words
package client
