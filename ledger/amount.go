package ledger

import (
	"encoding/binary"
	"errors"
	"math/big"
	"math/bits"
	"strings"
)

// Amount is an exact quantity of one instrument: shares, a currency's units, face value. It is a 128-bit fixed-point number with
// [AmountScale] fraction digits; the zero value is 0. A value that came through [ParseAmount] or [Amount.Mul] has at most
// [AmountIntegerDigits] integer digits (promise P7); sums may grow beyond that, up to 28 integer digits.
//
// Two equal amounts are == to each other.
type Amount struct {
	hi int64
	lo uint64
}

// Limits of a single amount (promise P7: 18 integer and 10 fraction digits, beyond that a rejection).
const (
	AmountScale         = 10
	AmountIntegerDigits = 18
)

// Errors of amounts; each says what is wrong with the text or the product, not which field it was.
var (
	ErrAmountSyntax = errors.New("not a decimal number such as 100, 167.41 or -0.5")
	ErrAmountRange  = errors.New("more than 18 integer digits")
	ErrAmountScale  = errors.New("more than 10 fraction digits")
)

const amountUnit = 10_000_000_000 // 10^AmountScale

// amountLimit is 10^28: every single amount is below it in magnitude.
var amountLimit = func() Amount {
	h, l := bits.Mul64(1_000_000_000_000_000_000, amountUnit)
	return Amount{int64(h), l}
}()

// AmountOf gives n whole units.
func AmountOf(n int64) Amount {
	neg := n < 0
	u := uint64(n)
	if neg {
		u = -u
	}
	h, l := bits.Mul64(u, amountUnit)
	return Amount{int64(h), l}.negIf(neg)
}

// ParseAmount reads a decimal of the form -?[0-9]*\.?[0-9]+ : no exponent, no sign +, no spaces. Zeros in front and behind are
// allowed and do not count as digits.
func ParseAmount(s string) (Amount, error) {
	digits, neg := s, false
	if strings.HasPrefix(digits, "-") {
		digits, neg = digits[1:], true
	}
	if digits == "" || digits[len(digits)-1] == '.' {
		return Amount{}, ErrAmountSyntax
	}
	point := -1
	for i := 0; i < len(digits); i++ {
		switch c := digits[i]; {
		case c >= '0' && c <= '9':
		case c == '.' && point < 0:
			point = i
		default:
			return Amount{}, ErrAmountSyntax
		}
	}
	whole, frac := digits, ""
	if point >= 0 {
		whole, frac = digits[:point], strings.TrimRight(digits[point+1:], "0")
	}
	whole = strings.TrimLeft(whole, "0")
	if len(whole) > AmountIntegerDigits {
		return Amount{}, ErrAmountRange
	}
	if len(frac) > AmountScale {
		return Amount{}, ErrAmountScale
	}
	var w, f uint64
	for i := 0; i < len(whole); i++ {
		w = w*10 + uint64(whole[i]-'0')
	}
	for i := 0; i < AmountScale; i++ {
		f *= 10
		if i < len(frac) {
			f += uint64(frac[i] - '0')
		}
	}
	h, l := bits.Mul64(w, amountUnit)
	l, carry := bits.Add64(l, f, 0)
	return Amount{int64(h + carry), l}.negIf(neg), nil
}

// MustAmount is [ParseAmount] for constants; it panics on a bad text.
func MustAmount(s string) Amount {
	a, err := ParseAmount(s)
	if err != nil {
		panic("ledger: amount " + s + ": " + err.Error())
	}
	return a
}

// String writes the amount without exponent and without trailing zeros after the point; zero is "0".
func (a Amount) String() string {
	var buf [48]byte
	return string(a.AppendText(buf[:0]))
}

