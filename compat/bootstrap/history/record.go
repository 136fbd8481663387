package history

import (
	"bytes"
	"encoding/json"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/ledger"
)

// fix is a repair that transform made.
type fix struct {
	rule            Rule
	field, was, now string
}

// tradeRecord is a trade, examined.
type tradeRecord struct {
	row      source.Trade
	raw      string // the row as JSON, where it can't be read
	request  string // normalised, as AppendJSON spells it; "" where it can't be read
	rule     Rule   // why it can't be booked; "": it can
	reason   string
	charged  bankmap.Charged
	fixes    []fix // what row has been repaired of already
	quantity ledger.Amount
	// principal is what quantity costs, with interest; fees are commission, SEC fee and TAF. All are unsigned.
	principal ledger.Amount
	fees      [3]ledger.Amount
}

func (t *tradeRecord) place() int64                   { return int64(t.row.TradeID) }
func (t *tradeRecord) before(other *tradeRecord) bool { return t.row.TradeID < other.row.TradeID }

func (t *tradeRecord) code(c *coder) {
	r := &t.row
	c.id(&r.TradeID)
	c.id(&r.AccountID)
	c.text(&r.ClientTradeID)
	codeID(c, &r.TargetAccountID)
	c.date(&r.TradeDate)
	c.date(&r.SettleDate)
	c.text(&r.State)
	c.text(&r.Symbol)
	c.text(&r.Currency)
	c.flag(&r.Sell)
	for _, d := range []*bank.Decimal{&r.Quantity, &r.Price, &r.GrossAmount, &r.SECFee, &r.TAFFee, &r.NetAmount} {
		codeDecimal(c, d)
	}
	codePointer(c, &r.Running, codeDecimal)
	codePointer(c, &r.TargetRunning, codeDecimal)
	c.int(&r.BookedAt)
	codePointer(c, &r.CanceledAt, func(c *coder, v *int64) { c.int(v) })
	codeID(c, &r.ReplacedBy)
	codeID(c, &r.Replaces)
	c.text(&r.Request)
	same := t.request == r.Request // as nearly always: Bank stores it in its one spelling
	c.flag(&same)
	if t.request == "" && same {
		t.request = r.Request
	}
	if !same {
		c.text(&t.request)
	}
	c.text(&t.raw)
	c.text((*string)(&t.rule))
	c.text(&t.reason)
	c.flag(&t.charged.NoSECFee)
	c.flag(&t.charged.NoTAFFee)
	c.date(&t.charged.SettleDate)
	n := int64(len(t.fixes))
	c.int(&n)
	if c.reading {
		t.fixes = make([]fix, max(0, min(n, 8)))
	}
	for i := range t.fixes {
		f := &t.fixes[i]
		c.text((*string)(&f.rule))
		c.text(&f.field)
		c.text(&f.was)
		c.text(&f.now)
	}
	c.amount(&t.quantity)
	c.amount(&t.principal)
	for i := range t.fees {
		c.amount(&t.fees[i])
	}
}

func codePointer[T any](c *coder, v **T, code func(*coder, *T)) {
	there := *v != nil
	c.flag(&there)
	if !there {
		return
	}
	if c.reading {
		*v = new(T)
	}
	code(c, *v)
}

func codeID(c *coder, v **bank.ID) {
	codePointer(c, v, func(c *coder, id *bank.ID) { c.id(id) })
}

func codeDecimal(c *coder, v *bank.Decimal) {
	text := ""
	if !c.reading {
		text = v.String()
	}
	c.text(&text)
	if c.reading && c.err == nil {
		c.err = v.UnmarshalJSON([]byte(`"` + text + `"`))
	}
}

// link says that a trade names another as the one that it replaces.
type link struct {
	replaced, by bank.ID
	at           int64 // when by was booked
}

func (l *link) place() int64 { return int64(l.replaced) }

func (l *link) before(other *link) bool {
	return l.replaced < other.replaced || l.replaced == other.replaced && l.by < other.by
}

func (l *link) code(c *coder) {
	c.id(&l.replaced)
	c.id(&l.by)
	c.int(&l.at)
}

