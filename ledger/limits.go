package ledger

// Every limit on what a caller may send, in one place (promise P9). Exceeding one is [ReasonTooLarge].
const (
	MaxKeyBytes      = 256       // idempotency key
	MaxPostings      = 1000      // postings of an entry
	MinPostings      = 2         // postings of an entry that moves anything
	MaxMetadataBytes = 64 << 10  // names and values of the metadata together
	MaxCodeBytes     = 64        // account code
	MaxNameBytes     = 256       // free text: names, sources, order ids
	MaxIdentifiers   = 16        // identifiers of an instrument
	MaxMPIDBytes     = 10        // market participant and market codes (bank-api: 1 to 10 characters)
	MaxBatch         = 1000      // commands of one batch
	MaxFields        = 64        // fields of an event that has no type of its own
	MaxMessageBytes  = 8 << 20   // a request message
	MaxAccountID     = 1<<40 - 1 // account ids that a caller may choose; the ledger's own begin above
)
