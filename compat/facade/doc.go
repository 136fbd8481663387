// Package facade stands before Bank and BK and speaks Bank's API: on a listener for each of Bank's two, and on one of its own for those who run it. Who
// answers and who follows is the mode (package mode), one table {primary, secondary}, switched at run time.
//
// # What a call does
//
//   - A read goes to the primary: through the proxy to Bank, or to BK's books (package books). It never waits, but for a renewal of ids. A share
//     may be compared (package sample).
//   - A write takes a ticket first and goes by the ticket's mode:
//     bank-only: the proxy. bk-primary and bk-only: BK's books; BK's journal is what the feed (package feed) brings to Bank, and in bk-only
//     keeps for it. bank-primary-bk-secondary: the intent is written and the accounts are held (package queue), then the proxy, then the
//     outcome is queued, then the client gets Bank's answer as it was (shadow.go).
//   - Uploads are Bank's in bank-only; otherwise the façade works them off, each row by the way that a client's call goes. No step is made while one runs. A file is
//     taken in whole before it takes a ticket, and one that the façade has worked off is file_exists in bank-only, too. One that goes to Bank is noted before Bank gets
//     it; a step asks Bank for those that are noted, and forgets those that Bank does not have.
//   - A roll may take minutes: it has a time-out of its own, and no step holds writes while one is under way.
//
// # Steps
//
//   - A step back to bank-only waits until no call's outcome is unknown: what follow brings comes behind it.
//   - A step back from BK to Bank waits until Bank is near. BK takes writes faster than Bank repeats them, so at full load it would never be: writes are braked meanwhile, on
//     all replicas, by 10 ms more every quarter of a second up to half a second each, until the backlog becomes short in time (near.go).
//   - POST /replay under an id that BK could come to itself: ids go on behind it first, in a new epoch of the same mode, with writes held as in any step. It is made
//     before the call takes its ticket, and a thousand ids ahead, so that a row of them is not a row of epochs (renew.go).
//   - The kill switch asks nobody. With Kafka, what Bank does from shortly before it on comes over the stream, calls that were under way included; without,
//     there is no step forward after it (kill.go).
//
// # The proxy
//
// Method, path and query as they were written, headers, body, Host; answers with status, headers, body and trailers, streamed, and 1xx before them. It adds no
// header: no X-Forwarded-For, no User-Agent, no Accept-Encoding; and none to an answer: no Date, no Content-Type. What can't be kept is what Go's HTTP
// library does not tell: a status line's own reason phrase, the order and capitals of headers. Hop-by-hop headers are each hop's own.
//
// # Failure by failure
//
//   - Bank does not answer: internal if it can't have seen the call, outcome_unknown for a write that it may have.
//   - Bank's answer breaks off: so does the client's. Where the façade has to have the whole answer first (writes of bank-primary-bk-secondary, uploads), it is
//     one that did not come, and the queue finds out what became of the call.
//   - A client goes away in the middle of a write of a dual mode: the call goes on to its end, so that its outcome is known.
//   - BK is away: in bank-only and bank-primary nobody notices; in bk-primary and bk-only clients do.
//   - The queue is full: the kill switch leaves BK behind. Clients notice nothing.
//   - The façade's database is away: see package mode; reads go on, so no replica becomes unready (admin.go).
//   - A client's body breaks off, or can't be read: malformed_request, nobody is asked for anything.
//   - The façade is killed: intents and queue are in its database; the next replica resolves and brings them (package queue).
//   - It is told to end: open calls get the grace; then the lease is given back, and what is queued stays for the others.
//
// # Files
//
//	config.go service.go         Config, Run: the parts and their order
//	route.go proxy.go            calls by mode, the way to Bank
//	shadow.go record.go          writes of bank-primary-bk-secondary
//	uploads.go spool.go          files
//	steps.go near.go             what a step from mode to mode needs
//	renew.go kill.go             ids that go on elsewhere, the kill switch
//	sampling.go                  comparing reads
//	admin.go status.go metrics.go status.html   the listener for those who run it
package facade
