// Package publisher copies the journal of one shard into Kafka, so that the topic bk.events.v1 is the journal: every account's events
// in journal order, none missing, each there once for a read-committed consumer (promise P6).
//
// # The stream
//
// An entry is published once under each customer account that it touches, in the order in which its postings name them first; one
// that touches no customer once, under the account of its first posting. A trade that is not in force yet goes under its own accounts, the
// definition of an account under that account, that of an instrument under "instrument/<id>", the beginning and end of a day under "day". The key is the account's id in decimal text, the partition is Java's default (murmur2) of
// it, so a partition holds all that happened to its accounts, in journal order. The headers (event.go) let a consumer count: it has an
// entry when it has its legs 0 to n-1. The record's time is when the entry was booked. Several shards may share the topic; order
// holds within each.
//
// # Invariants
//
//   - A batch of consecutive whole entries and the checkpoint behind it are one Kafka transaction: the checkpoint is true, always.
//   - Nothing is published but from the sequence number behind the last committed checkpoint, which was read after InitProducerID, that
//     is, when no older producer can commit any more.
//   - The journal that is published is the one that was: the checkpoint carries its hash chain.
//   - The owner of the stream is who wrote the latest term into the checkpoint. Producer epochs make sure that only one writes at a
//     time, terms tell who it should be.
//   - At most three batches are in memory: one gathered, one ready, one in a transaction; each of Config.MaxBytes (values shared by
//     several events count for each), plus a chunk of 1024 entries.
//
// # Steps of a session
//
//  1. Make missing topics.
//  2. Not in the first session of a Run: read the checkpoint; a later term than ours: ErrFenced, and the other one isn't disturbed.
//  3. InitProducerID. It aborts what an older producer left open, and completes what was decided.
//  4. Read the checkpoint up to the high watermark, read-committed: a transaction of another shard that is open in between is waited
//     for. Compare it with the topic (its ends; nothing of ours behind them) and with the journal (the hash at its sequence number).
//  5. The first time: claim, a transaction with only the checkpoint in it, term plus one.
//  6. For each batch: events, wait for their acknowledgements (their offsets become the checkpoint's ends), checkpoint, commit.
//     Beside it the next batch is read and encoded.
//
// Any error ends the session; the next one begins at 1 with a new client. There is no other recovery, so there is no state of a
// client to reason about.
//
// # Failure by failure
//
//   - The publisher is killed: the transaction is open until the next owner's step 3, or until it times out; consumers wait at it.
//   - Run's context ends: the transaction under way gets Config.DrainTimeout, then as above.
//   - Kafka is away: sessions fail with growing pauses, the journal goes on, the lag shows it. The Kafka client also tries again by
//     itself within a transaction; after three seconds the state is Down nevertheless.
//   - The outcome of a commit is unknown: the next session's step 4 tells. The late commit itself can't come after step 3.
//   - The broker forgets or fences the producer (restart, a transaction that took longer than its timeout): another error, another
//     session; the term says that the stream is still ours. That session begins a second later: see next.
//   - Another publisher takes over: our next transaction fails, and after a second, in which the other one claims, our step 2
//     says ErrFenced. Several that begin at the same moment may fence each other a few times; pauses are random, one claims, the
//     others see it.
//   - Kafka is too slow for a batch within Config.AttemptTimeout: half the batch next time, down to one entry; double after a success.
//   - A record is refused (too large for the broker, or the ledger's clock more than message.timestamp.after.max.ms ahead of the
//     broker's): Down, with the reason, for as long as it is so; nothing is skipped.
//   - The journal can't be read: the same as Kafka away. It has a hole, or is shorter, or another one: ErrDiverged.
//   - Kafka lost acknowledged events or checkpoints, or partitions were added (accounts would move): ErrLost, whenever a session begins.
//     For `bk dev`, whose broker may lose the tail of its files, Check asks before and Reset publishes all anew.
//   - Kafka doesn't let us in (password, certificate): as if it were away; the error says what it said.
//   - An account that the directory doesn't know yet (on a standby): tried again, never guessed.
//   - Encode refuses an entry: ErrUnpublishable. It is a fault of the program, and skipping would break the promise.
//
// # Rejected
//
//   - An outbox table, written with the entry and deleted when published: a second copy of every entry through Postgres' log, and
//     vacuum behind it; and it only gives at-least-once. The journal is an outbox already.
//   - An idempotent producer, and consumers that drop what they have seen: its deduplication ends with its session, so every
//     consumer would have to keep the last sequence number of every key, for ever, and get it right.
//   - The checkpoint in Postgres: two systems, no common commit; it is behind or ahead after a crash.
//   - The checkpoint as a consumer group's offset in the transaction: no room for hash, ends and term, and it expires.
//   - Recovering the Kafka client in place (abort, go on): it works until an outcome is unknown, and then needs all of the above.
//   - Taking every "fenced" for another owner: brokers fence for reasons of their own, and Run would end with each.
//
// # File map
//
//	config.go       Config, Journal, errors          publisher.go  Publisher, Run's outer loop, Status
//	run.go          sessions, batches, back-off       session.go    the producer: open, claim, publish
//	event.go        an entry's records                checkpoint.go what it holds, how it is read and compared
//	topics.go       making topics, Reset              check.go      Check
//	scan.go         reading committed records         verify.go     Verify; verify_partition.go the merge of a partition
//	metrics.go      Prometheus, the client's log    access.go     TLS, SASL
package publisher
