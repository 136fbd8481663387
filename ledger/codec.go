package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

// The journal's encoding of entries, and the canonical encoding of commands that their content hash is taken of. Both are written
// by hand because every entry passes here: little code, no reflection, one canonical form (equal values give equal bytes).
//
// A value is: unsigned integers as varints, signed ones zigzag; text as length and bytes; an amount as the count of its trailing
// zeros taken off and a zigzag varint, or 255 and sixteen bytes; times as microseconds since 1970; maps sorted by name.
// The first byte is the version; a new field needs a new version, and old versions stay readable for ever, from the first release on.
const (
	entryVersion   = 2 // 1 was never released
	contentVersion = 1
)

// Content is the versioned hash of a normalised command: a version byte and the first 16 bytes of the SHA-256.
type Content [17]byte

var hashRoom sync.Pool

// Hash gives the content hash of a normalised command: what "the same request" means (promise P4). The key itself and the source
// are left out.
func (c *Command) Hash() Content {
	room, _ := hashRoom.Get().(*encoder)
	if room == nil {
		room = new(encoder)
	}
	defer hashRoom.Put(room)
	e := append((*room)[:0], contentVersion)
	e.text(string(c.Kind))
	e.dates(c.TradeDate, c.SettleDate, c.EffectiveDate)
	e.presence(c.Trade != nil, c.Replaces != nil, c.Target != nil, c.Account != nil, c.Define != nil)
	if c.Trade != nil {
		e.trade(c.Trade)
	}
	for _, t := range [...]*Target{c.Replaces, c.Target} {
		if t != nil {
			e.int(int64(t.Trade))
			e.text(t.Key)
			e.presence(t.Link, t.UnlessSettled)
		}
	}
	if c.Account != nil {
		e.account(c.Account)
	}
	if c.Define != nil {
		e.instrument(c.Define)
	}
	e.uint(uint64(len(c.Postings)))
	for _, p := range c.Postings {
		e.ref(p.Account)
		e.identifier(p.Instrument)
		e.uint(uint64(p.Bucket))
		e.amount(p.Quantity)
	}
	e.pairs(c.Fields)
	e.pairs(c.Metadata)
	sum := sha256.Sum256(e)
	*room = e
	var h Content
	h[0] = contentVersion
	copy(h[1:], sum[:])
	return h
}

// AppendEntry appends the journal's encoding of an entry.
func AppendEntry(b []byte, en *Entry) []byte {
	e := encoder(append(b, entryVersion))
	e.uint(uint64(en.ID))
	e.int(en.Epoch)
	e.int(en.BookedAt.UnixMicro())
	e.text(string(en.Kind))
	e.text(en.Key)
	e = append(e, en.Content[:]...)
	e.text(en.Source)
	e.dates(en.TradeDate, en.SettleDate, en.EffectiveDate)
	e.presence(en.Trade != nil, en.Account != nil, en.Define != nil, en.Day != nil)
	e = append(e, byte(1+slices.Index(tradeStates, en.State)))
	for _, id := range [...]ID{en.Links.Trade, en.Links.Reverses, en.Links.Corrects, en.Links.ReplacedBy, en.Links.Root} {
		e.uint(uint64(id))
	}
	e.uint(uint64(len(en.Postings)))
	for _, p := range en.Postings {
		e.int(p.Account)
		e.int(p.Instrument)
		e.uint(uint64(p.Bucket))
		e.amount(p.Quantity)
	}
	if en.Trade != nil {
		e.trade(en.Trade)
		for _, a := range [...]Amount{en.Trade.Gross, en.Trade.SECFee, en.Trade.TAFFee, en.Trade.Net} {
			e.amount(a)
		}
		if kind := en.Trade.Kind; kind == en.Kind { // on a booking it stands already; on a cancel it does not
			e.text("")
		} else {
			e.text(string(kind))
		}
	}
	if en.Account != nil {
		e.account(en.Account)
	}
	if en.Define != nil {
		e.instrument(en.Define)
	}
	if en.Day != nil {
		e.day(en.Day)
	}
	e.pairs(en.Fields)
	e.pairs(en.Metadata)
	return e
}

// ErrEntryEncoding is the error of bytes that no [AppendEntry] wrote.
var ErrEntryEncoding = errors.New("ledger: not an encoded entry")

