package bank

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// Bounds of a decimal (contract, section 1).
const (
	MaxIntegerDigits  = 18
	MaxFractionDigits = 10
)

// Errors of [ParseDecimal] and [Decimal.InRange].
var (
	ErrDecimalSyntax = errors.New("not a decimal such as 167.41")
	ErrDecimalRange  = fmt.Errorf("more than %d integer or %d fraction digits", MaxIntegerDigits, MaxFractionDigits)
)

// wordDigits is how many decimal digits always fit an int64.
const wordDigits = 18

// Decimal is an exact amount, quantity or price. The zero value is 0. Sums may leave the bounds of what a client may send.
type Decimal struct{ decimal.Decimal }

// ParseDecimal reads ^-?[0-9]*\.?[0-9]+$ of at most 18 integer and 10 fraction digits, leading and trailing zeros not counted.
func ParseDecimal(text string) (Decimal, error) {
	d, whole, fraction, err := parseDecimal(text)
	if err == nil && (whole > MaxIntegerDigits || fraction > MaxFractionDigits) {
		return Decimal{}, ErrDecimalRange
	}
	return d, err
}

// parseDecimal reads a decimal of any size, and says how many digits stand before and behind its point.
func parseDecimal(text string) (d Decimal, whole, fraction int, err error) {
	digits, negative := text, false
	if strings.HasPrefix(digits, "-") {
		digits, negative = digits[1:], true
	}
	point := -1
	for i := range len(digits) {
		if c := digits[i]; c == '.' && point < 0 {
			point = i
		} else if c < '0' || c > '9' {
			return Decimal{}, 0, 0, ErrDecimalSyntax
		}
	}
	if digits == "" || digits[len(digits)-1] == '.' {
		return Decimal{}, 0, 0, ErrDecimalSyntax
	}
	before, behind := digits, ""
	if point >= 0 {
		before, behind = digits[:point], strings.TrimRight(digits[point+1:], "0")
	}
	before = strings.TrimLeft(before, "0")
	whole, fraction = len(before), len(behind)
	if whole+fraction > wordDigits {
		number, err := decimal.NewFromString(before + "." + behind)
		if err != nil {
			return Decimal{}, 0, 0, ErrDecimalSyntax
		}
		if negative {
			number = number.Neg()
		}
		return Decimal{number}, whole, fraction, nil
	}
	var coefficient int64
	for _, part := range [2]string{before, behind} {
		for i := range len(part) {
			coefficient = coefficient*10 + int64(part[i]-'0')
		}
	}
	if coefficient == 0 {
		return Decimal{}, 0, 0, nil
	}
	if negative {
		coefficient = -coefficient
	}
	return Decimal{decimal.New(coefficient, -int32(fraction))}, whole, fraction, nil
}

// InRange gives [ErrDecimalRange] for what has too many digits.
func (d Decimal) InRange() error {
	exponent := int(d.Exponent())
	if exponent <= 0 && exponent >= -MaxFractionDigits && d.NumDigits()+exponent <= MaxIntegerDigits {
		return nil // the usual case, without a look at each digit
	}
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(d.String(), "-"), ".")
	if len(whole) > MaxIntegerDigits || len(fraction) > MaxFractionDigits {
		return ErrDecimalRange
	}
	return nil
}

// span is how many digits a decimal has before and behind its point, at most: what is in range by its span needs not be worked out.
type span struct{ whole, fraction int }

func (d Decimal) span() span {
	if d.IsZero() {
		return span{}
	}
	exponent := int(d.Exponent())
	return span{max(d.NumDigits()+exponent, 0), max(-exponent, 0)}
}

func (s span) times(other span) span { return span{s.whole + other.whole, s.fraction + other.fraction} }

func (s span) plus(other span) span {
	return span{max(s.whole, other.whole) + 1, max(s.fraction, other.fraction)}
}

func (s span) inRange() bool { return s.whole <= MaxIntegerDigits && s.fraction <= MaxFractionDigits }

// String gives the contract's text: no exponent, no trailing zeros after the point, zero as "0".
func (d Decimal) String() string {
	var buffer [48]byte
	return string(d.append(buffer[:0]))
}

// append is String without an allocation where the digits fit a word.
func (d Decimal) append(to []byte) []byte {
	exponent := int(d.Exponent())
	if exponent > 0 || exponent < -wordDigits || d.NumDigits() > wordDigits {
		text := d.Decimal.String()
		if strings.Contains(text, ".") {
			text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
		}
		if text == "-0" || text == "" {
			text = "0"
		}
		return append(to, text...)
	}
	coefficient := d.CoefficientInt64()
	if coefficient == 0 {
		return append(to, '0')
	}
	for exponent < 0 && coefficient%10 == 0 {
		coefficient, exponent = coefficient/10, exponent+1
	}
	if coefficient < 0 {
		to, coefficient = append(to, '-'), -coefficient
	}
	if exponent == 0 {
		return strconv.AppendInt(to, coefficient, 10)
	}
	var buffer [wordDigits + 1]byte
	digits := strconv.AppendInt(buffer[:0], coefficient, 10)
	point := len(digits) + exponent
	if point <= 0 {
		to = append(to, "0."...)
		for ; point < 0; point++ {
			to = append(to, '0')
		}
		return append(to, digits...)
	}
	to = append(append(to, digits[:point]...), '.')
	return append(to, digits[point:]...)
}

// MarshalJSON gives the text as a JSON string.
func (d Decimal) MarshalJSON() ([]byte, error) {
	return append(d.append(append(make([]byte, 0, 32), '"')), '"'), nil
}

// UnmarshalJSON reads a JSON string, and nothing else. It takes sums too, which may be out of range.
func (d *Decimal) UnmarshalJSON(data []byte) error {
	if len(data) < 2 || data[0] != '"' || data[len(data)-1] != '"' {
		return ErrDecimalSyntax
	}
	parsed, _, _, err := parseDecimal(string(data[1 : len(data)-1]))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}
