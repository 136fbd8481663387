// Package bank is the contract of the legacy API: its resources, what a request may hold and how it is read, its errors, and a client. It knows
// nothing of who answers: the reference Bank (package legacy), BK (package books), or the façade in front of both. So all of them read a
// request in the same way, which is half of giving the same answers.
//
// # Reading a request
//
// ReadTrades and its like take the body's bytes and give values that are normalised: defaults filled in, old field names replaced, seconds made
// milliseconds, decimals without needless zeros, JSON that is kept compacted. From there on two trades are the same if Trade.Same says so, which
// compares AppendJSON's text, the one spelling of a trade. Reading that text gives the same trade again, also after others have added the
// escapes they are fond of. (So a timestamp too early to be read as milliseconds is spelled in seconds there; what a client is shown, StoredTrade, has
// milliseconds.) A row of an upload takes the same way: TradeRows makes of it the JSON that its columns are the paths of.
//
// Bodies are walked by a scanner of our own, once to check, and over each object once more to cut it into its fields (a call's trades are checked and cut at
// once), which stay pieces of one string. A field is then looked up by its exact name when its turn comes. encoding/json was tried in thought and set aside: it matches names
// whatever their case, takes the last of two fields with one name, replaces bad UTF-8 without a word, and gives faults in the body's order, not in that of the
// contract's table. Its verdict on what JSON is serves as the oracle of our fuzz tests. With nearly all fields a trade costs twice what
// json.Valid alone takes for it (BenchmarkReadTrades).
//
// # Events
//
// Event is one of Bank's events, of whatever kind. AppendJSON is the one writer of them, for Bank's outbox as for whoever takes its place on the topics, so that equal events are equal
// bytes. ReadEvent takes any spelling: AppendJSON's own in one walk that expects each field at its place, another by the fields' names.
//
// # Invariants
//
//   - Faults come in the contract's order: first the body as a whole (malformed_request), then the first fault of the first element that has one, its
//     fields in the order of the table (malformed_trade), then the number of elements (too_many_trades).
//   - null is the same as left out. A field that is given twice is a fault if it is a known one. Unknown fields are not looked at.
//   - Every text is UTF-8, has no lone surrogate and no NUL character; JSON that is kept may have an escaped NUL (backslash u0000). Whoever stores it takes
//     the column type json, text or bytea: jsonb refuses it, and changes the rest.
//   - Every product that decides cash is exact: quantity x price, and the sum of what the account pays or gets, have at most 18 integer and 10
//     fraction digits, or the trade is refused.
//   - A trade whose type has no second account has no TargetAccountID, whatever the client sent. An Interest that says nothing is nil. Settlement.Currency is
//     always set.
//   - A trade keeps at most MaxKeptBytes of what is kept as given, and a body is at most 200 deep.
//
// # The client
//
// Client makes each call of the contract over HTTP. What matters to callers that write is which of three things went wrong. The system said no: *Error.
// Nobody knows: *Error of type outcome_unknown, whether the system said so or its answer was lost; the same call again tells. Nothing was sent: ErrNotSent. A
// status that no error of the contract has (a proxy's 502) counts as a lost answer if it is a 5xx, and as a plain error if it is a 4xx.
//
// # Files
//
//   - trade.go, resource.go, upload.go, id.go, decimal.go, error.go: what is given and taken
//   - scan.go, text.go: JSON text and its strings
//   - field.go: the kinds of field; read.go: trades; operation.go: other bodies; row.go: rows of uploads
//   - write.go: the one spelling
//   - event.go, event_quick.go, event_read.go: Bank's events; event_scan.go, quick_send.go: their values for who needs no Event
//   - client.go, calls.go: the client
package bank
