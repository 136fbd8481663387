// Package source reads Bank: all of its tables as rows of chunks, at one place of its work.
//
// # Two ways
//
// [Database] reads Bank's own Postgres under a snapshot. Snapshot and place belong together: whoever holds Bank's date lock exclusively sees none of its work under way (Bank's
// work holds it shared, up to its commit), so behind that lock one transaction begins, exports its snapshot and reads the last event's id, the business date and the sequences, and the
// lock is let go at once. All work up to that event is in the snapshot, none behind it is. Bank's writes wait for the length of the transaction that is longest under way, and two round
// trips; [Place].HeldMS says how long that was. Then any number of connections read chunks under that snapshot while Bank goes on.
//
// [API] reads through Bank's API, for where nobody gives us the database. There is no snapshot, so Bank must be quiesced, and that it was is checked at the end.
//
// # Chunks
//
// A chunk is a range of a table by its key, and ascending in itself. The journal has no index by journal_id, so its chunks are ranges of the table's pages: rows of a snapshot do not
// move between pages, and a table that is only appended to has its rows in about the order of their ids. A chunk is CSV as Postgres writes it: null is nothing, the empty text is "".
//
// # Invariants
//
//   - The chunks of all ranges of a table together are the table as of the snapshot, each row once.
//   - Reading again under the same snapshot gives the same bytes.
//   - Nothing is written to Bank, and no lock of Bank's is held but the one, once.
//
// # Failure by failure
//
//   - What is under way does not end in time, a roll was interrupted, uploads are being worked off: [ErrBusy], and Bank goes on as if nobody had asked.
//   - A snapshot dies with the session that exported it: with this process, or with the database. [ErrGone]; what was read under it can't be completed under another one, so it is
//     thrown away and all is read again. After all is read Bank isn't needed any more.
//   - A row that can't be read (NaN as an amount): [*BadRow], and the next row can.
//   - Bank suffers: [Throttle] slows the readers down.
//   - A snapshot that is held for long keeps Postgres from removing dead rows: as long as extracting takes.
//
// # File map
//
//	table.go row.go key.go   tables, and their rows
//	place.go                 the place; ranges of chunks
//	database.go aurora.go    snapshot, reading, exporting
//	api.go                   through the API
//	csv.go read.go           chunks
//	throttle.go              not more than Bank can take
package source
