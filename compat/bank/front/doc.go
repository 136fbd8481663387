// Package front serves Bank's API over HTTP on top of a [Ledger]: routes, keys, limits, pages and errors are here, once; the books are behind it. The
// reference Bank and BK's books are its two ledgers.
//
// Handler.API has the routes of clients, Handler.Operations those of the firm's own operations, for a listener of their own. [Server] makes a server that
// speaks HTTP/1.1 and HTTP/2 without TLS (prior knowledge).
//
// # A call
//
// The checks come in the order of the contract's table: key, route, method, size, then the request itself; then the ledger is asked. A body is read whole
// before anything of it is judged, but for a file, which goes on to [Uploads] as it comes in. An answer is encoded whole before its status is sent, so
// that a call is answered once and rightly, or not at all.
//
// Paths are taken as they are, segment by segment: no cleaning, no redirects, and %2F does not part segments, so that symbols and clients' ids may have any
// character. That is why http.ServeMux, which cleans and redirects, is not used. HEAD is GET without its body.
//
// # Pages
//
// Lists are walked by key, never by offset: a token is the last row's id or symbol, behind a mark of the list (route, account, filters) that it was made
// for; on any other it is malformed_request. It holds no secret and no state, so that it survives restarts, and a switch of the system behind
// the same front. A walk over the trades of the current business date has that date in its tokens: rolls do not move it to another day on its way.
//
// # Failure by failure
//
//   - A ledger gives an error that is no *bank.Error, or panics: logged with its cause, answered `internal` without it.
//   - A call takes longer than Config.Timeout (a write: Config.LongTimeout, since it may wait for a roll), or its client leaves: the ledger's context ends; it answers outcome_unknown if it may have booked.
//   - A client sends slowly, or reads slowly: Server's timeouts end the connection. One that sends a file more slowly than Config.Pace: malformed_request.
//   - A client breaks off in a body: malformed_request, and nothing was asked of the ledger.
//
// # Files
//
//   - ledger.go: what a ledger has to do
//   - front.go: Config, Handler, Server; route.go: paths and methods; call.go: the way of a call; page.go: pages and tokens
//   - trades.go, reads.go, operations.go, files.go: the endpoints
package front
