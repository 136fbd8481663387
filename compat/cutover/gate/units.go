package gate

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is a size, written as 512MiB, 20GiB, 1TiB or a number of bytes.
type Bytes int64

// UnmarshalText reads a size.
func (b *Bytes) UnmarshalText(text []byte) error {
	s, scale := strings.TrimSpace(string(text)), int64(1)
	for i, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if digits, ok := strings.CutSuffix(s, unit); ok {
			s, scale = strings.TrimSpace(digits), int64(1)<<(10*(i+1))
		}
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n >= 0) || n*float64(scale) > math.MaxInt64/2 {
		return fmt.Errorf("%q is no size such as 20GiB", text)
	}
	*b = Bytes(n * float64(scale))
	return nil
}

// MarshalText writes it as a number of bytes.
func (b Bytes) MarshalText() ([]byte, error) { return strconv.AppendInt(nil, int64(b), 10), nil }

// Share is a part of a whole, from 0 to 1, written as 80% or 0.8.
type Share float64

// UnmarshalText reads a share.
func (p *Share) UnmarshalText(text []byte) error {
	s, scale := strings.TrimSpace(string(text)), 1.0
	if digits, ok := strings.CutSuffix(s, "%"); ok {
		s, scale = strings.TrimSpace(digits), 100
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n >= 0 && n/scale <= 1) {
		return fmt.Errorf("%q is no share such as 80%%", text)
	}
	*p = Share(n / scale)
	return nil
}

// MarshalText writes it as a part of a hundred.
func (p Share) MarshalText() ([]byte, error) {
	return append(strconv.AppendFloat(nil, 100*float64(p), 'g', -1, 64), '%'), nil
}
