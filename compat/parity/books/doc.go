// Package books holds the books themselves against each other: the tables in which Bank keeps what it has against what BK's projections say, by SQL in a warehouse. Streams may be
// equal while the books are not (a row changed by hand gives no event), and the other way round; both have to be.
//
// # What is read
//
// Bank's tables are read straight from its Postgres in one snapshot (repeatable read), streamed and landed in chunks: accounts, the business date, trades, positions, balances,
// and the journal. BK is read through its own API as known at one place of its journal, which is asked for after Bank's snapshot was taken: the journal up to there, trades and
// positions as known there, cash, and the frozen cuts of the days that have ended. Nothing is asked of Bank's API, of the façade, or of their caches: what compat/shadow
// (hotswap compare) compares over HTTP, answer by answer, is compared here by what is stored, all at once. Translation is package bankmap's in both.
//
// Where BK's books were opened with balances (package bootstrap's mode opening), what was over then is read from the façade's archive (package archive) and taken as BK's: its trades, and Bank's
// journal rows in the place of those of the entries that were loaded. Positions, balances and cuts are BK's alone, and have to be what the archive's rows and BK's add up to.
//
// # What is compared
//
//	accounts        there on both sides, of the same entity
//	business date
//	trades          every field, the stored request as text included; state, links, times of booking and cancel
//	journal         row by row, matched by account, trade or cash movement, memo and occurrence; and in which order an account's rows stand
//	positions       trade-date and settled quantity, zero where there is no row
//	balances        settled cash, debits and credits, trade cash
//	days            sums of the journal by account, symbol or currency, and business date
//	cuts            for each day that has ended: what Bank's journal adds up to by then, against BK's frozen cut of the day
//	each by itself  positions and balances against the sums of the same side's journal
//
// A cut has what was effective by its day and known when the day ended. Bank knows neither, so what BK booked on the business date behind the day's end, or effective later
// (cash and trades from before the first business date), is taken off Bank's sum, by BK's rows; that these are Bank's rows, too, is what the comparison of the journal proves.
//
// # Both may be written to meanwhile
//
// An account in which something differs is looked at again, with a new snapshot of Bank's and a later place of BK's, until it is equal or [Config].Wait is over: a system that
// lags comes up. Only what still differs then is reported. An account that is written to without a pause may be reported nevertheless. The business date and the days are looked at
// again with everything else.
//
// # Causes
//
// A difference that follows from another one is no cause of its own: journal rows of a trade that is missing or differs follow from the trade; sums, cuts, positions and balances
// of an account in a symbol or currency follow from a row of its journal that is missing, differs, or is too many there on that day or before; an account that is missing explains all
// that it has. Causes are grouped by kind, with the rows that differ, the accounts, and the money that the first of each chain moves.
//
// # Failure by failure
//
//   - Either system, or the warehouse, can't be read: an error, and no report. The tables in the warehouse are of no use then; the next comparison begins by emptying them.
//   - The comparison is killed: the same.
//   - Bank's snapshot lives as long as it takes to read its tables. On a busy Bank that is minutes in which Postgres keeps dead rows.
//   - BK answers behind or unavailable: asked again for [Config].Patience.
//   - BK's own users have booked what Bank doesn't have: extra trades and rows. They are differences, and a rule may explain them.
//
// # In memory
//
// A chunk of rows, the names of BK's instruments, the ids of BK's accounts that Bank knows, and the differences that are kept in words. All else is in the warehouse.
//
// # Rejected
//
//   - Postgres' foreign tables, or DuckDB's extension for Postgres: what compares would depend on extensions that have to be fetched, and Snowflake has neither.
//   - Cuts rebuilt from Bank's journal day by day in Go: the sum is what SQL is for.
//   - Matching journal rows by their place: one row that is missing would shift all that are behind it.
//
// # Files
//
//	config.go report.go   Config, Report, Finding, Cause
//	tables.go land.go     the tables in the warehouse, and writing them
//	bank.go               Bank's side
//	bk.go journal.go      BK's side: projections; the journal
//	compare.go            looks, until both are the same
//	trades.go rows.go sums.go   the SQL, by what it compares
//	cause.go              what follows from what
package books
