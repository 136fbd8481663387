package trades

import (
	"io"
	"strconv"

	"github.com/bkledger/bk/ledger"
)

// copyRows makes the rows of a COPY as they are sent, while Postgres takes in those before.
type copyRows struct {
	rows, next int
	row        func(to copyText, i int) copyText // appends one
	text       copyText                          // made and not read yet
	buffer     copyText
}

// Read is of [io.Reader].
func (c *copyRows) Read(p []byte) (int, error) {
	if len(c.text) == 0 {
		if c.next == c.rows {
			return 0, io.EOF
		}
		c.text = c.buffer[:0]
		for c.next < c.rows && len(c.text) < len(p) {
			c.text = c.row(c.text, c.next)
			c.next++
		}
		c.buffer = c.text
	}
	n := copy(p, c.text)
	c.text = c.text[n:]
	return n, nil
}

// copyText is rows in the text format of COPY, columns in the tables' order.
type copyText []byte

func (t copyText) booked(b *booked) copyText {
	t = t.number(int64(b.Trade)).number(b.Account).maybe(b.Target).number(b.Instrument).maybe(int64(b.Corrects))
	t = append(b.BookedAt.UTC().AppendFormat(t, "2006-01-02 15:04:05.999999Z07:00"), '\t')
	t = t.number(int64(b.TradeDate)).number(int64(b.SettleDate)).number(int64(b.EffectiveDate))
	t = t.string(string(b.Kind)).string(string(b.Direction)).string(b.Currency).string(b.ClientTradeID)
	for _, a := range [...]ledger.Amount{b.Quantity, b.Price, b.Gross, b.Net, b.Commission, b.SECFee, b.TAFFee, b.Accrued} {
		t = append(a.AppendText(t), '\t')
	}
	return t.end()
}

func (t copyText) life(b *booked, l *life) copyText {
	t = t.number(int64(b.Trade)).maybe(int64(l.opened)).maybe(int64(l.settled)).maybe(int64(l.street)).maybe(int64(l.canceled))
	t = t.number(int64(b.TradeDate)).number(int64(b.SettleDate)).maybe(int64(l.settledOn)).maybe(int64(l.streetOn)).string(string(l.state))
	return t.end()
}

func (t copyText) number(n int64) copyText { return append(strconv.AppendInt(t, n, 10), '\t') }

// maybe writes a number of which 0 is none.
func (t copyText) maybe(n int64) copyText {
	if n == 0 {
		return append(t, `\N`+"\t"...)
	}
	return t.number(n)
}

func (t copyText) string(s string) copyText {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\\':
			t = append(t, `\\`...)
		case '\t':
			t = append(t, `\t`...)
		case '\n':
			t = append(t, `\n`...)
		case '\r':
			t = append(t, `\r`...)
		default:
			t = append(t, c)
		}
	}
	return append(t, '\t')
}

// end makes the last column's separator the row's.
func (t copyText) end() copyText {
	t[len(t)-1] = '\n'
	return t
}
