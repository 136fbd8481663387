// Package facade stands before Bank and BK and speaks Bank's API: on a listener for each of Bank's two, and on one of its own for those who run it. Who
// answers and who follows is the mode (package mode), one table {primary, secondary}, switched at run time.
//
// # What a call does
//
//   - A read goes to the primary: through the proxy to Bank, or to BK's books (package books). It never waits. A share
//     may be compared (package sample).
//   - A write's body is taken in first, whole (intake.go): in memory up to 64 KiB, in a file up to the contract's limit. A client that stalls in it has no ticket, and holds up nobody.
//   - A write then takes a ticket and goes by the ticket's mode:
//     bank-only: the proxy. bk-primary and bk-only: BK's books; BK's journal is what the feed (package feed) brings to Bank, and in bk-only
//     keeps for it. bank-primary-bk-secondary: the intent is written and the accounts are held (package queue), then the proxy, then the
//     outcome is queued, then the client gets Bank's answer as it was (bankfirst.go).
//   - Uploads are Bank's in bank-only; otherwise the façade works them off, each row by the way that a client's call goes. No step is made while one runs. A file is
//     taken in whole before it takes a ticket, and one that the façade has worked off is file_exists in bank-only, too. One that goes to Bank is noted before Bank gets
//     it; a step asks Bank for those that are noted, and forgets those that Bank does not have.
//   - A roll may take minutes: it has a time-out of its own, and no step holds writes while one is under way.
//
// # Steps
//
//   - A step back to bank-only waits until no call's outcome is unknown: what follow brings comes behind it.
//
//   - A step back from BK to Bank waits until Bank is near. BK takes writes faster than Bank repeats them, so at full load it would never be: writes are braked meanwhile, on
//     all replicas, by more every quarter of a second up to half a second each, until the backlog becomes short within 15 s, or a quarter of the step's time (near.go).
//
//   - POST /replay under an id that BK could come to itself: ids go on behind it first, in a new epoch of the same mode, with writes held as in any step. It is made
//     before the call takes its ticket, and a thousand ids ahead, so that a row of them is not a row of epochs. Reads that are answered meanwhile are answered again, should
//     it have been made by then (renew.go).
//
//   - bk-only is declared final in a step that brings Bank what it lacks, for which alone it is called in bk-only; or without Bank, by somebody who names what it will never
//     get. What Bank has rejected keeps bk-primary from going on to bk-only (final.go).
//
//   - The kill switch asks nobody. With Kafka, what Bank does from shortly before it on comes over the stream, calls that were under way included; without,
//     there is no step forward after it (kill.go).
//
//   - Where the stream is to take over Bank's topics (Config.Stream), the step that makes BK the primary holds Bank's relay behind the last event of all, when everything is drained, and the
//     epoch says from which event id on the stream publishes there. The step back holds it behind the last that the stream may have given. The relay goes on when the step has
//     ended, elsewhere or as before: package bankstream/owner. No other step touches it, nor does the kill switch: it leaves the primary as it is, so the topics stay in the same
//     hands, in bk-only as in bank-only; one that comes in the middle of a step gives it up, and the relay goes on as before. In bk-only Bank does nothing and is not called, and the stream
//     has the topics.
//
// # The proxy
//
// Method, path and query as they were written, headers, body, Host; answers with status, headers, body and trailers, streamed, and 1xx before them. It adds no
// header: no X-Forwarded-For, no User-Agent, no Accept-Encoding; and none to an answer: no Date, no Content-Type. What can't be kept is what Go's HTTP
// library does not tell: a status line's own reason phrase, the order and capitals of headers. Hop-by-hop headers are each hop's own. Package upstream makes the calls, on
// the goroutine that serves the client; long bodies, streams and upgrades go by http.Transport.
//
// # Failure by failure
//
//   - Bank does not answer: internal if it can't have seen the call, outcome_unknown for a write that it may have.
//   - Bank's answer breaks off: so does the client's. Where the façade has to have the whole answer first (writes of bank-primary-bk-secondary, uploads), it is
//     one that did not come, and the queue finds out what became of the call.
//   - A client goes away in the middle of a write of a dual mode: the call goes on to its end, so that its outcome is known.
//   - BK is away: in bank-only and bank-primary nobody notices; in bk-primary and bk-only clients do. The status says so with the first delivery that fails: at once if
//     BK refuses the connection, after CallTimeout (10 s) if it is silent; with nothing to deliver nobody asks.
//   - Kafka has deleted what BK had not read of Bank's stream: no step forward, and the way out by POST /follow (gaps.go, package follow).
//   - The primary is away: seen within seconds whether anybody calls or not; replicas stay ready, and say that they are degraded (health.go, admin.go). BK stopped dead: writes are
//     outcome_unknown within 20 s (package books).
//   - Bank is away, and a write needs something of it first (whose trade it cancels): internal, with Bank as the reason (refused.go).
//   - The queue is full: the kill switch leaves BK behind. Clients notice nothing.
//   - The façade's database is away: see package mode; reads go on, so no replica becomes unready (admin.go).
//   - A client's body breaks off, or can't be read: the primary is sent the call's head and an end, and answers as it would have (malformed_request, unless it finds something else
//     wrong before); it can't take that for a whole call. Of a cancel or a read, which have no body, what came of it is left out. If it does not answer: malformed_request. A body that
//     comes too slowly (1 MiB in 30 s, a file's in 1 min): malformed_request at once, and its room goes to others.
//   - A body that says it is above the limit: its head goes on, to be refused, and nothing of it is waited for.
//   - A row of an upload never goes through: it holds up its file, those behind it, and every step; it is seen (status, metrics, GET /uploads), and can be given
//     up (held.go, package upload).
//   - The façade is killed: intents and queue are in its database; the next replica resolves and brings them (package queue).
//   - It is told to end: open calls get the grace; then the lease is given back, and what is queued stays for the others.
//
// # Files
//
//	config.go service.go         Config, Run: the parts and their order
//	route.go proxy.go            calls by mode, the way to Bank
//	intake.go                    bodies, before anything is done
//	bankfirst.go record.go       writes of bank-primary-bk-secondary
//	uploads.go spool.go held.go  files
//	steps.go near.go             what a step from mode to mode needs
//	relay.go                     Bank's topics change hands
//	final.go                     bk-only declared final, with Bank or without
//	health.go                    whether the primary is there
//	refused.go                   writes that are sent to nobody
//	renew.go kill.go gaps.go     ids that go on elsewhere, the kill switch, what Kafka has deleted
//	atonce.go                    BK as the queue's worker calls it
//	view.go                      BK in Bank's API for reading alone, in every mode: hotswap compare
//	sampling.go                  comparing reads
//	admin.go status.go metrics.go status.html   the listener for those who run it
package facade
