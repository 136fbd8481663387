// Package bankstream publishes BK's events as Bank's: what stands in bk.events.v1 becomes what Bank's relay would have published, each event once for a read-committed
// consumer, in each account's order, with running positions and balances. Package rehydrate tells one event as the other, package owner says what goes to Bank's own topics;
// this one has the session with Kafka, the state's keeping, and what is done when something fails.
//
//	bk.events.v1, partition n ──► translate, over state n ──► facade.bank.trades | cash | business-date   everything, always
//	                                      │               └─► bank.trades | cash | business-date          what the stream owns
//	                                      └─► facade.bank.state, partition n                              how state n has changed
//
// # Promises
//
//   - One Kafka transaction has the output, the changes of the states, and the group's offsets: all of it, or none.
//   - The state that an event is translated over is the one after the event before it in its partition, whoever translated that. All state is local to a partition, so any number of instances
//     works, and a replay from the beginning gives the same bytes.
//   - An event comes of an event: the bytes depend on BK's topic alone. Each record has the header bk-entry, the id of BK's entry, and the event's own time.
//   - Nothing is left out in silence. An event that can't be told stops its partition, and no other; a person may leave out exactly that one, and who, why and the error are written in the
//     transaction that does it.
//   - A partition begins at offset 0, with an empty state, or where its state is; never anywhere else. A state goes on only if it was restored without a gap, stands where the group stands, and is of
//     this very topic.
//   - Memory is bounded: by the states, one transaction's input ([Config.MaxRecords], MaxBytes of fetches), and MaxBytes of output.
//
// # A round
//
//  1. Poll: some partitions' records.
//  2. Begin a transaction; translate, a goroutine for each partition, and produce as it goes. A record that fails has changed nothing: its partition ends there.
//  3. Produce what the states add to the changelog; wait for all answers.
//  4. Commit, with the offsets that were really done, and in their metadata where in the changelog a restore may begin. Then the states take over what was changed.
//
// After an abort the overlays are dropped and every partition is read again from where its state is. After an error the whole session is: a new one begins with a new client, and restores all.
// There is no other recovery, so there is no state of a client to reason about.
//
// # Why a restored state is the last one
//
// A partition's new owner asks for the group's offset, which Kafka gives only when no transaction is open that has one for it. A transaction of the old owner that isn't among those can't
// be committed any more, since its offsets would be of an older generation of the group. So what the changelog holds then is all there will be; it is read, read-committed, up to its
// end as it is then, and what is open in between is waited for. (That is why the changelog is read after the offsets, and why offsets are never committed but in a transaction.)
//
// # Failure by failure
//
//   - An instance is killed: under the same name the next one takes its partitions at once, and aborts what it left open. Else they go to others after the session's time-out, and are
//     restored when the transaction that was open is over, after its own.
//   - Two run under one name: the younger one goes on, the older one ends with [ErrFenced].
//   - A rebalance: the transaction under way is aborted if it takes something away, and done again by who has the partition then. Partitions that stay go on.
//   - The broker is away, or restarted: the Kafka client tries again within TransactionTimeout; then another session begins, after a pause that grows.
//   - A commit's outcome is unknown: the session ends; the next one sees it, by the group's offset.
//   - The transaction timed out at the broker: the commit is refused, the session ends. Translating is bounded by a quarter of that time: then what is done is committed.
//   - What the translator needs is away: the record is tried again for RetryFor, within its transaction; then what is before it is committed, its partition waits, and is read again from
//     there after a pause that grows. The others go on, and the group's membership doesn't depend on it.
//   - An event can't be told: its partition is [Poisoned]. [Service.Skip] is the way past it.
//   - Kafka refuses an event's output as too large: the transaction is aborted, and the event that it came of is poison.
//   - BK's topic is missing: waited for. It is compacted, or the changelog has another number of partitions, is not compacted, or takes no large enough records: [ErrTopics] ends Run.
//   - BK's topic no longer has what comes next (retention), is another topic (made anew), or lost its end; the changelog has lost something; the group's offset and the state differ: the
//     partition is [Lost]. What can be proven at a fresh start is that nothing was deleted: the partition begins at offset 0, and retention never makes it do so again. At a restart the last event
//     that the state has must still be where it was.
//   - The group's offset alone is gone (Kafka forgets that of a group without members after a week): the state says where to go on.
//   - Shutdown: what is translated by then is committed, for at most DrainTimeout, and the group is left.
//
// # Starting anew
//
// After [Lost], or another version of the state: stop all instances, delete the group, the changelog and the shadow topics, all together, and start. Everything is published anew, with the same bytes;
// what is on Bank's topics by then stays, so with an owner this must be decided by people, with Bank's topics at hand. Deleting only some of them is noticed, but for one case: group and
// changelog without the shadow topics, which then have everything twice.
//
// Shadow topics that this package makes keep everything: a record's time is its event's, so that Kafka's retention would delete a replay as it is written. The log warns of topics that somebody else has made
// otherwise.
//
// # Rejected
//
//   - Waiting within a transaction for as long as something is away: it times out, and holds up every partition and every consumer.
//   - A partition's own client, so that one can't disturb another: as many transactions, members and connections as partitions; an abort costs some milliseconds instead.
//   - The group's session over (eager) rebalances: each would restore everything.
//   - Going on at the group's offset whatever the state says: totals would be wrong from then on, in silence.
//   - Resuming where the log begins after retention (auto.offset.reset): the same.
//   - Leaving markers of transactions out of what is read: the group's offset would stay before the end of a partition, and nobody could say that all is told.
//
// # File map
//
//	config.go       settings, errors              service.go    running sessions, skips
//	topics.go       looking at topics, making     session.go    a member of the group: partitions come and go, polls
//	partition.go    what is known of one          restore.go    states from the changelog, held against group and topic
//	round.go        records -> events             transaction.go  producing, commit
//	status.go admin.go metrics.go                 what is shown
package bankstream