// DecodeEntry reads what [AppendEntry] wrote. Bytes that are cut, too long or not canonical are [ErrEntryEncoding].
func DecodeEntry(b []byte) (*Entry, error) {
	d := &decoder{b: b}
	if v := d.byte(); v != entryVersion {
		return nil, fmt.Errorf("%w: version %d", ErrEntryEncoding, v)
	}
	en := &Entry{
		ID: ID(d.uint()), Epoch: d.int(), BookedAt: d.time(), Kind: Kind(d.text()), Key: d.text(),
	}
	copy(en.Content[:], d.take(len(en.Content)))
	en.Source = d.text()
	en.TradeDate, en.SettleDate, en.EffectiveDate = d.date(), d.date(), d.date()
	has := d.flags(4)
	if state := int(d.byte()); state > len(tradeStates) {
		d.fail()
	} else if state > 0 {
		en.State = tradeStates[state-1]
	}
	en.Links = Links{Trade: ID(d.uint()), Reverses: ID(d.uint()), Corrects: ID(d.uint()), ReplacedBy: ID(d.uint()), Root: ID(d.uint())}
	if n := d.count(MaxPostings); n > 0 {
		en.Postings = make([]Posting, n)
		for i := range en.Postings {
			en.Postings[i] = Posting{Account: d.int(), Instrument: d.int(), Bucket: Bucket(d.count(math.MaxUint8)), Quantity: d.amount()}
		}
	}
	if has&1 != 0 {
		en.Trade = d.trade()
		en.Trade.Gross, en.Trade.SECFee, en.Trade.TAFFee, en.Trade.Net = d.amount(), d.amount(), d.amount(), d.amount()
		if en.Trade.Kind = Kind(d.text()); en.Trade.Kind == "" {
			en.Trade.Kind = en.Kind
		} else if en.Trade.Kind == en.Kind {
			d.fail()
		}
	}
	if has&2 != 0 {
		en.Account = d.account()
	}
	if has&4 != 0 {
		en.Define = d.instrument()
	}
	if has&8 != 0 {
		en.Day = d.day()
	}
	en.Fields, en.Metadata = d.pairs(), d.pairs()
	if d.bad || len(d.b) != 0 {
		return nil, fmt.Errorf("%w: %d bytes", ErrEntryEncoding, len(b))
	}
	return en, nil
}

var tradeStates = TradeStates()

type encoder []byte

func (e *encoder) uint(n uint64) { *e = binary.AppendUvarint(*e, n) }
func (e *encoder) int(n int64)   { *e = binary.AppendVarint(*e, n) }
func (e *encoder) text(s string) { e.uint(uint64(len(s))); *e = append(*e, s...) }
func (e *encoder) bool(b bool)   { e.presence(b) }

func (e *encoder) presence(flags ...bool) {
	var b byte
	for i, f := range flags {
		if f {
			b |= 1 << i
		}
	}
	*e = append(*e, b)
}

func (e *encoder) dates(dates ...Date) {
	for _, d := range dates {
		e.uint(uint64(d))
	}
}

func (e *encoder) amount(a Amount) {
	hi, lo := a.magnitude()
	if hi != 0 || lo > 1<<63-1 {
		*e = append(*e, 255)
		*e = binary.BigEndian.AppendUint64(*e, uint64(a.hi))
		*e = binary.BigEndian.AppendUint64(*e, a.lo)
		return
	}
	zeros := byte(0)
	if lo != 0 && lo%amountUnit == 0 { // whole units, the usual case
		lo, zeros = lo/amountUnit, AmountScale
	}
	for lo != 0 && zeros < AmountScale && lo%10 == 0 {
		lo /= 10
		zeros++
	}
	n := int64(lo)
	if a.hi < 0 {
		n = -n
	}
	*e = append(*e, zeros)
	e.int(n)
}

func (e *encoder) ref(r AccountRef) { e.int(r.ID); e.text(r.Code) }

func (e *encoder) identifier(id Identifier) {
	e.text(string(id.Type))
	e.text(id.Value)
	e.text(id.Country)
	e.text(id.Currency)
}

func (e *encoder) pairs(m map[string]string) {
	e.uint(uint64(len(m)))
	if len(m) == 0 {
		return
	}
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		e.text(name)
		e.text(m[name])
	}
}

func (e *encoder) trade(t *Trade) {
	e.int(t.ExecutedAt.UnixMicro())
	e.text(t.ClientTradeID)
	e.ref(t.Account)
	e.text(string(t.Direction))
	e.presence(t.Short, t.OmitSEC, t.OmitTAF)
	e.text(t.Effect)
	e.amount(t.Quantity)
	e.amount(t.Price)
	e.identifier(t.Instrument)
	for _, s := range [...]string{t.Currency, t.Capacity, t.MIC, t.ExecMPID, t.ContraMPID, t.ContraClearingNum} {
		e.text(s)
	}
	e.ref(t.Target)
	e.amount(t.Commission)
	e.amount(t.Accrued)
	e.text(t.OrderID)
}

