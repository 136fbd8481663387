// Package mode keeps the façade's mode: which system answers and which follows, the same on every replica, changed at run time without a write that is
// served in two modes and without one that is dropped.
//
// # Invariants
//
//   - The modes are one table {primary, secondary} (mode.go). A switch goes one step along it. bk-only declared final has no step back.
//   - facade.mode is the history of epochs; the row with the highest epoch is in force. Each says who, when, why, and for how long writes were held.
//   - A write holds a [Ticket] from before anything is sent to a primary until its outcome is where it belongs. When an epoch commits, no ticket of an earlier
//     one is open on any replica. (The kill switch alone does not wait: it keeps the primary, so what is under way ends as it began; the next step waits for it.)
//   - Writes are held for at most Hold. Whatever fails, the old mode goes on.
//   - Reads never wait, not for a renewal of ids either: those that are answered during one ask the façade's database whether it was made meanwhile, for a quarter of a second at
//     most, and are answered again with the new ids if it was. For the few milliseconds that a replica takes to hear of a commit, it still reads from the old primary; until all have heard of it, no
//     writes are taken in the new epoch. So who writes through one replica and reads through another finds the write.
//
// # A step
//
//  1. Ready: can it be made, is the secondary near? Writes go on. A replica that is silent is waited for here until it is heard or gone, so that a
//     dead one costs no holding.
//  2. The coordinator (the replica that was asked) inserts a row into facade.switch with the time until which it may succeed, by the database's clock, and
//     notifies. Only one row can be under way. Each replica closes its gate (new writes wait), lets its open writes end, and acknowledges in its
//     row of facade.replica.
//  3. When all have, Drain brings the new primary up to the old one.
//  4. One transaction: lock facade.mode (no other epoch now), lock the switch (it is under way, its time not over), lock facade.replica against
//     renewals and newcomers and look once more whether all have drained, Enter, insert the epoch, end the switch. Commit.
//  5. The replicas see the new epoch (notification, or poll), read from its primary, say so in their rows, and open their gates when all have said so, or
//     Hold after they saw it.
//
// A renewal of ids ([Keeper.Renew]) is such a step from a mode to itself, and so is the declaration that bk-only is final ([Keeper.Finalise]). Where Ready waits for a backlog it may brake writes ([Keeper.Brake]): each waits, before it has a
// ticket, for what the row of facade.brake says. The brake goes with the request for the step, and by itself two seconds after the coordinator's last word: by each
// replica's own clock, too, so that it outlasts neither a dead coordinator nor the database. A write that may take minutes says so ([Ticket.Long]), and no step is begun
// while there is one: it could only be given up.
//
// # Leases
//
// A replica renews its row by the database's clock. It counts the time from before it sent the renewal, by its own monotonic clock, less a tenth: so it knows
// that its lease is over before anybody else does, however slow the answer was. Then its gate closes, and the contexts of open tickets end with
// [ErrLease]. A replica whose lease is over by Settle counts as gone; the Settle is for what was already on its way to a primary. A renewal and the reading
// of the state are one transaction of two statements in this order: either the committing switch sees the renewal, or the replica sees the switch.
//
// A replica opens its gate again in the old epoch only when it has read that the switch is over, and a switch that is over can't commit: both take the
// row's lock. Its own clock is no reason to open: the commit may be on its way.
//
// What a lease can't fence is a process that is stopped, after it has looked at its gate, for longer than lease and Settle and then sends its write.
// Bank-primary-bk-secondary is fenced in the database: the intent is written only in the latest epoch, and the transaction that enters one has [Config].Fence
// alone, which that of each intent shares. In the others there is nothing of ours on the way.
//
// # Failure by failure
//
//   - The coordinator is killed before 2: nothing has happened. Between 2 and 4: the switch is overdue after Hold; any replica ends it, the old mode
//     goes on. Within 4: the server rolls back, or, if the process only froze, ends the transaction after Hold (idle_in_transaction_session_timeout).
//     After 4: the step is made.
//   - The answer to COMMIT is lost: the coordinator looks at the switch; what it can't find out it gives up, which does nothing to a step that was made.
//   - A replica is killed while it drains: the step is given up after Hold (and tried again as long as the request waits); from the end of
//     its lease, and Settle, it counts as gone.
//   - A replica's way to the database freezes: its lease runs out, it takes no writes. When the way is back, it reads the epoch in force and serves that.
//   - The database is away: all leases run out, and no writes are taken until it is back: nobody could say in which mode. Lease is the outage that clients
//     do not see. Reads go on.
//   - A notification is lost: the poll finds out.
//   - A write does not end: the step is given up after Hold. Held writes go on in the old mode.
//   - The process ends in order: the gate closes, open writes end, and the row is deleted, so that no step waits for it.
//
// # Rejected
//
//   - Asking the database for the mode at each write: a round trip (0.1 to 1 ms) on each call of bank-only, which is to add less than 0.5 ms, and still
//     no protection for a write that is on its way when the answer changes.
//   - A shared advisory lock per write, taken exclusively by the switch: likewise a round trip, a connection held by each write, and the queue of the lock
//     manager decides how long writes are held: behind one hanging write, for ever.
//   - Changing the mode at a time in the future ("from 12:00:05 on"): needs clocks that agree, and drains nothing.
//
// # Files
//
//   - mode.go: the table; config.go: [Config], [Steps]; state.go: what is read from the database
//   - brake.go: slowing writes down; relay.go: how what a step does to Bank's relay is numbered
//   - gate.go: tickets and the lease's clock; keeper.go: a replica's part; switch.go: the coordinator's
package mode
