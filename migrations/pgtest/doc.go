// Package pgtest gives tests real Postgres databases with BK's schema.
//
// A package that uses it has
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
// and its tests, parallel or not, call New for a database of their own:
//
//	conn, err := pgx.Connect(ctx, pgtest.New(t))
//
// The first New of a test binary starts a throw-away server (package embedded)
// and migrates a template database; each New then clones the template, some tens
// of milliseconds. If the environment variable BK_TEST_POSTGRES has the DSN of a
// role that may create databases, that server is used instead, shared by all test
// binaries; `go run ./migrations/pgtest/with -- go test ./...` sets it to a
// throw-away server for the run of one command.
//
// # Invariants
//
//   - A template's name contains the fingerprint of the migrations, so it is
//     never stale, and it appears under that name only once complete: it is
//     migrated under another name, under an advisory lock, and renamed.
//   - Nobody can connect to a template, so cloning never finds it in use,
//     however many clone at once.
//   - A test's database is dropped when the test ends, with the connections it left.
//
// What CREATE DATABASE doesn't copy from a template is not there in a clone:
// grants on the database itself and ALTER DATABASE SET. Roles belong to the
// server, so the tests of a server share them.
//
// # Failure by failure
//
//   - A test binary is killed: its own server ends with it; on a shared server
//     its databases stay until that server goes.
//   - Killed while making a template: the half one has another name; whoever
//     comes next drops it and starts over.
//   - A test kills Postgres: it must have its own, from Cluster.
//
// # Files
//
//   - pgtest.go: Main, New, Cluster
//   - template.go: templates and clones
//   - with/: the command
package pgtest
