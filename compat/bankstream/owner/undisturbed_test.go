package owner_test

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankstream"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/ledger"
)

// undisturbed is the group, and the topics' prefix, of the stream that nothing happens to.
const undisturbed = "undisturbed"

// compare runs the stream once more, from BK's first event on, undisturbed and with a group and topics of its own, and holds against what it gives:
//
//   - what is on the shadow topics: each record's key, value, partition, time and header, in each account's order;
//   - what the stream wrote on Bank's topics: the same of the epochs in which they were its own, but that event ids have the epoch's base;
//   - all that is on Bank's topics, Bank's part and the stream's together: each event but for its id and its time, which are Bank's own, so that nothing lacks at a change of hands, nothing is
//     there twice, and what is Bank's is what BK has of it. What Bank's relay repeated under the same id counts once.
func (c *crash) compare() {
	c.t.Helper()
	began := time.Now()
	quiet := c.launch(undisturbed, "--group", undisturbed, "--shadow-prefix", undisturbed+".", "--state", undisturbed+".state")
	c.told(undisturbed)
	if err := quiet.Stop(endWithin); err != nil {
		c.t.Errorf("%s: %v", undisturbed, err)
	}
	took := time.Since(began)
	topics := func(prefix string) (all []string) {
		return []string{prefix + bank.TopicTrades, prefix + bank.TopicCash, prefix + bank.TopicBusinessDate}
	}
	want, got, onBanks := c.read(topics(undisturbed+".")...), c.read(topics(bankstream.DefaultShadow)...), c.read(topics("")...)
	c.t.Logf("undisturbed: %d events in %.1f s", len(want), took.Seconds())
	exact := func(s seen) string {
		return fmt.Sprintf("%s, partition %d, entry %s, at %d", s.value, s.partition, s.entry, s.at)
	}
	c.same("the shadow topics", lanes(got, exact), lanes(want, exact))

	history, latest, err := mode.Outlook(c.t.Context(), c.pool)
	if err != nil || latest.Ended == nil {
		c.t.Fatalf("the façade's epochs: %v, %+v", err, latest)
	}
	var own, streams []seen
	for _, s := range want {
		entry, err := strconv.ParseInt(s.entry, 10, 64)
		if err != nil {
			c.t.Fatalf("%s comes of entry %q", s, s.entry)
		}
		if in := epochOf(history, int64(ledger.ID(entry).Seq())); in.Stream {
			s.ID += in.EventID
			s.value = string(s.AppendJSON(nil))
			own = append(own, s)
		}
	}
	var once []seen
	sent := map[int64]bool{}
	for _, s := range onBanks {
		if s.stream {
			streams = append(streams, s)
		}
		if !sent[s.ID] || s.stream {
			once = append(once, s)
		}
		sent[s.ID] = true
	}
	c.same("what the stream wrote on Bank's topics", lanes(streams, exact), lanes(own, exact))
	content := func(s seen) string {
		s.ID, s.At = 0, 0
		return string(s.AppendJSON(nil))
	}
	c.same("Bank's topics but for ids and times of events", lanes(once, content), lanes(want, content))
	c.t.Logf("byte for byte: %d records of the shadow topics, %d of the stream's on Bank's topics; with %d of Bank's, all is there (and %d that its relay repeated)",
		len(got), len(streams), len(once)-len(streams), len(onBanks)-len(once))
}

// epochOf gives the epoch that an entry of BK's was booked in.
func epochOf(history []mode.Epoch, sequence int64) (in mode.Epoch) {
	for _, e := range history { // ascending; one may have no entry, and the next begin where it does
		if e.FirstSequence <= sequence {
			in = e
		}
	}
	return in
}

// lanes gives what is compared of records, by topic without its prefix and by key, in order.
func lanes(all []seen, text func(seen) string) map[string][]string {
	by := map[string][]string{}
	for _, s := range all {
		lane := s.Topic() + "/" + s.Key()
		by[lane] = append(by[lane], text(s))
	}
	return by
}

// same reports where two differ first, lane by lane.
func (c *crash) same(what string, got, want map[string][]string) {
	c.t.Helper()
	if len(want) == 0 {
		c.t.Errorf("%s: nothing is expected", what)
	}
	for lane := range got {
		if want[lane] == nil {
			c.t.Errorf("%s: %s should have nothing, and has %s", what, lane, got[lane][0])
		}
	}
	for lane := range want {
		if slices.Equal(got[lane], want[lane]) {
			continue
		}
		n := 0
		for n < len(got[lane]) && n < len(want[lane]) && got[lane][n] == want[lane][n] {
			n++
		}
		at := func(all []string) string {
			if n < len(all) {
				return all[n]
			}
			return "nothing"
		}
		c.t.Errorf("%s: %s has %d and not %d; number %d is\n%s\nand not\n%s", what, lane, len(got[lane]), len(want[lane]), n, at(got[lane]), at(want[lane]))
	}
}