// AppendText appends what [Amount.String] gives.
func (a Amount) AppendText(b []byte) []byte {
	if a.hi < 0 {
		b = append(b, '-')
	}
	h, l := a.magnitude()
	var digits [40]byte
	i := len(digits)
	for n := 0; h != 0 || l != 0 || n <= AmountScale; n++ {
		var rem uint64
		h, rem = h/10, h%10
		l, rem = bits.Div64(rem, l, 10)
		i--
		digits[i] = byte('0' + rem)
	}
	whole, frac := digits[i:len(digits)-AmountScale], digits[len(digits)-AmountScale:]
	b = append(b, whole...)
	end := len(frac)
	for end > 0 && frac[end-1] == '0' {
		end--
	}
	if end > 0 {
		b = append(append(b, '.'), frac[:end]...)
	}
	return b
}

// Sign is -1, 0 or +1.
func (a Amount) Sign() int {
	switch {
	case a.hi < 0:
		return -1
	case a.hi == 0 && a.lo == 0:
		return 0
	}
	return 1
}

// IsZero reports whether the amount is 0.
func (a Amount) IsZero() bool { return a == Amount{} }

// Neg gives -a.
func (a Amount) Neg() Amount {
	l, borrow := bits.Sub64(0, a.lo, 0)
	h, _ := bits.Sub64(0, uint64(a.hi), borrow)
	return Amount{int64(h), l}
}

// Add gives a + b. The sum of any 10^9 single amounts fits; an overflow is a fault of the program, not of its input, and panics.
func (a Amount) Add(b Amount) Amount {
	l, carry := bits.Add64(a.lo, b.lo, 0)
	h, _ := bits.Add64(uint64(a.hi), uint64(b.hi), carry)
	sum := Amount{int64(h), l}
	if (a.hi < 0) == (b.hi < 0) && (sum.hi < 0) != (a.hi < 0) {
		panic("ledger: amount overflow")
	}
	return sum
}

// Sub gives a - b, with the bounds of [Amount.Add].
func (a Amount) Sub(b Amount) Amount { return a.Add(b.Neg()) }

// Cmp compares a with b: -1, 0 or +1.
func (a Amount) Cmp(b Amount) int {
	switch {
	case a.hi < b.hi || a.hi == b.hi && a.lo < b.lo:
		return -1
	case a == b:
		return 0
	}
	return 1
}

// Mul gives the exact product, or [ErrAmountRange] or [ErrAmountScale] where it can't be held; it never rounds.
func (a Amount) Mul(b Amount) (Amount, error) {
	neg := (a.hi < 0) != (b.hi < 0)
	ah, al := a.magnitude()
	bh, bl := b.magnitude()
	if ah == 0 && bh == 0 {
		h, l := bits.Mul64(al, bl)
		qh, rem := h/amountUnit, h%amountUnit
		ql, rem := bits.Div64(rem, l, amountUnit)
		if rem != 0 {
			return Amount{}, ErrAmountScale
		}
		return Amount{int64(qh), ql}.single(neg)
	}
	product := new(big.Int).Mul(a.Unscaled(), b.Unscaled())
	q, r := product.QuoRem(product, big.NewInt(amountUnit), new(big.Int))
	if r.Sign() != 0 {
		return Amount{}, ErrAmountScale
	}
	return AmountFromUnscaled(q)
}

// Unscaled gives the amount in units of 10^-[AmountScale].
func (a Amount) Unscaled() *big.Int {
	h, l := a.magnitude()
	n := new(big.Int).SetUint64(h)
	n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(l))
	if a.hi < 0 {
		n.Neg(n)
	}
	return n
}

// AmountFromUnscaled is the inverse of [Amount.Unscaled] for a single amount: 10^28 and more is [ErrAmountRange].
func AmountFromUnscaled(n *big.Int) (Amount, error) {
	if n.BitLen() > 94 {
		return Amount{}, ErrAmountRange
	}
	abs := new(big.Int).Abs(n)
	l := new(big.Int).And(abs, new(big.Int).SetUint64(^uint64(0))).Uint64()
	h := new(big.Int).Rsh(abs, 64).Uint64()
	return Amount{int64(h), l}.single(n.Sign() < 0)
}

