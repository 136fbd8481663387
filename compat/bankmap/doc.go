// Package bankmap translates between Bank's model (package bank) and BK's own API (bk.v1), both ways. It is the only place that knows both. Its functions
// are pure: what has to be looked up (which instrument stands for a symbol, which of Bank's ids an entry has) is an argument.
//
// # What becomes what
//
//   - An account N is BK's account N with the code cust:N.
//   - A trade is a command under the key "ACCOUNT/CLIENTID" ([TradeKey]): unique in BK as the pair is in Bank. What BK's trade has a field for goes there. All
//     else goes, as compact JSON, into the metadata under "bank" ([Extras]), which is content: so two trades that differ in anything are different
//     commands. [FromTrade] and [ToTrade] are inverse to each other on every normalised trade.
//   - A value that a field of BK can't hold (a market code with a blank in it, a client's id with a tab) goes to the extras too, and the field, if it
//     is needed, gets a stand-in.
//   - A position is kept under the symbol alone, so one BK instrument stands for one symbol: package books keeps which one. The trade names it by that
//     instrument's identifier; where the trade's own is another (type, country or currency differ), it is in the extras.
//   - Times and ids of what Bank decided first are in the command's source ([Origin]), which is no content.
//   - Entries become journal rows ([Rows]) as the contract's section 4 has it: one for the principal, one for each fee. Entries that Bank has no notion of become
//     one row for each instrument that they move, with the kind as memo.
//
// # File map
//
//	key.go      accounts and keys
//	origin.go   what Bank decided first
//	extras.go   what BK's trade has no field for
//	command.go  requests -> commands
//	trade.go    entries -> trades
//	row.go      entries -> journal rows
//	event.go    entries -> events
//	view.go     positions, balances, account trades
//	symbol.go   symbols -> identifiers
//	failure.go  BK's errors -> Bank's
package bankmap
