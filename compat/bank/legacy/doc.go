// Package legacy is the reference Bank: the bookkeeping system that BK replaces, as such systems are. It is the yardstick of the swap, so it shares no
// posting, fee, calendar or projection code with BK and imports nothing of it.
//
// # How it works
//
// Everything is rows of its own Postgres database that are changed in place: trades with a state, positions, balances, the business date. Each change of an account is a
// journal row and, in the same transaction, a row of the outbox, which a relay publishes to Kafka at least once (relay.go). Trades are worked off one at
// a time: a call of any size is one transaction of two round trips (tx.go). The first takes the locks and reads, the second writes row by row and commits.
//
// # Invariants
//
//   - A position, a balance's settled and traded cash are the sums of the journal's columns; debits and credits are those of the open trades. [Check] says so or what is wrong.
//   - Whoever changes anything of an account holds its row in bank.account. Locks are taken in one order, the business date (shared) and then accounts
//     ascending, so that there are no deadlocks among calls; what Postgres gives up nevertheless is tried again.
//   - All ids (trades, cash, journal rows, events) are taken under the accounts' locks: an account's ids ascend in the order of its work.
//   - While a roll is not through, nothing is booked, whatever was killed (roll.go).
//   - The outbox has exactly what committed transactions did.
//
// # Failure by failure
//
//   - The process is killed: what was committed stays, what was not is rolled back by Postgres. A roll goes on at the next start, an upload at its next row, events
//     that the broker has but that were still in the outbox are published again under the same ids.
//
//   - The database is lost while a call reads: internal, nothing was booked. While it commits: outcome_unknown; the same call again tells, since
//     client ids are remembered.
//
//   - The caller's context ends: the same distinction. A roll goes on without its caller. Who
//     waited for a roll of somebody else's looks again behind it, and is not told how it went.
//
//   - Kafka is away: events wait in the outbox. The disk is what bounds it.
//
//   - Several Banks on one database: one relay and one upload worker among them, by advisory locks; all else by row locks.
//
//   - Somebody takes Bank's place on its topics: the relay is held behind a place that no event can be before any more, and goes on elsewhere (steer.go). Killed at any point of
//     that, the row of bank.relay says what is so. While it is held events wait in the outbox; nothing but the next setting lets them go.
//
// # Not obvious
//
//   - A request is kept as json, not jsonb: free fields are given back as they came, in their order.
//   - Ids that a refused or repeated call had taken are left out for ever.
//   - A trade that was cancelled already and is replaced again carries the link to the last one that replaced it.
//   - Rolls write in bulk (bulk in write.go), bookings row by row (rows): both are sinks of the same work (post.go).
//
// # File map
//
//	legacy.go config.go service.go    Bank, its configuration, the running service
//	tx.go book.go cash.go             transactions, booking and cancelling, cash
//	replay.go roll.go                 what another system decided, the business date
//	post.go event.go write.go         what a trade does to rows, its events, writing both
//	fees.go calendar.go               amounts and fees, settlement days
//	relay.go steer.go uploads.go      in the background; where the relay publishes
//	read.go directory.go              reads, entities and accounts
//	check.go migrate.go sql/          consistency, schema
//	metrics.go                        what is counted
package legacy
