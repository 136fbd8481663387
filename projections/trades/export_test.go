package trades

// What tests need to see the plans of.
var (
	ByIndex     = byIndex
	DueSQL      = dueSQL
	DueDatesSQL = dueDatesSQL
)
