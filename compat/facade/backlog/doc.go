// Package backlog is durable work that one system has still to do of what another has done: rows in a table of the façade's database, worked off in the order of
// their positions wherever they share a key, and beside each other where they don't. Package queue keeps Bank's work for BK in one, package feed BK's work for Bank.
//
// # Invariants
//
//   - Of two rows that share a key (an account), the one with the lower position is done first. A row with the key [All] (a roll) is done when all before it are, and
//     before all behind it.
//   - Whoever writes rows sees to it that of two rows that share a key the lower position is visible no later than the higher one. Nothing is assumed of
//     rows that share none: positions may appear out of order.
//   - A row is delivered at least once. Delivering it again is a repeat to the other system, however late it comes: nothing else keeps two workers at once from doing harm,
//     and no lock could, as the other system knows none of ours.
//   - What is in memory is bounded ([Config].Window), by number and by size, whatever waits in the table. Of a blocked row only the place is in memory; when its next try is due
//     it is read again.
//
// # How
//
// One worker of all replicas works, by an advisory lock of a session of its own. It reads the lowest rows that it doesn't have, in one snapshot: so the row that
// is before another on some key is always there before it, or done (plan.go). Batches are put together of rows that wait for nobody, or only for rows before them
// in the same batch; several are under way at once. What is delivered is marked in the background, many rows at a time, without waiting for the disk.
//
// A row that the other system rejects is blocked: it is tried again with growing pauses, and can be retried at once, or skipped, by a person. What is behind it, directly or
// over rows of several keys, is not even read until it is done: otherwise one account with a long tail would fill the window. Which keys these are
// is worked out in the table, from the rows of several keys (store.go, stuck). Whenever a row is blocked, all that neither runs nor is blocked is dropped and read
// again: a block is rare, and this leaves only one way in which memory is filled.
//
// # Failure by failure
//
//   - The other system is away, or doesn't say what it did: all is kept, and tried again from the lowest row on, one batch at a time, with pauses from 100 ms to
//     [Config].AwayPause.
//   - The worker is killed: its session ends and with it the lock; the next one begins with the lowest row that is not marked, and so repeats what was under way.
//   - Its session is cut while it lives: it notices within a second, or six where the database doesn't answer, and stops; until then two say that they work. That
//     is a short state and no fault: whoever delivers a row knows that all before it on its keys are done, or sends them in front of it, and what is done stays done. So
//     the first time that a row takes effect is behind those before it, whoever's delivery it is, and every other time is a repeat, however late it lands.
//   - The same with a process that is stopped for minutes and goes on.
//   - A row is skipped while a try of it is under way: what is behind it waits for the try. If that does it, the row is marked as done after all, with an error in
//     the log. Only if the worker's session was cut as well, and the try lands behind rows of the other worker's, has it been done out of its order: then, too, that
//     is logged. (Skipping is for rows that were rejected; the other system would have to take the same row on a second try.)
//   - The façade's database is away: the worker starts again when it is back; what it could not mark is repeated.
//   - The database crashes and loses the last marks: the same.
//   - Everything is rejected: with [Config].MaxBlocked rows blocked no more is begun.
//
// # Rejected
//
//   - A cursor instead of marks: one blocked account would stop all.
//   - A position that only commits in order (a lock around all inserts, or waiting for older transactions): all accounts would wait for the slowest call.
//   - SKIP LOCKED and many workers: it has no order.
//   - Reading by account, oldest first: a row of two accounts is in two queues, and a roll in all.
//
// # File map
//
//	row.go     a row, results, figures      config.go  settings
//	store.go   the table                    plan.go    which rows are ready
//	worker.go  the loop
package backlog
