package trades

// What tests need to see the plans of.
var (
	ByIndex     = byIndex
	DueSQL      = dueSQL
	DueDatesSQL = dueDatesSQL
)

// What tests are fitted to.
const (
	IsNew        = isNew
	IsOpen       = isOpen
	BlockEntries = blockEntries
)
