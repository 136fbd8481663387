// Package api serves bk.v1 (proto/): Connect, gRPC, gRPC-Web and plain HTTP with JSON, on one port.
//
// A request passes: HTTP ([NewHTTPServer]: HTTP/1.1 and HTTP/2, with TLS or without) → its decoding (codec.go) → the interceptor (intercept.go:
// deadline, the rules declared in the proto files, errors, metrics) → a handler, which lets package wire convert, calls the journal or a
// projection, and answers. Handlers hold no state; the one mechanism with an essay of its own is the booking stream (stream.go).
//
// # Invariants
//
//   - An answer to a booking is sent after the journal acknowledged it (promise P3); nothing is acknowledged here.
//   - Everything is bounded, by [Limits] and package ledger's limits: messages, batches, pages, streams, what is in flight on a
//     stream, time (promise P9). What can't be served now is refused or, on streams, not read.
//   - Every error of a procedure has a code and a bk.v1.ErrorDetail with reason, field and message (promise P10), made in one place (errors.go).
//     Clients see neither SQL nor stack traces; the log has the cause.
//   - Fields are named as the caller has them: commands[7].trade.price.
//
// # What is checked where
//
// Lengths, ranges, patterns and what is needed are declared in the proto files. Where several rules are broken, the first reason of
// [ledger.Reasons] answers, and the first field with it. Reads, definitions and a batch as a whole are checked against them before
// anything else. What declarations can't say (real days, what each type of trade needs, amounts that fit) is checked by wire and ledger
// behind them.
//
// Commands, where microseconds count, go the other way round, single ones as those of batches and streams: wire and ledger check all
// that is declared, too (a test holds them to it), and only a command that they refuse is checked against the declarations, so that
// the reason that comes first answers.
//
// # Failure by failure
//
//   - The client goes away or its deadline passes while a booking is under way: the command goes its way; outcome_unknown, and the same key tells.
//   - This process stands by, or loses its term: bookings are answered not_leader or outcome_unknown, reads go on.
//   - The queue is full: single calls and batches are refused (overloaded), streams are not read.
//   - A roll's caller goes away: the roll goes on, and asking again joins it. Nothing is remembered here.
//   - A walk over pages with a time in known_at: its tokens carry the place that the first page took it for, so that bookings in between don't move
//     the walk.
//   - A client sends and never reads: its stream stops at [Limits.StreamWindow] commands; a connection that takes no byte for
//     [Limits.WriteTimeout] is closed.
//   - The server ends: [Server.Drain] answers what is in flight on streams and ends them with unavailable.
//
// # File map
//
//	server.go http.go      configuration, wiring; the HTTP server
//	codec.go intercept.go  decoding; what is done for every call
//	validate.go errors.go  the declared rules; every error's code and detail
//	booking.go stream.go   BookingService
//	directory.go           DirectoryService
//	query.go ledgers.go    QueryService: the journal; balances and statements
//	trades.go positions.go cash.go stockrecord.go cuts.go
//	                       QueryService: the other projections; readers.go has them all
//	watch.go page.go       the journal's live stream; page tokens, at_least
//	asof.go                as_of and known_at
//	admin.go roll.go       AdminService; the business date
//	health.go              grpc.health.v1
//	client/                what programs need to call it
package api
