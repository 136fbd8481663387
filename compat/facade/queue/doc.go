// Package queue is what the façade does around a write while Bank is the primary and BK follows: it sees to it that whatever Bank does is brought to BK, once, in Bank's order
// for every account, whoever dies in between.
//
// # A call
//
//  1. [Queue.Begin] waits for its turn among this replica's calls on the same accounts, first come, first served; then it takes a connection of its own and, on it, advisory locks of the session: ROLL shared, then the call's accounts, ascending. (A roll takes ROLL
//     alone, and so waits for all.) Postgres serves them first come, first served, over all replicas.
//  2. The intent is written and committed: what Bank is going to be asked for. In the same statement earlier intents on these accounts are looked for. Whoever
//     wrote them is dead, as we have their locks: they are resolved first.
//  3. The caller asks Bank, until [Held.Deadline] at most.
//  4. [Held.Accepted]: in one round trip the intent becomes a row of the queue, with a position taken now, and behind the commit the locks are given free. [Held.Refused]: the
//     intent goes. [Held.Unknown]: a resolver of this replica gets the connection, locks and all, and asks Bank until it knows.
//
// What BK is asked for may name entities and accounts that were created while BK was not following, and are in no row: when BK refuses a row with unknown_account,
// or entity_not_found, Bank is asked for those of the batch that BK lacks, they are opened, and the batch is tried again at once. What nobody needs yet is brought
// by a row of its own ([Queue.Directory]), which a step to this mode writes.
//
// A worker (package backlog) brings rows to BK: it asks Bank for the times that BK must take over, and sends as many rows as there are, up to 1000 trades, in
// one atomic call; if BK refuses that, row by row.
//
// # Invariants
//
//   - The epoch is a fence: an intent is written only while its epoch is the latest, and no epoch is entered between that look and the intent's commit ([LockEpoch]). So a
//     process that was stopped for longer than its lease, and goes on in a mode that is over, is sent back; and once an epoch is entered, all intents of those
//     before it that will ever be are there to see: a step that needs the queue drained waits for them, and the kill switch leaves them to follow, or to their calls.
//     A process that is stopped between its intent and Bank holds up steps with that intent, until it is resolved: [Held.Deadline] is over then.
//   - Bank is asked only for what is written down; what is written down goes only when its outcome is known.
//   - Of two calls that share an account, one has its outcome in the queue before the other's is asked for. So for each account the order of positions is Bank's
//     order. Between calls that share none nothing is said.
//   - Keys are accounts, entities (an account is created behind its entity) and, for a roll, everything. A cancel has both accounts of a trade between two, and
//     so has a trade in place of one.
//   - An intent is resolved by one at a time, who has its own lock, and after all that are before it on any of its keys: a dead call may have been waiting
//     for another dead call, on an account that we don't have.
//   - Locks are taken in one order: ROLL, keys ascending, intents ascending; whoever has an intent's lock waits only for Bank. So nobody waits in a circle.
//   - The connection is the bound: [Config].Calls of them are between Begin and their outcome, others wait. Of one replica's calls on an account one has a connection, so
//     those of a hot account keep no others from theirs. While a roll is under way or waits, on whichever replica, calls wait for its end without one: a single
//     connection waits for all of them in Postgres' own queue. Nobody waits longer than [Config].WaitFor, and no more than [Config].MaxWaiting do: others are refused.
//   - Repeats are queued, too: BK sees a repeat.
//
// # What Bank is asked
//
// Trades are looked for by the client's id; all are there, with the same content, or the call has done nothing. A cancel shows in the trade. What is not there may
// still come, so it counts as refused only [Config].SettleAfter after the end of the call; and even then Bank is asked for it now and then for
// [Config].WatchFor. Should it have been done that late, it goes to the end of the queue, with an error in the log: its order may differ. Cash,
// rolls, entities and accounts are asked for again: they are idempotent, forward only, and the answer is true also where the first call is still at work. (A roll that
// is only looked for can't be told from one that has not begun.) So they may be done though nobody but a dead call asked for them; the client has had no answer, and
// must count on that.
//
// # Failure by failure
//
//   - Killed (-9) before 2: nothing is there. Whoever waited for locks is not served: his session is noticed to be dead, and the intent is written in a round trip of its
//     own, so no call that never was stands in anybody's way.
//   - Killed between 2 and 4: the locks go with the session, the intent stays. The next call on one of its accounts resolves it, or the sweeper of any
//     replica, once a second, where nobody works on its keys.
//   - Killed in 4: either side of one commit.
//   - The connection is lost, the process lives: Accepted has an error, the client gets Bank's answer, and the outcome is written over another connection, unless the
//     intent has been resolved by then. A call to Bank that is still under way meanwhile is bounded by Deadline, which is written in the intent.
//   - The answer to the intent's own commit is lost: Begin fails, Bank is not asked. Over another connection the session that was to write it is ended, in case the database
//     does not know yet that it is gone, and the intent goes by its call's name, if it is there. Whoever has come to its accounts meanwhile and asks Bank for it sees that.
//   - Bank answers outcome_unknown, or nothing: Unknown.
//   - Bank is away: intents wait, and with them their accounts. Nobody can write to it anyway.
//   - A client gives up while it waits for an account: Postgres is told to stop waiting, and the connection is closed; no lock and no intent stay.
//   - The façade's database is away: Begin fails, Bank is not asked.
//   - It crashes and loses its last commits: Accepted does not wait for the disk. Then the intent is there again, and is resolved. A later call on the same account
//     can't have survived without it: its intent did wait for the disk, and stands behind it in the log.
//   - BK is away, slow, or refuses: see package backlog. No call waits for BK. At [Config].Limit rows [Config].Full is called.
//   - Bank took what the façade can't read: [Queue.Unread].
//
// # Rejected
//
//   - Writing the queue row behind Bank's answer only: a crash in between loses it.
//   - Bank's outbox or Kafka topics as the queue: they don't say what was asked for, only what became of it (replacements, repeats), and Bank's relay may be
//     seconds late. Package follow does this where there is no other way.
//   - Locks in rows (SELECT FOR UPDATE): the transaction would be open during Bank's call, and could not commit the intent.
//   - Locks with a lease, and an epoch to fence Bank with: Bank knows no epochs. A session's lock ends with its owner, at once.
//   - Everything in one round trip, locks and intent: measured, a killed replica left an intent for every call that had been waiting, and hot accounts waited out
//     the deadline of each.
//   - Asking for trades again instead of looking for them: right as well, but a client that saw no answer and then looks for its trade would find it appear by itself.
//
// # File map
//
//	queue.go    Open, Run, Drained, figures     config.go  settings, what is asked of Bank and BK
//	call.go     calls and answers               key.go     keys, and the space of advisory locks
//	intent.go   Begin and its end               resolve.go what became of a call
//	sweep.go    dead calls, late ones           deliver.go rows -> BK
//	rolls.go    waiting for the end of a roll     withdraw.go    intents that may have been written
//	turns.go    turns in front of connections   directory.go  entities and accounts that BK lacks
package queue
