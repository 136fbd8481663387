// Package script makes what books asks of BK, and what it keeps beside BK, out of what Bank has done: commands, definitions, and the rows of facade.books_*.
// Its functions are pure. Package books runs them against a live BK and its own database; compat/bootstrap/history runs them over all of Bank's history at once. So a trade
// that was loaded and one that was replayed are the same to whoever reads them.
//
// # Files
//
//	command.go   trades, cancels and cash that Bank decided
//	define.go    symbols, accounts, entities
//	keep.go      texts that are too long for BK; trades that bring no cash
package script
