// Package dialect says what a warehouse's tables are, and how SQL is spelled in it: everything in which DuckDB, Parquet and Snowflake differ stands in dialect.go, and
// nowhere else. Who writes SQL for a warehouse takes names, types and the few functions that have other names from a [Dialect], and writes the rest as both understand it
// (WITH, window functions, FULL OUTER JOIN, IS DISTINCT FROM, QUALIFY, CASE).
//
// # The tables
//
//	trade_events     an event of bank.trades a row: its place in Kafka, its head, the whole trade, the running totals
//	cash_events      an event of bank.cash a row
//	date_events      an event of bank.business-date a row
//	landing_offsets  how far each partition has been landed, written in the transaction of the rows
//	landing_rejects  records that are no event of Bank's, as they came, with the reason
//	landing_gaps     what Kafka had deleted before it was landed, where somebody has said that the landing is to go on behind it
//
// A column stands for one value of the contract's JSON; [Column].Path says which. What the JSON leaves out, or has as null, is NULL. Values that are kept as given are
// their compacted JSON text. Times are the contract's integers (milliseconds), dates too (YYYYMMDD): what is compared is what was said, not what a time zone
// makes of it. Decimals are exact: 28 integer digits and 10 fraction digits.
//
// content_hash is of the event's canonical text without the values of event_id, at, trade.booked_at and trade.canceled_at: rows with the same hash say the same. (The
// hash is 64 bits, XXH64, as a signed integer: among 10 million pairs that are compared, a difference that it hides has a chance of one in 10^12.) canonical says that the event's
// text is byte for byte what bank.Event.AppendJSON writes.
//
// There are no keys and no indexes: both kinds of warehouse scan columns, and a repeat of the relay is to be landed, too.
//
// # Files
//
//	tables.go   the tables, the same for all
//	offsets.go  how far the landing is, the same for all
//	dialect.go  the differences
package dialect
