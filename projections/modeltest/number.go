package modeltest

import (
	"math/big"
	"strings"
)

// Numbers are exact fractions; nil is never one.

// number reads a decimal.
func number(text string) *big.Rat {
	n, ok := new(big.Rat).SetString(text)
	if !ok {
		panic("modeltest: no number: " + text)
	}
	return n
}

func whole(n int64) *big.Rat          { return new(big.Rat).SetInt64(n) }
func zero() *big.Rat                  { return new(big.Rat) }
func plus(a, b *big.Rat) *big.Rat     { return new(big.Rat).Add(a, b) }
func minus(a, b *big.Rat) *big.Rat    { return new(big.Rat).Sub(a, b) }
func times(a, b *big.Rat) *big.Rat    { return new(big.Rat).Mul(a, b) }
func over(a, b *big.Rat) *big.Rat     { return new(big.Rat).Quo(a, b) }
func opposite(a *big.Rat) *big.Rat    { return new(big.Rat).Neg(a) }
func absolute(a *big.Rat) *big.Rat    { return new(big.Rat).Abs(a) }
func equal(a, b *big.Rat) bool        { return a.Cmp(b) == 0 }
func below(a *big.Rat, b string) bool { return a.Cmp(number(b)) < 0 }

// hasTenDigits reports whether the number has at most 10 digits behind the point.
func hasTenDigits(a *big.Rat) bool {
	return new(big.Int).Rem(whole(10_000_000_000).Num(), a.Denom()).Sign() == 0
}

// rounded gives the number with 10 digits behind the point, the nearest one, and the even one of two that are equally near.
func rounded(a *big.Rat) *big.Rat {
	scaled := times(a, whole(10_000_000_000))
	down := floor(scaled)
	rest := minus(scaled, down)
	up := plus(down, whole(1))
	half := over(whole(1), whole(2))
	switch {
	case rest.Cmp(half) > 0, equal(rest, half) && down.Num().Bit(0) == 1:
		down = up
	}
	return over(down, whole(10_000_000_000))
}

// centsUp gives the number rounded up to the cent.
func centsUp(a *big.Rat) *big.Rat {
	cents := times(a, whole(100))
	return over(opposite(floor(opposite(cents))), whole(100))
}

// floor gives the largest whole number that is not above.
func floor(a *big.Rat) *big.Rat {
	q, _ := new(big.Int).DivMod(a.Num(), a.Denom(), new(big.Int)) // Euclidean: what is left is never below 0
	return new(big.Rat).SetInt(q)
}

// Text writes a number of at most 10 digits behind the point: no exponent, no zeros at the end.
func Text(a *big.Rat) string {
	if a.IsInt() {
		return a.Num().String()
	}
	if !hasTenDigits(a) {
		return a.RatString() // no amount of the ledger, so equal to none
	}
	text := strings.TrimRight(a.FloatString(10), "0")
	return strings.TrimSuffix(text, ".")
}

// orZero reads a decimal that may be left out.
func orZero(text string) *big.Rat {
	if text == "" {
		return zero()
	}
	return number(text)
}
