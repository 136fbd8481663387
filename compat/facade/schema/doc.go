// Package schema holds the tables of the façade's own Postgres database as numbered SQL files and brings a database up to them.
//
// # Invariants
//
//   - A file that was released is never edited: a change is a new file with the next number.
//   - All tables are in the schema facade; what was applied is in public.facade_goose_version. So the façade can share a database with anything.
//   - Nothing here needs a superuser or an extension: a role that owns the database is enough.
//
// # Failure by failure
//
//   - Several replicas start at once: Up holds goose's session lock; the others wait and find nothing left to do.
//   - Killed inside a migration: the server rolls its transaction back, the next Up starts with that file again.
package schema
