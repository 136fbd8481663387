package ledger_test

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/bkledger/bk/ledger"
)

func TestParseAmount(t *testing.T) {
	for _, c := range []struct {
		text, want string
		err        error
	}{
		{"0", "0", nil}, {"-0", "0", nil}, {"100", "100", nil}, {"167.41", "167.41", nil}, {"-0.5", "-0.5", nil}, {".5", "0.5", nil}, {"-.5", "-0.5", nil},
		{"0010.1000", "10.1", nil}, {"100.00", "100", nil}, {"0.0000000001", "0.0000000001", nil}, {"0.00000000010000", "0.0000000001", nil},
		{"999999999999999999.9999999999", "999999999999999999.9999999999", nil}, {"-999999999999999999.9999999999", "-999999999999999999.9999999999", nil},
		{"1000000000000000000", "", ledger.ErrAmountRange}, {"1234567890123456789", "", ledger.ErrAmountRange}, {"0.00000000001", "", ledger.ErrAmountScale},
		{"", "", ledger.ErrAmountSyntax}, {"-", "", ledger.ErrAmountSyntax}, {".", "", ledger.ErrAmountSyntax}, {"1.", "", ledger.ErrAmountSyntax},
		{"+1", "", ledger.ErrAmountSyntax}, {"1e3", "", ledger.ErrAmountSyntax}, {"NaN", "", ledger.ErrAmountSyntax}, {"Inf", "", ledger.ErrAmountSyntax},
		{"1,000", "", ledger.ErrAmountSyntax}, {" 1", "", ledger.ErrAmountSyntax}, {"1.2.3", "", ledger.ErrAmountSyntax}, {"--1", "", ledger.ErrAmountSyntax},
		{"0x10", "", ledger.ErrAmountSyntax}, {"1_000", "", ledger.ErrAmountSyntax}, {"١", "", ledger.ErrAmountSyntax},
	} {
		a, err := ledger.ParseAmount(c.text)
		if !errors.Is(err, c.err) || err == nil && a.String() != c.want {
			t.Errorf("%q: got %s, %v; want %s, %v", c.text, a, err, c.want, c.err)
		}
	}
}

// unscaled draws the unscaled value of a single amount, small and large ones alike.
func unscaled(t *rapid.T, name string) *big.Int {
	digits := rapid.IntRange(1, 28).Draw(t, name+" digits")
	n, _ := new(big.Int).SetString(rapid.StringMatching("-?[0-9]{"+big.NewInt(int64(digits)).String()+"}").Draw(t, name), 10)
	return n
}

func amountOf(t *rapid.T, n *big.Int) ledger.Amount {
	a, err := ledger.AmountFromUnscaled(n)
	if err != nil {
		t.Fatalf("%s: %v", n, err)
	}
	return a
}

// TestAmountArithmetic compares every operation with arbitrary-precision decimals.
func TestAmountArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := unscaled(t, "x"), unscaled(t, "y")
		a, b := amountOf(t, x), amountOf(t, y)
		da, db := decimal.NewFromBigInt(x, -ledger.AmountScale), decimal.NewFromBigInt(y, -ledger.AmountScale)
		same := func(what string, got ledger.Amount, want decimal.Decimal) {
			if got.String() != want.String() || got.Unscaled().Cmp(want.Shift(ledger.AmountScale).BigInt()) != 0 {
				t.Fatalf("%s of %s and %s: %s, want %s", what, a, b, got, want)
			}
		}
		same("parse", ledger.MustAmount(da.String()), da)
		same("sum", a.Add(b), da.Add(db))
		same("difference", a.Sub(b), da.Sub(db))
		same("negation", a.Neg(), da.Neg())
		if a.Cmp(b) != da.Cmp(db) || a.Sign() != da.Sign() || (a == b) != da.Equal(db) {
			t.Fatalf("%s against %s: %d, sign %d", a, b, a.Cmp(b), a.Sign())
		}
		product, err := a.Mul(b)
		exact := da.Mul(db)
		switch {
		case !exact.Truncate(ledger.AmountScale).Equal(exact):
			if !errors.Is(err, ledger.ErrAmountScale) {
				t.Fatalf("%s × %s: %s, %v", a, b, product, err)
			}
		case len(strings.TrimPrefix(exact.Truncate(0).String(), "-")) > ledger.AmountIntegerDigits:
			if !errors.Is(err, ledger.ErrAmountRange) {
				t.Fatalf("%s × %s: %s, %v", a, b, product, err)
			}
		case err != nil:
			t.Fatalf("%s × %s: %v", a, b, err)
		default:
			same("product", product, exact)
		}
	})
}

