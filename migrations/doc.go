// Package migrations holds BK's database schema as numbered SQL files and
// brings a Postgres database up to it.
//
// # Invariants
//
//   - A file under sql/ that was released is never edited: a change is a new
//     file with the next number. What was applied is recorded in
//     public.goose_db_version, by version.
//   - Each file runs in one transaction (unless it says otherwise with goose's
//     NO TRANSACTION), so a failed migration leaves the database at the
//     version before it.
//   - Nothing here needs a superuser, an extension or a server file: a role
//     that owns the database is enough.
//
// # Failure by failure
//
//   - Two processes migrate at once: Up holds goose's session-level advisory
//     lock; the second waits (up to five minutes) and then finds nothing left to
//     do. The lock belongs to the session, so a killed holder frees it.
//   - The process is killed inside a migration: its transaction is rolled back
//     by the server; the next Up starts with that file again.
//   - The database is ahead of this program (a roll-back of a release): Up does
//     nothing and says so in the log; Status shows the versions it has no
//     file for.
//
// # Files
//
//   - migrations.go: Up, Status, Fingerprint
//   - sql/: the schema
//   - embedded/: the Postgres and Kafka that `bk dev` and tests run on
//   - pgtest/: databases for tests
package migrations
