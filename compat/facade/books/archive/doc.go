// Package archive keeps, in the façade's own database, what was over at Bank when BK's books were opened with balances: settled and cancelled trades, cash movements, Bank's journal. Bank's
// API on BK goes on answering from it as Bank did. Without such an opening there is no archive, and nothing is asked of the database but that, once.
//
// # What BK has, and what is here
//
//	BK       opening balances: of each account and each holding what is settled, against control:bootstrap:opening
//	         trades that can still change (new, open), under their ids and times; all that comes later
//	archive  trades that are settled or cancelled, as Bank's API answers them, with the hash of their request
//	         of the trades that BK has: their running positions, and in whose place they stand
//	         cash movements: client id, hash, id; Bank's journal, row by row
//
// # Invariants
//
//   - A trade is either in the archive as a whole, or in BK. Neither changes: what is here was over, and a client's id that is here is never booked in BK.
//   - What is here is written by the load alone, but for archive_replaced. So the same question has the same answer for ever, and no lock is needed between a look here and a booking in BK.
//   - Rows of Bank's journal come first: BK's entries up to [Place].Head have none, and those behind it have ids above [Place].LastRow.
//   - A cancelled trade can still get a successor (the contract: the two are only linked). Which trade that is, is in BK: that one's request names it. Table archive_replaced has the
//     candidates, written before they are booked; whoever reads asks BK which of them were.
//
// # Failure by failure
//
//   - The façade's database is away: what could be here is internal, the contract's word for anything else. Balances and positions go on, as they are BK's alone.
//   - Killed between a candidate and its booking: BK has no such trade, and the candidate says nothing.
//
// # Rejected
//
//   - Closed trades as entries without postings in BK: its journal would be as long as with all of the history.
//   - Columns for each field of a trade: nobody searches by them; the body is what is answered.
//
// # Files
//
//	archive.go   Store, Place, Hash; trades.go: trades, lists, links; rows.go: journal, cash movements
package archive
