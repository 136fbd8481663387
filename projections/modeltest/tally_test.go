package modeltest_test

import (
	"fmt"
	"testing"

	"github.com/bkledger/bk/projections/modeltest"
)

// tally counts what was done.
type tally struct {
	sequences, commands, entries, reads, rows int
	seen                                      map[string]int // kinds of entries booked, reasons of rejections
}

func newTally() *tally { return &tally{seen: map[string]int{}} }

func (c *tally) add(o *tally) {
	c.sequences += o.sequences
	c.commands += o.commands
	c.entries += o.entries
	c.reads += o.reads
	c.rows += o.rows
	for what, n := range o.seen {
		c.seen[what] += n
	}
}

func (c *tally) String() string {
	return fmt.Sprintf("%d sequences, %d commands, %d entries, %d reads with %d rows compared", c.sequences, c.commands, c.entries, c.reads, c.rows)
}

// did counts a command with what the model says of it.
func (c *tally) did(command modeltest.Command, out modeltest.Outcome) {
	c.commands++
	c.entries += len(out.Entries)
	for _, e := range out.Entries {
		c.seen[e.Kind]++
	}
	if command.Unsettled && out.Reason == "trade_settled" {
		c.seen["rejected: not unless settled"]++
	}
	for _, ref := range []*modeltest.Ref{command.Replaces, command.Target} {
		if ref != nil && ref.Or != "" && out.Reason == "" {
			c.seen["by key or id"]++
		}
	}
	switch {
	case out.Reason != "":
		c.seen["rejected: "+out.Reason]++
	case out.Repeat:
		c.seen["repeat"]++
	case command.Replaces != nil:
		c.seen["correction"]++
	}
}

// compare compares what the system answered with the model's answers.
func (c *tally) compare(m *modeltest.Model, at modeltest.Time, reads []string, got answers) error {
	c.reads += len(reads)
	c.rows += got.rows()
	if wrong := differences(expected(m, at, reads), got); len(wrong) > 0 {
		return fmt.Errorf("as of %d, known at %d (head %d): %d differences, the first is\n\t%s", at.AsOf, at.KnownAt, m.Head, len(wrong), wrong[0])
	}
	return nil
}

// checkVariety fails if the sequences left something out.
func (c *tally) checkVariety(t *testing.T) {
	t.Helper()
	for _, what := range []string{
		"trade.exchange", "trade.bilateral", "trade.away", "trade.allocation", "trade.transfer", "trade.open", "trade.settle", "trade.settle_street", "trade.reverse",
		"trade.link", "by key or id", "rejected: not unless settled", "trade.cancel", "posting", "cash.deposit", "cash.withdrawal", "interest.charge", "interest.credit", "journal.cash", "journal.security", "fx.trade", "day.begin",
		"day.end", "repeat", "correction", "rejected: missing_field", "rejected: invalid_field", "rejected: out_of_range", "rejected: unknown_kind",
		"rejected: key_conflict", "rejected: unknown_account", "rejected: unknown_instrument", "rejected: wrong_currency", "rejected: unbalanced",
		"rejected: trade_not_found", "rejected: trade_already_canceled", "rejected: trade_settled", "rejected: trade_not_open",
	} {
		if c.seen[what] == 0 {
			t.Errorf("no sequence had: %s", what)
		}
	}
	t.Logf("%v", c.seen)
}