// single checks the magnitude against the limit of a single amount and applies the sign.
func (a Amount) single(neg bool) (Amount, error) {
	if a.Cmp(amountLimit) >= 0 {
		return Amount{}, ErrAmountRange
	}
	return a.negIf(neg), nil
}

// InRange reports whether the amount is within the limits of a single amount.
func (a Amount) InRange() bool {
	h, l := a.magnitude()
	return int64(h) >= 0 && Amount{int64(h), l}.Cmp(amountLimit) < 0
}

func (a Amount) negIf(neg bool) Amount {
	if neg {
		return a.Neg()
	}
	return a
}

func (a Amount) magnitude() (hi, lo uint64) {
	if a.hi < 0 {
		a = a.Neg()
	}
	return uint64(a.hi), a.lo
}

// MulDivHalfEven gives a × b ÷ c, rounded once, half to even, at [AmountScale] digits; the product in between is exact. A quotient that an
// amount can't hold (28 integer digits and more) is [ErrAmountRange]. c must not be 0: that is a fault of the program, and panics.
func MulDivHalfEven(a, b, c Amount) (Amount, error) {
	if c.IsZero() {
		panic("ledger: division by zero")
	}
	neg := (a.hi < 0) != (b.hi < 0) != (c.hi < 0)
	ah, al := a.magnitude()
	bh, bl := b.magnitude()
	ch, cl := c.magnitude()
	if bh != 0 {
		ah, al, bh, bl = bh, bl, ah, al
	}
	if bh|ch != 0 {
		return mulDivLarge(a, b, c)
	}
	// 192 bits by 64: the usual case, one large number at most.
	p1, p0 := bits.Mul64(al, bl)
	p2, mid := bits.Mul64(ah, bl)
	p1, carry := bits.Add64(p1, mid, 0)
	p2 += carry
	over, rem := p2/cl, p2%cl
	qh, rem := bits.Div64(rem, p1, cl)
	ql, rem := bits.Div64(rem, p0, cl)
	// Twice the remainder against the divisor, where twice may not fit.
	if rem > cl-rem || rem == cl-rem && ql&1 == 1 {
		ql, carry = bits.Add64(ql, 1, 0)
		qh, carry = bits.Add64(qh, 0, carry)
		over += carry
	}
	if over != 0 || int64(qh) < 0 {
		return Amount{}, ErrAmountRange
	}
	return Amount{int64(qh), ql}.negIf(neg), nil
}

// mulDivLarge is [MulDivHalfEven] where the divisor, or both factors, are above 2^64 units of 10^-10, that is 1.8 thousand million.
func mulDivLarge(a, b, c Amount) (Amount, error) {
	product, divisor := a.Unscaled(), c.Unscaled()
	product.Mul(product, b.Unscaled())
	neg := product.Sign()*divisor.Sign() < 0
	q, rem := product.Abs(product).QuoRem(product, divisor.Abs(divisor), new(big.Int))
	if twice := rem.Lsh(rem, 1).Cmp(divisor); twice > 0 || twice == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(1))
	}
	if q.BitLen() > 127 {
		return Amount{}, ErrAmountRange
	}
	var b16 [16]byte
	q.FillBytes(b16[:])
	return AmountFromBits(int64(binary.BigEndian.Uint64(b16[:])), binary.BigEndian.Uint64(b16[8:])).negIf(neg), nil
}

// Bits gives the amount in units of 10^-[AmountScale] as the two halves of a 128-bit number in two's complement, for storing it.
func (a Amount) Bits() (hi int64, lo uint64) { return a.hi, a.lo }

// AmountFromBits is the inverse of [Amount.Bits]. It checks nothing: what comes from outside goes through [ParseAmount].
func AmountFromBits(hi int64, lo uint64) Amount { return Amount{hi, lo} }
