package positions

import (
	"encoding/binary"
	"errors"

	"github.com/bkledger/bk/ledger"
)

// A block's records are bytes: for each a byte of flags, then date, trade and sequence number as differences, then amounts. An amount is a byte (sign,
// size, zeros at its end) and what is left without those zeros. A trade of 100 at 167.41 takes a dozen bytes. There is one encoding of a block
// only, and appending a record appends its bytes.

const (
	flagFill     = 1 << iota
	flagCanceled // the cancel's sequence number follows
	flagS        // s follows
	flagNeutral  // s is minus u, and does not follow
	flagU        // u follows
	flagValue    // the value follows: a movement's, if not 0, or a fill's, if not quantity × price
	allFlags     = 1<<iota - 1
)

var errEncoding = errors.New("the bytes are no records")

// product is what a fill's value is without saying.
func (r *record) product() (ledger.Amount, bool) {
	q := r.quantity()
	if q.Sign() < 0 {
		q = q.Neg()
	}
	gross, err := q.Mul(r.price)
	return gross, err == nil
}

// appendRecord adds a record that follows prev; the first one follows the block's bound.
func appendRecord(b []byte, prev place, r *record) []byte {
	at := len(b)
	b = append(b, 0)
	b = binary.AppendVarint(b, int64(r.date)-int64(prev.date))
	b = binary.AppendVarint(b, int64(r.trade)-int64(prev.trade))
	b = binary.AppendVarint(b, int64(r.seq)-int64(r.trade.Seq()))
	flags := byte(0)
	if !r.u.IsZero() {
		flags |= flagU
		b = appendAmount(b, r.u)
	}
	switch {
	case r.s.IsZero():
	case r.s == r.u.Neg():
		flags |= flagNeutral
	default:
		flags |= flagS
		b = appendAmount(b, r.s)
	}
	var implied ledger.Amount
	if r.fill {
		flags |= flagFill
		b = appendAmount(b, r.price)
		implied, _ = r.product()
	}
	if r.value != implied {
		flags |= flagValue
		b = appendAmount(b, r.value)
	}
	if r.canceled != 0 {
		flags |= flagCanceled
		b = binary.AppendUvarint(b, r.canceled)
	}
	b[at] = flags
	return b
}

// appendRecords adds a block's records.
func appendRecords(b []byte, bound place, records []record) []byte {
	prev := bound
	for i := range records {
		b = appendRecord(b, prev, &records[i])
		prev = records[i].place
	}
	return b
}

// parseRecords reads a block's records into the slice given.
func parseRecords(b []byte, bound place, into []record) ([]record, error) {
	d := decoder{b: b}
	for prev := bound; len(d.b) > 0; {
		flags := d.byte()
		r := record{fill: flags&flagFill != 0}
		r.date = prev.date + ledger.Date(d.varint())
		r.trade = prev.trade + ledger.ID(d.varint())
		r.seq = uint64(int64(r.trade.Seq()) + d.varint())
		if flags&flagU != 0 {
			r.u = d.amount()
		}
		if flags&flagS != 0 {
			r.s = d.amount()
		}
		if flags&flagNeutral != 0 {
			r.s = r.u.Neg()
		}
		if r.fill {
			r.price = d.amount()
		}
		if flags&flagValue != 0 {
			r.value = d.amount()
		} else if r.fill {
			r.value, _ = r.product()
		}
		if flags&flagCanceled != 0 {
			r.canceled = d.uvarint()
		}
		if d.bad || flags&^byte(allFlags) != 0 {
			return nil, errEncoding
		}
		into = append(into, r)
		prev = r.place
	}
	return into, nil
}

// appendMark adds a block's mark.
func appendMark(b []byte, m *mark) []byte {
	b = binary.AppendUvarint(b, uint64(m.count))
	b = binary.AppendUvarint(b, uint64(m.last.date))
	b = binary.AppendUvarint(b, uint64(m.last.trade))
	b = binary.AppendUvarint(b, m.last.seq)
	b = binary.AppendUvarint(b, m.latest)
	for _, a := range [...]ledger.Amount{m.end.Unsettled, m.end.Settled, m.end.cost, m.end.realised} {
		b = appendAmount(b, a)
	}
	return b
}

func parseMark(b []byte) (m mark, err error) {
	d := decoder{b: b}
	m.count = int(d.uvarint())
	m.last = place{ledger.Date(d.uvarint()), ledger.ID(d.uvarint()), d.uvarint()}
	m.latest = d.uvarint()
	m.end.Unsettled, m.end.Settled, m.end.cost, m.end.realised = d.amount(), d.amount(), d.amount(), d.amount()
	if d.bad || len(d.b) > 0 || m.count < 1 || m.count > maxRecords {
		return m, errors.New("the bytes are no state")
	}
	return m, nil
}

const (
	amountNegative = 0x80
	amountLarge    = 0x40 // the rest is 16 bytes, not a varint
	maxZeros       = 15
)

func appendAmount(b []byte, a ledger.Amount) []byte {
	var head byte
	if a.Sign() < 0 {
		head, a = amountNegative, a.Neg()
	}
	hi, lo := a.Bits()
	if hi != 0 {
		b = append(b, head|amountLarge)
		return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, uint64(hi)), lo)
	}
	zeros := byte(0)
	if lo != 0 && lo%10_000_000_000 == 0 { // whole units, the usual case
		lo, zeros = lo/10_000_000_000, 10
	}
	for zeros < maxZeros && lo != 0 && lo%10 == 0 {
		lo, zeros = lo/10, zeros+1
	}
	return binary.AppendUvarint(append(b, head|zeros), lo)
}

var powers = [maxZeros + 1]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// decoder reads numbers; once one is bad, all are.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.bad = true
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) skip(n int) {
	if n <= 0 {
		d.bad, d.b = true, nil
		return
	}
	d.b = d.b[n:]
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	d.skip(n)
	return v
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	d.skip(n)
	return v
}

func (d *decoder) amount() ledger.Amount {
	head := d.byte()
	var a ledger.Amount
	if head&amountLarge != 0 {
		if len(d.b) < 16 {
			d.bad, d.b = true, nil
			return a
		}
		a = ledger.AmountFromBits(int64(binary.BigEndian.Uint64(d.b)), binary.BigEndian.Uint64(d.b[8:]))
		d.b = d.b[16:]
	} else {
		lo, zeros := d.uvarint(), head&0x3f
		if zeros > maxZeros || lo > ^uint64(0)/powers[zeros] {
			d.bad = true
			return a
		}
		a = ledger.AmountFromBits(0, lo*powers[zeros])
	}
	if head&amountNegative != 0 {
		a = a.Neg()
	}
	return a
}
