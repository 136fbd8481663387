// Package landing lands Bank's events, as they are in Kafka, in a warehouse's tables (package dialect says which): Bank's own and those that the façade's stream makes of BK's
// events, side by side, so that SQL can compare them.
//
// # What it promises
//
//   - Exactly once: the rows of a batch and the offsets behind it are one transaction of the warehouse. A landing goes on where landing_offsets says, whatever ended the last one.
//   - Read committed: what a producer's transaction aborted is not landed.
//   - Nothing is lost: a record that is no event of Bank's (bad JSON, a field that is missing or of the wrong kind, the wrong topic, a key that is not the event's account, a
//     decimal that the columns don't hold) is in landing_rejects, as it came, with the reason. The comparison says so.
//   - A relay's repeat is landed like any other record: who compares knows it by its id and its hash.
//   - What Kafka deleted before it was landed stops the landing with what is missing ([GapError]). Somebody may say that it is to go on behind that ([Accept]); the gap is then
//     in landing_gaps. A partition that is landed for the first time is to begin at offset 0, or its beginning is such a gap.
//   - Side bank has Bank's topics without the records that the stream wrote there (they have the header bk-entry), which are counted; side bk has facade.bank.*, which has
//     everything that the stream made.
//   - Memory is bounded: three batches, each bounded in records and bytes.
//
// # How
//
// One goroutine reads, and cuts what comes into batches. One decodes a batch: workers read JSON, hash it, and write the values into the warehouse's own chunks of columns. One writes.
// So while a batch is written the next is decoded, and the one behind it is read. There is no consumer group: the warehouse has the offsets.
//
// Nearly every record is the event's one spelling: its values go from the text to the columns in one walk ([bank.EventScan]), which makes nothing of them, and the text is the one that is
// hashed. Any other record, be it that one has an escape or a decimal of more than 18 digits, is read as an event, written again and compared; that takes three times as long, and says
// what is wrong with a record that is no event. Both ways give the same row.
//
// # Failure by failure
//
//   - Killed at any point, also within a transaction: the next one begins at the offsets, and the transaction is there with them or not at all.
//   - Two loaders on one warehouse: DuckDB's file is one process's; elsewhere a partition's offset only moves from where its loader thinks it is, and the later one fails with
//     [ErrOtherLoader]. (Two that both begin a partition for the first time at the same moment may both insert its row; then both fail at their next batch.)
//   - COMMIT's outcome is lost: the session ends; the next one reads the offsets.
//   - A topic is not there yet: the log says so once; following, it is looked for again with each list of the topics, as new partitions are. Not following, what there is is landed.
//   - A topic was made anew, or its log cut: [ErrMadeAnew]. Land it into another warehouse. A topic that was
//     landed and is not there any more is an error, too.
//   - An open transaction in Kafka: what is behind it is not readable yet. Following waits; a landing that is to end waits up to the configured patience, and says for what.
//   - Kafka or the warehouse is away: a following tries again, with growing pauses, up to the patience; else an error.
//   - A record's event is of a contract's field that is not known here: events are read strictly, so it is in landing_rejects.
//
// # Rejected
//
//   - Files in between (CSV, Parquet), loaded by the warehouse: for DuckDB that is slower than its own chunks. Package dialect has what it takes for Snowflake at high rates.
//   - The raw JSON in a column, taken apart by SQL: each comparison would parse all of it again, decimals would become floats, and what is no event would only be found then.
//   - A table of values (event, field, value): a thousand bytes of JSON would be 60 rows.
//   - Deduplicating repeats while landing: it needs an index, and hides what a relay does.
//
// # Files
//
//	config.go    what is landed          loader.go    Run, trying again        session.go   reading Kafka
//	feed.go      records from memory     pipeline.go  read, decode, write      record.go    a record becomes a row
//	row.go       a row's values          hash.go      the content's hash       gap.go       what is missing
//	standing.go  landing_offsets         columns.go   what a warehouse is      sqlstore.go  a warehouse behind database/sql
//	export.go    Parquet files
package landing
