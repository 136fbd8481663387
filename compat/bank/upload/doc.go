// Package upload takes in files of trades and of cancels, keeps them in Postgres, and works them off in the background, row by row and in
// order. The reference Bank and the façade have one each, in their own database: [Migrations] gives the tables.
//
// # A file
//
// [Store.Receive] writes what comes in to a file without a name, so that neither a slow client holds a connection to the database nor a big file much memory,
// and nothing is left behind by a crash ([Spool]). A client that sends more slowly than a [Pace] is told so, and gives its room free. The file's SHA-256 is its id. Once it is whole it goes to the database in one transaction, in parts of 1 MiB; who is second with
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
//     growing pauses, for as long as it takes, or until somebody gives it up; the file waits, and so do those behind it.
//   - A row that is booked is not given up.
//
// # Cancels
//
// A cancel that was done is refused when it is done again, so a repeat looks like a bad row. Before a cancel the worker therefore looks at the trade. Is it
// cancelled, the row is bad. Else the row's number is saved as attempted, and only then is the trade cancelled. Where an attempted row is told
// trade_already_canceled, after a crash or a lost answer, the trade was live when the row began: the row has done it. Comparing the time of the cancel with the time
// of the attempt was the alternative; it needs clocks that agree.
//
// # Giving up
//
// A row that fails in such a way is noted with its reason, its number of tries and its first one ([Store.Unfinished]), so that somebody sees what all wait for. It can
// be given up ([Store.GiveUp]): it is skipped, and among the upload's errors under the type of its last failure; who, why and when are kept. Whoever asks only leaves word. The
// worker decides, over the connection that has its lock, between two tries, and not before Settle has gone by since a call of which nobody knows what it did: it looks for
// the trade first. Is it there, the row is through. Can that not be found out, the row is kept, but for Force. So no row is given up while a call for it may succeed,
// and none by a worker that is none any more. Skipping it in the database at once was the alternative: the call under way may be the one that succeeds.
//
// # Failure by failure
//
//   - Killed while receiving: nothing is kept; the client sends the file again.
//   - Killed before it has decided on a row that is to be given up: the next one tries the row once more, and decides.
//   - Killed while working: the lock goes with the connection; another replica goes on within Poll, from the saved progress.
//   - Postgres away: receiving fails with internal; the worker logs it and begins anew every Poll.
//   - A file that cannot be read on (broken gzip, a row over 4 MiB, cancels with other columns): failed, with an error at the row where it ended; what was
//     booked stays.
//   - A bare quote in a row: the row is bad, the next is read on its own.
//
// # Files
//
//   - upload.sql, upload_held.sql, schema.go: the tables
//   - store.go: Store; spool.go, pace.go: files that come in; file.go: their rows; worker.go: Worker, Books
//   - retry.go: rows that are tried again; held.go: what people see of them, and do about them
package upload
