// Package wire converts between the messages of bk.v1 and the types of package ledger, both ways. It is the only place that does, it
// is pure, and it knows neither HTTP nor the journal.
//
// # Invariants
//
//   - What a request says is taken over or refused, never dropped and never rounded: every amount is parsed here, and what does
//     not parse is a [ledger.Rejection] that names the field by the request's own names.
//   - Requests are converted whether or not they were validated before: a converter never panics on any message.
//   - [Entry] and [EntryFrom] lose nothing: converted there and back an entry is the same.
//
// # Names of fields
//
// The ledger names fields by its own command ("postings[3].account", "replaces"). A request may have them elsewhere
// ("entry.postings[3].account", "correct.target"). A [Form] says which request it was, and [Form.Rename] moves a rejection's field there.
//
// # File map
//
//	command.go form.go   requests to commands, the names of their fields
//	trade.go day.go      trades and days, both ways; where a trade stood
//	directory.go         accounts and instruments, both ways
//	entry.go receipt.go  entries, both ways; receipts
//	enum.go value.go     enums; amounts, dates, times
package wire
