package bank

import (
	"encoding/json"
	"errors"
	"fmt"
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

// Decimal is an exact amount, quantity or price. The zero value is 0. Sums may leave the bounds of what a client may send.
type Decimal struct{ decimal.Decimal }

// ParseDecimal reads ^-?[0-9]*\.?[0-9]+$ of at most 18 integer and 10 fraction digits, leading and trailing zeros not counted.
func ParseDecimal(text string) (Decimal, error) {
	digits := strings.TrimPrefix(text, "-")
	whole, fraction, pointed := strings.Cut(digits, ".")
	if !pointed {
		whole, fraction = "", digits
	}
	if fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return Decimal{}, ErrDecimalSyntax
	}
	if len(text) > 64 {
		return Decimal{}, ErrDecimalRange
	}
	d, err := decimal.NewFromString(text)
	if err != nil {
		return Decimal{}, ErrDecimalSyntax
	}
	return Decimal{d}, Decimal{d}.InRange()
}

// InRange gives [ErrDecimalRange] for what has too many digits.
func (d Decimal) InRange() error {
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(d.String(), "-"), ".")
	if len(whole) > MaxIntegerDigits || len(fraction) > MaxFractionDigits {
		return ErrDecimalRange
	}
	return nil
}

// String gives the contract's text: no exponent, no trailing zeros after the point, zero as "0".
func (d Decimal) String() string {
	text := d.Decimal.String()
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	if text == "-0" || text == "" {
		return "0"
	}
	return text
}

// MarshalJSON gives the text as a JSON string.
func (d Decimal) MarshalJSON() ([]byte, error) { return []byte(`"` + d.String() + `"`), nil }

// UnmarshalJSON reads a JSON string, and nothing else. It takes sums too, which may be out of range.
func (d *Decimal) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return ErrDecimalSyntax
	}
	parsed, err := ParseDecimal(text)
	if err != nil && !errors.Is(err, ErrDecimalRange) {
		return err
	}
	if err != nil {
		if parsed.Decimal, err = decimal.NewFromString(text); err != nil {
			return ErrDecimalSyntax
		}
	}
	*d = parsed
	return nil
}
