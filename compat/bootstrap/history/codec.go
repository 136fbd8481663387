package history

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/ledger"
)

// maxRecord bounds a record: a request is at most 8 MiB, and it is in there twice at most.
const maxRecord = 32 << 20

// ErrRecord is in the chain of an error about a run that can't be read: what reads it comes to the damage before the end, where the object's hash is checked.
var ErrRecord = errors.New("a record is cut off or damaged")

// coder writes the fields of a record, or reads them: one function for both, so that they can't differ.
type coder struct {
	data    []byte
	reading bool
	err     error
}

func (c *coder) int(v *int64) {
	if !c.reading {
		c.data = binary.AppendVarint(c.data, *v)
		return
	}
	n, size := binary.Varint(c.data)
	if size <= 0 {
		c.err, c.data = ErrRecord, nil
		return
	}
	*v, c.data = n, c.data[size:]
}

func (c *coder) id(v *bank.ID) { c.int((*int64)(v)) }

func (c *coder) date(v *bank.Date) {
	n := int64(*v)
	c.int(&n)
	*v = bank.Date(n)
}

func (c *coder) flag(v *bool) {
	n := int64(0)
	if *v {
		n = 1
	}
	c.int(&n)
	*v = n != 0
}

func (c *coder) text(v *string) {
	n := int64(len(*v))
	c.int(&n)
	if !c.reading {
		c.data = append(c.data, *v...)
		return
	}
	if n < 0 || n > int64(len(c.data)) {
		c.err, c.data = ErrRecord, nil
		return
	}
	*v, c.data = string(c.data[:n]), c.data[n:]
}

func (c *coder) amount(v *ledger.Amount) {
	hi, lo := v.Bits()
	low := int64(lo)
	c.int(&hi)
	c.int(&low)
	*v = ledger.AmountFromBits(hi, uint64(low))
}

// record is what runs hold.
type record[T any] interface {
	*T
	code(*coder)
	before(*T) bool // in the order of its runs
	place() int64   // ascends with the order
}

// writeRun writes records as a run. They are in order.
func writeRun[T any, R record[T]](to io.Writer, records []T) error {
	out := bufio.NewWriterSize(to, 1<<16)
	var c coder
	for i := range records {
		c.data = c.data[:0]
		R(&records[i]).code(&c)
		if _, err := out.Write(binary.AppendUvarint(nil, uint64(len(c.data)))); err != nil {
			return err
		}
		if _, err := out.Write(c.data); err != nil {
			return err
		}
	}
	return out.Flush()
}

// readRecord reads the next record of a run, io.EOF behind the last.
func readRecord[T any, R record[T]](from *bufio.Reader, to R) error {
	size, err := binary.ReadUvarint(from)
	if err == io.EOF {
		return io.EOF
	}
	if err != nil || size > maxRecord {
		return errors.Join(ErrRecord, err)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(from, data); err != nil {
		return errors.Join(ErrRecord, err)
	}
	c := coder{data: data, reading: true}
	to.code(&c)
	if c.err != nil || len(c.data) > 0 {
		return fmt.Errorf("%w: %d bytes are left", ErrRecord, len(c.data))
	}
	return nil
}
