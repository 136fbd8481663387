// Package report shows what package parity has found: as a table in the terminal, as JSON for programs, and as one HTML page with plots, which needs nothing but itself: no script,
// no font, no picture from elsewhere, so that it can be mailed and kept.
//
// # Invariants
//
//   - All three say the same numbers; the page and the table leave rows out of long lists, and say so.
//   - What comes from events (symbols, ids of clients) is escaped.
//
// # Files
//
//	text.go            the terminal
//	html.go page.html  the page
//	plot.go            bars and days, as SVG
package report
