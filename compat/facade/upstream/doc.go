// Package upstream makes HTTP/1.1 calls on the goroutine of the caller: it writes the request and reads the answer itself, on a connection from a pool.
// [http.Transport] has two goroutines at each connection, and hands every call over to them and back; on processors that sleep between calls that is most of
// what a proxy adds. What a request and an answer look like is the standard library's business here as well: [http.Request.Write] and [http.ReadResponse].
//
// # What it does itself, and what not
//
// Calls without a body or with one of known length up to 64 KiB, over plain HTTP/1.1. Everything else goes by the http.Transport behind it: longer bodies and
// streams (the answer may come before their end), Upgrade, "100-continue", https.
//
// # Invariants
//
//   - A request is written in one piece, after its body is there whole: one that breaks off has no call.
//   - A connection is used again only where an answer was read to its end, said nothing of closing, and nothing came behind it; and it is looked at just before
//     the next request: one that has ended, or that something has come on meanwhile, is closed.
//   - A call is made a second time only if nothing of the first can have been done: not a byte of it could be written; or it is a GET, HEAD, OPTIONS or TRACE, and a used
//     connection ended without a byte of an answer. So nothing that changes something is sent twice.
//   - Answers stream: what has come is given to the reader at once.
//
// # Failure by failure
//
//   - The server can't be reached: [NotSent] is true of the error. So it is where the request's own body can't be read ([BodyError]).
//   - The request's body has broken off before ([Broken]): its head is sent, and the connection ends for our part; the server says what it thinks of that.
//   - It closes, or breaks off, before an answer's header is whole: an error, of which NotSent is false. Later: reading the body fails.
//   - It answers before it has read the request, and closes: its answer is given.
//   - The request's context ends: the connection is closed, and the context's cause is the error.
//   - The header of an answer is above 1 MiB: an error. Answers with 1xx before it count as part of it.
//   - 101 that nobody asked for: an error.
//   - Many calls at once: each has a connection. At most MaxIdle stay open behind them, for IdleTimeout.
//
// # Files
//
//	transport.go  Transport, one call
//	broken.go     one whose body broke off
//	conn.go       a connection: request, answer, end
//	pool.go       connections that wait
//	quiet_*.go    the look at one that has waited
package upstream