// opened says where in the journal a trade came into force.
type opened struct {
	trade bank.ID
	row   bank.ID // its first journal row of that
	date  bank.Date
}

func (o *opened) place() int64 { return int64(o.trade) }

func (o *opened) before(other *opened) bool {
	return o.trade < other.trade || o.trade == other.trade && o.row < other.row
}

func (o *opened) code(c *coder) {
	c.id(&o.trade)
	c.id(&o.row)
	c.date(&o.date)
}

// step is a journal row.
type step struct {
	row source.JournalRow
	bad string // why its amounts can't be BK's; "": they can
	raw string // the row as JSON, where it can't be read

	tdQuantity, tdAmount, sdQuantity, sdAmount ledger.Amount
}

func (s *step) place() int64            { return int64(s.row.JournalID) }
func (s *step) before(other *step) bool { return s.row.JournalID < other.row.JournalID }

func (s *step) code(c *coder) {
	r := &s.row
	c.id(&r.JournalID)
	c.id(&r.AccountID)
	c.date(&r.Date)
	codeID(c, &r.TradeID)
	codeID(c, &r.CashID)
	c.text(&r.Symbol)
	c.text(&r.Currency)
	c.text(&r.Memo)
	c.text(&s.bad)
	c.text(&s.raw)
	for _, a := range []*ledger.Amount{&s.tdQuantity, &s.tdAmount, &s.sdQuantity, &s.sdAmount} {
		c.amount(a)
	}
	if s.bad != "" {
		for _, d := range []*bank.Decimal{&r.TDQuantity, &r.TDAmount, &r.SDQuantity, &r.SDAmount} {
			codeDecimal(c, d)
		}
	}
}

// asRow gives a row as quarantine shows it: as JSON where it can't be read.
func asRow(raw string, row any) any {
	if raw != "" {
		return json.RawMessage(raw)
	}
	return row
}

// whole gives the row with its decimals, which only quarantine asks for.
func (s *step) whole() source.JournalRow {
	r := s.row
	if s.bad == "" {
		r.TDQuantity, r.TDAmount = bankmap.Amount(s.tdQuantity), bankmap.Amount(s.tdAmount)
		r.SDQuantity, r.SDAmount = bankmap.Amount(s.sdQuantity), bankmap.Amount(s.sdAmount)
	}
	return r
}

// cashRecord is a cash movement, examined.
type cashRecord struct {
	row    source.Cash
	raw    string // as a trade's
	rule   Rule
	reason string
	fixes  []fix
	amount ledger.Amount
}

// place is the id; one that was made of a journal row, because Bank's API tells of no other, is that row's, negated.
func (m *cashRecord) place() int64 { return cashPlace(m.row.CashID) }

func (m *cashRecord) before(other *cashRecord) bool { return m.place() < other.place() }

func cashPlace(id bank.ID) int64 { return max(int64(id), -int64(id)) }

func (m *cashRecord) code(c *coder) {
	r := &m.row
	c.id(&r.CashID)
	c.text(&r.ClientID)
	c.id(&r.AccountID)
	codeID(c, &r.TargetAccountID)
	c.text(&r.Currency)
	codeDecimal(c, &r.Amount)
	c.text(&r.Kind)
	c.int(&r.BookedAt)
	c.text(&m.raw)
	c.text((*string)(&m.rule))
	c.text(&m.reason)
	n := int64(len(m.fixes))
	c.int(&n)
	if c.reading {
		m.fixes = make([]fix, max(0, min(n, 8)))
	}
	for i := range m.fixes {
		f := &m.fixes[i]
		c.text((*string)(&f.rule))
		c.text(&f.field)
		c.text(&f.was)
		c.text(&f.now)
	}
	c.amount(&m.amount)
}

// fold is a client's id without case and space, hashed: equal ones stand beside each other.
type fold struct{ sum [16]byte }

func (f *fold) place() int64            { return firstPlace } // hashes are all over the range: all runs are open from the beginning
func (f *fold) before(other *fold) bool { return bytes.Compare(f.sum[:], other.sum[:]) < 0 }

func (f *fold) code(c *coder) {
	text := string(f.sum[:])
	c.text(&text)
	copy(f.sum[:], text)
}

const firstPlace = -1 << 63
