// Package feed brings what BK has done to Bank while BK is the primary. BK's journal is the queue: an entry is there with the very commit that is the answer to the
// client, in one total order. So there are no intents, and nothing can be lost; the feed reads on from its place.
//
// # How
//
// One reader of all replicas watches the journal behind its place and writes what Bank has to do into rows (package backlog), together with its new place, in one
// transaction over the session that has the reader's lock. One worker delivers: eight rows at once, those of an account in order, a roll when all
// before it is done. Rows are there so that one that Bank refuses holds up its accounts and not the place: it may be blocked for days. At most [Config].Ahead rows
// wait; beyond that the rest stays in the journal.
//
//	account.open                      the entity (POST /entities), then the account
//	trade.* that books                Replay with the trade's id and time; with the trade that it replaces, one step for both
//	trade.cancel                      Replay of the cancel; nothing where it is part of a replacement
//	cash.*, journal.cash              Replay of the cash movement
//	day.begin                         POST /business-date
//	trade.open, trade.settle, day.end nothing: Bank's own roll does it
//	what came from Bank (its origin)  nothing, unless BK was the primary by then: POST /replay
//	fx, interest, postings, ...       Bank has no notion of it: noted as unmappable, and left out
//
// Entities are in no journal: those that Bank was not brought yet are looked for every few seconds, before an account that needs one, and when the feed is drained.
//
// # Invariants
//
//   - The place is true: all entries up to it are rows, or nothing to Bank.
//   - For each account, Bank does things in BK's order. A replacement touches the accounts of the replaced trade as well; the cancel and the booking behind it are
//     never on two sides of the place.
//   - An id that Bank gets is that of the epoch in which BK booked: rows are written only while the epoch whose ids they were made with is the latest.
//   - Paused, it calls Bank not at all, and the place stays: bk-only does that until the swap is final, so that a step back begins with what was missed.
//
// # Failure by failure
//
//   - Killed: the rows stand, the place with them; what was delivered and not marked is delivered again, and POST /replay of the same is a success.
//   - Two readers after a cut session: the second's transaction finds the place moved and starts over.
//   - BK is away, or another server leads: the stream is opened again with growing pauses. A stream that is silent, without heartbeats, for 30 s counts as dead.
//   - Bank is away, slow, or refuses: package backlog.
//   - Bank has an entity with other content: that is noted as unmappable, once for each content, and all else goes on.
//   - An account that BK's own users have opened, or a booking that no epoch gives an id of Bank's: nothing to Bank (package books decides).
//
// # Rejected
//
//   - A checkpoint in the journal alone, with lanes in memory: one blocked account would hold the place, and every restart would read everything since.
//   - Kafka (bk.events.v1): another system on the way, which may be late, for what the journal has itself.
//   - Sending batches: Bank's replay takes one at a time.
//
// # File map
//
//	config.go settings    feed.go running, pausing, draining, figures    read.go the reader    row.go entries -> rows -> Bank
package feed
