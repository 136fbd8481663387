// Package state is what the stream has to remember of a partition of bk.events.v1, which events don't carry: the sums of an account's postings in each
// instrument, and of live trades what their booking alone told. It lives in memory, and in a compacted topic of Kafka, the changelog, from which it is restored.
//
// # How it is kept
//
// A [Partition] is the committed state. A transaction of the stream works on an [Overlay] over it: [Overlay.Write] makes the records for the changelog, which go into the same
// Kafka transaction as the stream's output and its input offsets, and [Write.Commit] merges the overlay when that was committed. After an abort the overlay is dropped,
// and nothing has happened. There is one at a time: the next one has its memory.
//
// The changelog has as many partitions as the input, and its partition n holds the state of the input's n:
//
//	delta     key d, number of a key     all that a transaction has set, as absolute values, and how far the input is in the state then
//	snapshot  key s, slot, part          everything in a slot, that is, a hash range of the keys. A large slot has several parts
//	skip      key k, input offset        an event that a person left out: who, why, and the error that it stopped at, for ever
//
// Deltas are numbered. With each transaction some slots are written, in turn, such that snapshots take as many bytes as deltas do. A delta that is older than the latest
// snapshot of every slot says nothing that they don't, so its key is used again, and compaction removes it: live deltas are bounded by bytes of the state and in number.
//
// # Restoring
//
// [Restorer] takes the partition's committed records in their order, from the beginning or from any place that is known to be early enough ([Write.Start] gives it): a
// snapshot replaces its slot, a delta sets. Reading too early never harms, since a snapshot or delta behind it says the same or something newer.
//
// # Invariants
//
//   - What [Restorer.Finish] gives is the state as it was, or there is an error: every record has a checksum and says which partition it belongs to; deltas must be there
//     without a gap behind the oldest of the slots' latest snapshots, and the parts of a snapshot must be complete. So a record that the changelog lost is noticed, whichever it was.
//   - A key is used again only when all slots were written, by committed transactions, after the delta that had it.
//   - The state's place in the input is in each delta, with the identity of the last event, so that the stream can hold both against the input and the group's offset.
//   - A record has at most [MaxRecord] bytes and what a single trade has.
//
// # Failure by failure
//
//   - Killed before the commit: the records are in an aborted transaction, which a read-committed reader never sees.
//   - Killed while compaction is behind: the changelog is longer, what it says is the same.
//   - The changelog was truncated, made anew, or written by something else: [ErrIncomplete] or [ErrCorrupt]; a state that isn't whole is never used.
//   - Another version wrote it: [ErrVersion]. The way out is to make shadow topics, changelog and group anew; a replay gives the same bytes.
//
// # Rejected
//
//   - A record for each key, as Kafka Streams has it: a record costs some 70 bytes and 2 µs in Kafka, four times as much as the pair itself.
//   - A snapshot of everything at once: a pause of seconds with a million positions, and a message too large.
//   - An embedded store on disk: a file that may be lost or older than the topic, and must be checked against it all the same.
//   - Tombstones for what is settled: the next snapshot of the slot doesn't have it.
//
// # File map
//
//	view.go       what is remembered     partition.go  the committed state, slots
//	overlay.go    a transaction's view   write.go      its records, keys that are used again, the snapshots' turn
//	codec.go      records                restore.go    Restorer
package state
