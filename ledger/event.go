package ledger

// Event is an event of a kind that has no type of its own, as its rule reads it: its fields, with the accounts and instruments that they name.
// What is not there makes it rejected in the end, and reads as zero until then, so a rule reads on without asking.
type Event struct {
	command  *Command
	entry    *Entry
	desk     *Desk
	accounts map[int64]string // the fields that named them
	rejected *Rejection
}

// EventRule makes the rule of an event that its fields describe: which ones there are, and the postings that they make. As a [Rule]'s Post, what
// it does may depend on nothing else.
func EventRule(kind Kind, fields []Field, post func(ev *Event)) Rule {
	return Rule{Kind: kind, Fields: fields, Post: func(c *Command, e *Entry, d *Desk) *Rejection {
		ev := &Event{command: c, entry: e, desk: d, accounts: map[int64]string{}}
		post(ev)
		return ev.rejected
	}}
}

// Account gives the account that an [AccountField] names.
func (ev *Event) Account(name string) int64 {
	ref, rej := parseRef("fields."+name, ev.command.Fields[name])
	var id int64
	if rej == nil {
		id, rej = ev.desk.Account("fields."+name, ref)
	}
	if rej == nil {
		ev.accounts[id] = name
	}
	ev.reject(rej)
	return id
}

// House gives one of the ledger's own accounts; it is opened if it is not there.
func (ev *Event) House(code string) int64 { return ev.desk.House(code) }

// Currency gives the instrument of a [CurrencyField].
func (ev *Event) Currency(name string) int64 {
	id, rej := ev.desk.Currency("fields."+name, ev.command.Fields[name])
	ev.reject(rej)
	return id
}

// Security gives the instrument that a [SecurityField] names.
func (ev *Event) Security(name string) int64 {
	f := Field{Name: name}
	id, rej := ev.desk.Instrument("fields."+name, f.identifier(ev.command.Fields))
	ev.reject(rej)
	return id
}

// Amount gives a [PositiveField] or [NotNegativeField], zero if it is left out.
func (ev *Event) Amount(name string) Amount {
	text := ev.command.Fields[name]
	if text == "" {
		return Amount{}
	}
	amount, err := ParseAmount(text)
	if err != nil {
		ev.reject(rejectAmount("fields."+name, err))
	}
	return amount
}

// Text gives a field as it is, in its canonical form.
func (ev *Event) Text(name string) string { return ev.command.Fields[name] }

// Move takes a quantity of an instrument from one account and gives it to another, both settled; of zero it makes nothing.
func (ev *Event) Move(from, to, instrument int64, quantity Amount) {
	if from == to && from != 0 { // 0 is rejected, or will be opened
		ev.Reject(ReasonInvalid, ev.accounts[to], "is the account on the other side, too")
	}
	ev.Post(from, instrument, Settled, quantity.Neg())
	ev.Post(to, instrument, Settled, quantity)
}

// Post makes one posting; of zero it makes none.
func (ev *Event) Post(account, instrument int64, bucket Bucket, quantity Amount) {
	if !quantity.IsZero() {
		ev.entry.Postings = append(ev.entry.Postings, Posting{account, instrument, bucket, quantity})
	}
}

// Reject refuses the event because of a field. Of several rejections the one of first precedence counts.
func (ev *Event) Reject(reason Reason, name, format string, args ...any) {
	ev.reject(Reject(reason, "fields."+name, format, args...))
}

func (ev *Event) reject(rej *Rejection) { ev.rejected = earlier(ev.rejected, rej) }
