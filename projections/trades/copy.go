package trades

import (
	"bytes"
	"encoding/binary"
	"io"
)

// copyRows makes rows of lives in the binary format of COPY, columns in the table's order.
type copyRows struct{ data []byte }

func (c *copyRows) begin() {
	c.data = append(c.data[:0], "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"...) // no flags, no extension
}

func (c *copyRows) add(l *lived) {
	c.data = binary.BigEndian.AppendUint16(c.data, 10) // columns
	c.long(int64(l.trade))
	c.maybe(int64(l.opened))
	c.maybe(int64(l.settled))
	c.maybe(int64(l.street))
	c.maybe(int64(l.canceled))
	c.int(int32(l.tradeDate))
	c.int(int32(l.settleDate))
	c.int(int32(l.effectiveDate))
	c.maybeInt(int32(l.settledOn))
	c.maybeInt(int32(l.streetOn))
}

// end gives all that was added.
func (c *copyRows) end() io.Reader {
	c.data = binary.BigEndian.AppendUint16(c.data, 0xffff)
	return bytes.NewReader(c.data)
}

func (c *copyRows) long(n int64) {
	c.data = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(c.data, 8), uint64(n))
}

func (c *copyRows) int(n int32) {
	c.data = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(c.data, 4), uint32(n))
}

// maybe adds a number of which 0 is none.
func (c *copyRows) maybe(n int64) {
	if n == 0 {
		c.null()
		return
	}
	c.long(n)
}

func (c *copyRows) maybeInt(n int32) {
	if n == 0 {
		c.null()
		return
	}
	c.int(n)
}

func (c *copyRows) null() { c.data = binary.BigEndian.AppendUint32(c.data, 0xffffffff) }