func (e *encoder) day(d *Day) {
	e.dates(d.Date, d.To)
	e.bool(d.Street)
	for _, n := range [...]int64{d.Opened, d.Settled, d.CutRows} {
		e.int(n)
	}
	*e = append(*e, d.CutHash[:]...)
}

func (e *encoder) account(a *Account) {
	e.int(a.ID)
	e.text(a.Code)
	e.text(string(a.Kind))
	e.int(a.Entity)
	e.text(a.Name)
}

func (e *encoder) instrument(in *Instrument) {
	e.int(in.ID)
	e.text(in.Symbol)
	e.text(string(in.Kind))
	e.uint(uint64(len(in.Identifiers)))
	for _, id := range in.Identifiers {
		e.identifier(id)
	}
}

// decoder reads an encoding; after a fault it gives zeros and stays bad.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) fail() { d.bad, d.b = true, nil }

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.fail()
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

// flags reads a byte of n flags.
func (d *decoder) flags(n int) byte {
	b := d.byte()
	if b>>n != 0 {
		d.fail()
	}
	return b
}

func (d *decoder) uint() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 || size > 1 && d.b[size-1] == 0 {
		d.fail()
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) int() int64 {
	u := d.uint()
	return int64(u>>1) ^ -int64(u&1)
}

func (d *decoder) count(limit int) int {
	n := d.uint()
	if n > uint64(limit) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) text() string    { return string(d.take(d.count(MaxMessageBytes))) }
func (d *decoder) time() time.Time { return time.UnixMicro(d.int()).UTC() }

func (d *decoder) date() Date {
	n := d.uint()
	if n > uint64(WhenIssuedDate) {
		d.fail()
		return 0
	}
	return Date(n)
}

func (d *decoder) amount() Amount {
	zeros := d.byte()
	if zeros == 255 {
		b := d.take(16)
		if b == nil {
			return Amount{}
		}
		a := Amount{int64(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint64(b[8:])}
		if hi, lo := a.magnitude(); hi == 0 && lo <= math.MaxInt64 {
			d.fail()
		}
		return a
	}
	n := d.int()
	if zeros > AmountScale || n == math.MinInt64 || n == 0 && zeros > 0 || n != 0 && zeros < AmountScale && n%10 == 0 {
		d.fail()
		return Amount{}
	}
	for range zeros {
		if n > math.MaxInt64/10 || n < -math.MaxInt64/10 {
			d.fail()
			return Amount{}
		}
		n *= 10
	}
	return Amount{0, uint64(max(n, -n))}.negIf(n < 0)
}

func (d *decoder) ref() AccountRef { return AccountRef{ID: d.int(), Code: d.text()} }

func (d *decoder) identifier() Identifier {
	return Identifier{Type: IdentifierType(d.text()), Value: d.text(), Country: d.text(), Currency: d.text()}
}

func (d *decoder) pairs() map[string]string {
	n := d.count(MaxMetadataBytes)
	if n == 0 || n > len(d.b) {
		if n > 0 {
			d.fail()
		}
		return nil
	}
	m := make(map[string]string, n)
	last := ""
	for i := range n {
		name := d.text()
		if i > 0 && name <= last {
			d.fail()
			return nil
		}
		m[name], last = d.text(), name
	}
	return m
}

func (d *decoder) trade() *Trade {
	t := &Trade{ExecutedAt: d.time(), ClientTradeID: d.text(), Account: d.ref(), Direction: Direction(d.text())}
	flags := d.flags(3)
	t.Short, t.OmitSEC, t.OmitTAF = flags&1 != 0, flags&2 != 0, flags&4 != 0
	t.Effect = d.text()
	t.Quantity, t.Price, t.Instrument = d.amount(), d.amount(), d.identifier()
	for _, s := range []*string{&t.Currency, &t.Capacity, &t.MIC, &t.ExecMPID, &t.ContraMPID, &t.ContraClearingNum} {
		*s = d.text()
	}
	t.Target, t.Commission, t.Accrued, t.OrderID = d.ref(), d.amount(), d.amount(), d.text()
	return t
}

func (d *decoder) day() *Day {
	day := &Day{Date: d.date(), To: d.date(), Street: d.flags(1) != 0, Opened: d.int(), Settled: d.int(), CutRows: d.int()}
	copy(day.CutHash[:], d.take(len(day.CutHash)))
	return day
}

func (d *decoder) account() *Account {
	return &Account{ID: d.int(), Code: d.text(), Kind: AccountKind(d.text()), Entity: d.int(), Name: d.text()}
}

func (d *decoder) instrument() *Instrument {
	in := &Instrument{ID: d.int(), Symbol: d.text(), Kind: InstrumentKind(d.text())}
	n := d.count(MaxIdentifiers)
	for range n {
		in.Identifiers = append(in.Identifiers, d.identifier())
	}
	return in
}
