package bulk

import (
	"time"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/ledger"
)

// Prepared is a command after the half of its booking that needs no order: converted, checked, hashed, with its postings where they depend on
// definitions alone.
type Prepared struct {
	at      time.Time // UTC, to the microsecond
	command *ledger.Command
	form    wire.Form
	refused *ledger.Rejection // by the conversion: it will never be anything else

	draft    ledger.Draft
	rejected *ledger.Rejection // as of when it was prepared
}

// Prepare does the half of a booking that needs no order. Any goroutine may call it, also while another one books; the commands themselves are then booked in order.
// The message must not be changed afterwards.
func (b *Builder) Prepare(c *bkv1.Command, at time.Time) *Prepared {
	command, form, rej := wire.Command(c)
	return b.prepared(command, form, rej, at)
}

func (b *Builder) prepareAccount(a *bkv1.Account, source string, at time.Time) *Prepared {
	command, rej := wire.OpenAccount(a, source)
	return b.prepared(command, wire.TradeForm, rej, at) // whose fields are the ledger's own
}

func (b *Builder) prepareInstrument(in *bkv1.Instrument, source string, at time.Time) *Prepared {
	command, rej := wire.DefineInstrument(in, source)
	return b.prepared(command, wire.TradeForm, rej, at) // whose fields are the ledger's own
}

func (b *Builder) prepared(c *ledger.Command, form wire.Form, refused *ledger.Rejection, at time.Time) *Prepared {
	p := &Prepared{at: at.UTC().Truncate(time.Microsecond), command: c, form: form, refused: refused}
	if refused == nil {
		b.prepare(p)
	}
	return p
}

func (b *Builder) prepare(p *Prepared) {
	p.draft, p.rejected = b.cfg.Rules.Prepare(p.command, b.directory, p.at)
}
