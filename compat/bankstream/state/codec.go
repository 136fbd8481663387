package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/ledger"
)

// The errors of a restore.
var (
	// ErrCorrupt says that a record of the changelog isn't one, or isn't where it belongs.
	ErrCorrupt = errors.New("the changelog is corrupt")
	// ErrIncomplete says that the changelog lacks records that the state needs.
	ErrIncomplete = errors.New("the changelog is incomplete")
	// ErrVersion says that the changelog was written by another version.
	ErrVersion = errors.New("the changelog is another version's")
)

const version = 1

// The kinds of record, and the first byte of their keys.
const (
	kindDelta    = 'd'
	kindSnapshot = 's'
	kindSkip     = 'k'
)

// What a record's body is made of.
const (
	opHolding = 1 // account, instrument, both sums
	opTrade   = 2 // account, trade, what is kept of it
	opDrop    = 3 // account, trade
	opSkip    = 4 // an event that was left out
	opSkipped = 5 // how many ever were: in a snapshot, behind those that it lists
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const checksumBytes = 4

// Amounts of up to 8 bytes are by far the most; a byte before both says how each is written.
const (
	amountZero  = 0
	amountSmall = 1
	amountLarge = 2
)

func amountForm(a ledger.Amount) byte {
	hi, lo := a.Bits()
	switch {
	case hi == 0 && lo == 0:
		return amountZero
	case hi == int64(lo)>>63:
		return amountSmall
	}
	return amountLarge
}

func appendAmount(to []byte, a ledger.Amount, form byte) []byte {
	hi, lo := a.Bits()
	switch form {
	case amountZero:
		return to
	case amountSmall:
		return binary.AppendVarint(to, int64(lo))
	}
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(to, uint64(hi)), lo)
}

func appendHolding(to []byte, k HoldingKey, h Holding) []byte {
	to = binary.AppendVarint(append(to, opHolding), k.Account)
	to = binary.AppendVarint(to, k.Instrument)
	unsettled, settled := amountForm(h.Unsettled), amountForm(h.Settled)
	to = append(to, unsettled<<4|settled)
	return appendAmount(appendAmount(to, h.Unsettled, unsettled), h.Settled, settled)
}

func appendTrade(to []byte, k TradeKey, t Trade) []byte {
	to = binary.AppendVarint(append(to, opTrade), k.Account)
	for _, n := range [...]int64{k.Trade, int64(t.BankID), int64(t.Replaces), t.BookedAt} {
		to = binary.AppendVarint(to, n)
	}
	return appendString(to, t.Extras)
}

func appendDrop(to []byte, k TradeKey) []byte {
	return binary.AppendVarint(binary.AppendVarint(append(to, opDrop), k.Account), k.Trade)
}

func appendSkip(to []byte, s Skip) []byte {
	to = append(to, opSkip)
	for _, n := range [...]int64{s.Offset, s.Entry, int64(s.Leg), s.At.UnixMilli()} {
		to = binary.AppendVarint(to, n)
	}
	return appendString(appendString(appendString(to, s.Who), s.Why), s.Error)
}

func appendString(to []byte, s string) []byte {
	return append(binary.AppendUvarint(to, uint64(len(s))), s...)
}

func appendPosition(to []byte, p Position) []byte {
	for _, n := range [...]int64{p.Next, p.Offset, p.Entry, int64(p.Leg)} {
		to = binary.AppendVarint(to, n)
	}
	return binary.BigEndian.AppendUint64(to, p.Sum)
}

func appendChecksum(to []byte) []byte {
	return binary.BigEndian.AppendUint32(to, crc32.Checksum(to, castagnoli))
}

// decoder reads a record; after the first fault it gives zeros.
type decoder struct {
	rest []byte
	err  error
}

// open checks the frame of a record's value and gives a decoder behind its version, and its kind.
func open(value []byte) (*decoder, byte, error) {
	if len(value) < 2+checksumBytes {
		return nil, 0, fmt.Errorf("%w: a record of %d bytes", ErrCorrupt, len(value))
	}
	body := value[:len(value)-checksumBytes]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(value[len(body):]) {
		return nil, 0, fmt.Errorf("%w: a checksum does not hold", ErrCorrupt)
	}
	if body[0] != version {
		return nil, 0, fmt.Errorf("%w: %d, and this one writes %d", ErrVersion, body[0], version)
	}
	return &decoder{rest: body[2:]}, body[1], nil
}

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrCorrupt, what)
	}
	d.rest = nil
}

func (d *decoder) varint() int64 {
	n, size := binary.Varint(d.rest)
	if size <= 0 {
		d.fail("a number is cut off")
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) uvarint() uint64 {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 {
		d.fail("a number is cut off")
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.fail("a field is cut off")
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) fixed64() uint64 {
	if b := d.bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) string() string { return string(d.bytes(d.uvarint())) }

func (d *decoder) amount(form byte) ledger.Amount {
	switch form {
	case amountZero:
		return ledger.Amount{}
	case amountSmall:
		n := d.varint()
		return ledger.AmountFromBits(n>>63, uint64(n))
	case amountLarge:
		hi := d.fixed64()
		return ledger.AmountFromBits(int64(hi), d.fixed64())
	}
	d.fail(fmt.Sprintf("an amount of form %d", form))
	return ledger.Amount{}
}

func (d *decoder) position() Position {
	p := Position{Next: d.varint(), Offset: d.varint(), Entry: d.varint(), Leg: int(d.varint())}
	p.Sum = d.fixed64()
	return p
}

func (d *decoder) holding() (HoldingKey, Holding) {
	k := HoldingKey{Account: d.varint(), Instrument: d.varint()}
	form := d.byte()
	h := Holding{Unsettled: d.amount(form >> 4)}
	h.Settled = d.amount(form & 15)
	return k, h
}

func (d *decoder) tradeKey() TradeKey { return TradeKey{Account: d.varint(), Trade: d.varint()} }

func (d *decoder) trade() Trade {
	t := Trade{BankID: bank.ID(d.varint()), Replaces: bank.ID(d.varint()), BookedAt: d.varint()}
	t.Extras = d.string()
	return t
}

func (d *decoder) skip() Skip {
	s := Skip{Offset: d.varint(), Entry: d.varint(), Leg: int(d.varint()), At: time.UnixMilli(d.varint()).UTC()}
	s.Who, s.Why, s.Error = d.string(), d.string(), d.string()
	return s
}