func FuzzParseAmount(f *testing.F) {
	for _, s := range []string{"0", "-1.5", ".5", "999999999999999999.9999999999", "1e3", "NaN", "1.", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ledger.ParseAmount(s)
		if err != nil {
			return
		}
		d, derr := decimal.NewFromString(s)
		if derr != nil || d.String() != a.String() {
			t.Fatalf("%q is %s, want %s (%v)", s, a, d, derr)
		}
		if again := ledger.MustAmount(a.String()); again != a {
			t.Fatalf("%q: %s read again is %s", s, a, again)
		}
	})
}

func TestMulDivHalfEven(t *testing.T) {
	for _, c := range []struct{ a, b, c, want string }{
		{"100", "3", "4", "75"}, {"1", "1", "3", "0.3333333333"}, {"2", "1", "3", "0.6666666667"}, {"-2", "1", "3", "-0.6666666667"},
		{"0.0000000001", "1", "2", "0"}, {"0.0000000003", "1", "2", "0.0000000002"}, {"0.0000000005", "1", "2", "0.0000000002"}, // halves to even
		{"-0.0000000001", "1", "2", "0"}, {"-0.0000000003", "1", "2", "-0.0000000002"}, {"0.0000000003", "-1", "-2", "0.0000000002"},
		{"0.0000000001", "1.0000000001", "2", "0.0000000001"}, // a little more than a half
		{"0", "5", "7", "0"}, {"1005", "100", "300", "335"}, {"1000.01", "100", "300", "333.3366666667"},
		{"999999999999999999.9999999999", "999999999999999999.9999999999", "999999999999999999.9999999999", "999999999999999999.9999999999"},
		{"999999999999999999", "2000000000", "4000000000", "499999999999999999.5"}, {"7", "1", "10000000000", "0.0000000007"},
	} {
		got, err := ledger.MulDivHalfEven(ledger.MustAmount(c.a), ledger.MustAmount(c.b), ledger.MustAmount(c.c))
		if err != nil || got.String() != c.want {
			t.Errorf("%s × %s ÷ %s: %s, %v; want %s", c.a, c.b, c.c, got, err, c.want)
		}
	}
	large := ledger.MustAmount("999999999999999999")
	if got, err := ledger.MulDivHalfEven(large, large, ledger.MustAmount("0.0000000001")); !errors.Is(err, ledger.ErrAmountRange) {
		t.Errorf("too large: %s, %v", got, err)
	}
	if got, err := ledger.MulDivHalfEven(ledger.AmountOf(1e9), ledger.AmountOf(1.8e9), ledger.MustAmount("0.0000000001")); !errors.Is(err, ledger.ErrAmountRange) {
		t.Errorf("too large: %s, %v", got, err)
	}
}

// TestMulDivHalfEvenModel compares with fractions of any size, small and large numbers alike.
func TestMulDivHalfEvenModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y, z := unscaled(t, "x"), unscaled(t, "y"), unscaled(t, "z")
		if z.Sign() == 0 {
			z.SetInt64(3)
		}
		got, err := ledger.MulDivHalfEven(amountOf(t, x), amountOf(t, y), amountOf(t, z))
		exact := new(big.Rat).SetFrac(new(big.Int).Mul(x, y), z)
		twice := new(big.Int).Mul(exact.Num(), big.NewInt(2))
		floor := new(big.Int).Div(exact.Num(), exact.Denom())
		middle := new(big.Int).Mul(new(big.Int).Add(new(big.Int).Lsh(floor, 1), big.NewInt(1)), exact.Denom()) // 2 × (floor + half) × denominator
		want := floor
		if c := twice.Cmp(middle); c > 0 || c == 0 && floor.Bit(0) == 1 {
			want = new(big.Int).Add(floor, big.NewInt(1))
		}
		if want.BitLen() > 127 {
			if !errors.Is(err, ledger.ErrAmountRange) {
				t.Fatalf("%s × %s ÷ %s is too large: %s, %v", x, y, z, got, err)
			}
			return
		}
		if err != nil || got.Unscaled().Cmp(want) != 0 {
			t.Fatalf("%s × %s ÷ %s: %s, %v; want %s", x, y, z, got, err, want)
		}
		if hi, lo := got.Bits(); ledger.AmountFromBits(hi, lo) != got {
			t.Fatalf("%s: bits", got)
		}
	})
}

func BenchmarkMulDivHalfEven(b *testing.B) {
	for _, c := range []struct{ name, a, b, c string }{{"small", "16741.25", "100", "1200"}, {"cost", "16741000000.25", "100", "1200"}, {"large", "16741.25", "100", "12000000000"}} {
		x, y, z := ledger.MustAmount(c.a), ledger.MustAmount(c.b), ledger.MustAmount(c.c)
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := ledger.MulDivHalfEven(x, y, z); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
