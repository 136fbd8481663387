// Package tradefile reads trade files and cancel files in the upload format of the legacy system and makes commands of bk.v1 of their
// rows.
//
// # The format
//
// CSV as in RFC 4180, plain or gzip (told apart by content). The first row names the columns by the JSON paths of the trade API
// (instrument.identifier, fees.commission), in any order; unknown columns are ignored. A trade file needs type, timestamp,
// client_trade_id, date, account_id, quantity, price, instrument.identifier, instrument.identifier_type and side.direction; which
// others a row needs depends on the trade and is the server's to say. A cancel file has account, trade_id and, if trade_id is not always the
// ledger's own id, by_client_id; or account_id and client_trade_id.
//
// # What becomes of a row
//
// What a bk.v1.Trade has a field for goes there; the other known columns ("kept as given") become metadata under their column's name,
// flags only where they are set. Timestamps are milliseconds, below 100000000000 seconds. Decimals are handed on as they are. A trade that is
// traded when-issued and has no settlement date gets 99991231.
//
// Keys: <account_id>/<client_trade_id> for trades, cancel/<account_id>/<client_trade_id> for cancels, cancel-id/<account_id>/<trade_id> for
// cancels by the ledger's id: reading a file again gives the same commands, which book nothing twice.
//
// cancel_trade_id names a trade of the same account by its client's id, or, if there is none such, by its trade id. A file can't know:
// the command names the key, and [Row.ReplacesID] has the trade id that may be meant instead.
//
// # Invariants
//
//   - Bounded memory: one buffer of [MaxRowBytes], whatever is in the file. Rows are read into a caller's [Row] and can be used again.
//   - A bad row is a [*RowError] with line and column, and the next call reads on: after a broken quote with the next line, so that one quote
//     too many can't swallow what follows. What makes the rest unreadable (broken gzip, a failing disk) is a [*FileError].
//   - A file that breaks off never gives a part of a row: what stands before the break in the last line is not read.
//   - Every text of a command is valid UTF-8, so that one bad row can't spoil a batch.
//
// # File map
//
//	reader.go          files: gzip, header, rows one by one
//	lines.go           records: quotes, line numbers, bounds
//	columns.go         the columns, and the fields of bk.v1 that they fill
//	row.go trade.go    rows to commands
//	cancel.go value.go cancels; numbers and words
package tradefile
