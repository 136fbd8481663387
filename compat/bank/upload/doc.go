// Package upload takes in files of trades and of cancels, keeps them in Postgres, and works them off in the background, row by row and in
// order. The reference Bank and the façade have one each, in their own database: [Migration] gives the tables.
//
// # A file
//
// [Store.Receive] writes what comes in to a file without a name, so that neither a slow client holds a connection to the database nor a big file much memory,
// and nothing is left behind by a crash. Its SHA-256 is its id. Once it is whole it goes to the database in one transaction, in parts of 1 MiB; who is second with
// the same file is told file_exists by the unique key, on whatever replica. Its parts are removed when it has been worked off.
//
// # The worker
//
// Each replica runs a [Worker]; the one that holds an advisory lock works. The lock belongs to a connection, and progress is saved over just that
// connection: a worker that has lost its lock without knowing can save no more, and stops. Files are taken by their number, which is given under a lock, so
// that it is the order of arrival. A row is booked by a call of its own to [Books], as a client would book it.
//
// Progress is the number of rows done and skipped, saved with the errors found in one transaction: after some rows or a second, before
// a pause, and at the end. Whoever goes on reads the file from its start and passes over so many rows.
//
// # Invariants
//
//   - A row is counted once, as processed or as skipped, whatever crashes.
//   - Nothing is booked twice: rows behind the saved progress are booked again, and that is a repeat by their client's ids.
//   - A row is skipped for a fault of its own only, of a closed list of types. Anything else (no connection, internal, outcome_unknown, a wrong key) is tried again, with
//     growing pauses, for as long as it takes; the file waits, and so do those behind it.
//
// # Cancels
//
// A cancel that was done is refused when it is done again, so a repeat looks like a bad row. Before a cancel the worker therefore looks at the trade. Is it
// cancelled, the row is bad. Else the row's number is saved as attempted, and only then is the trade cancelled. Where an attempted row is told
// trade_already_canceled, after a crash or a lost answer, the trade was live when the row began: the row has done it. Comparing the time of the cancel with the time
// of the attempt was the alternative; it needs clocks that agree.
//
// # Failure by failure
//
//   - Killed while receiving: nothing is kept; the client sends the file again.
//   - Killed while working: the lock goes with the connection; another replica goes on within Poll, from the saved progress.
//   - Postgres away: receiving fails with internal; the worker logs it and begins anew every Poll.
//   - A file that cannot be read on (broken gzip, a row over 4 MiB, cancels with other columns): failed, with an error at the row where it ended; what was
//     booked stays.
//   - A bare quote in a row: the row is bad, the next is read on its own.
//
// # Files
//
//   - upload.sql, schema.go: the tables
//   - store.go: Store; file.go: files that come in, and their rows; worker.go: Worker, Books
package upload
