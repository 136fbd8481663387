package tradefile

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

// Row is one row and the command it asks for. The zero value is ready for [Reader.Read]; a row must not be copied.
type Row struct {
	// Line is where the row begins in its file, from 1.
	Line int
	// Bytes is the size of the row's fields: about what the command has on the wire.
	Bytes int
	// Account is the id of the account that the row is booked to.
	Account int64
	// Target is the id of the other account of an allocation or transfer, else 0.
	Target int64
	// ReplacesID: cancel_trade_id could be a trade id as well, this one, if no trade of the account has that client id; else 0.
	ReplacesID int64

	command    bkv1.Command
	asTrade    bkv1.Command_Trade
	trade      bkv1.Trade
	executedAt timestamppb.Timestamp
	account    bkv1.AccountRef
	target     bkv1.AccountRef
	instrument bkv1.Identifier
	replaces   bkv1.Replaces
	asCancel   bkv1.Command_Cancel
	cancel     bkv1.Cancel
	toCancel   bkv1.Target
	notes      map[string]string
}

// Command is what the row asks for: a trade (with replaces, where it has a cancel_trade_id) or a cancel. Its parts belong to the row.
func (r *Row) Command() *bkv1.Command { return &r.command }

// ReplaceByID makes the command replace the trade with the id [Row.ReplacesID], in place of the one with the client's id.
func (r *Row) ReplaceByID() { r.replaces.Trade, r.replaces.Key = r.ReplacesID, "" }

func (r *Row) reset(size int) {
	r.Bytes, r.Account, r.Target, r.ReplacesID = size, 0, 0, 0
	c := &r.command
	c.Key, c.Metadata, c.TradeDate, c.SettleDate, c.Replaces, c.Command = "", nil, 0, 0, nil, nil
}

// parser turns the fields of one row into a command. The first fault stands.
type parser struct {
	row    *Row
	fields []string
	header *header
	key    []byte // scratch

	field, reason, message string
}

// text gives a column's field, "" if the file doesn't have the column.
func (p *parser) text(c column) string {
	if i := p.header.at[c]; i >= 0 {
		return p.fields[i]
	}
	return ""
}

func (p *parser) fail(c column, reason, format string, args ...any) {
	if p.reason == "" {
		p.field, p.reason, p.message = columnNames[c], reason, fmt.Sprintf(format, args...)
	}
}

// checkText finds the known column that isn't valid UTF-8, if it is one of those.
func (p *parser) checkText() {
	for c := range column(columns) {
		if !utf8.ValidString(p.text(c)) {
			p.fail(c, ReasonInvalid, "is not valid UTF-8")
		}
	}
}

// makeKey joins the account's number and the client's id.
func (p *parser) makeKey(prefix string, account int64, c column, id string) string {
	p.key = append(p.key[:0], prefix...)
	p.key = strconv.AppendInt(p.key, account, 10)
	p.key = append(append(p.key, '/'), id...)
	if len(p.key) > ledger.MaxKeyBytes {
		p.fail(c, ReasonTooLarge, "%d bytes, with the account in front no more than %d are allowed", len(id), ledger.MaxKeyBytes)
	}
	return string(p.key)
}
