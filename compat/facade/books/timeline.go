package books

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
)

// timeline knows where in BK's journal the business days began. What it knows never changes.
type timeline struct {
	mu     sync.Mutex // held for moments only
	begins []dayBegin // ascending
	upTo   int64      // all of the journal up to this sequence number is known

	turn  chan struct{} // holds a value while somebody asks BK for more
	page  string        // whose turn it is: token of the page of cuts that was read last
	ended int64         // the same: the place of the last known day's end
}

// dayBegin says that from a place on, a day is the business date.
type dayBegin struct {
	sequence int64
	date     bank.Date
}

// dateAt gives the business date at a place in the journal, 0 before the first. Only who asks for what is not known yet waits for BK.
func (b *Ledger) dateAt(ctx context.Context, sequence int64) (bank.Date, error) {
	t := &b.timeline
	if date, known := t.at(sequence); known {
		return date, nil
	}
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return 0, fmt.Errorf("the business date at entry %d: %w", sequence, ctx.Err())
	}
	for {
		if date, known := t.at(sequence); known {
			return date, nil
		}
		before := t.known()
		if err := b.extend(ctx, t); err != nil {
			return 0, fmt.Errorf("the business date at entry %d: %w", sequence, err)
		}
		if now := t.known(); now < sequence && now <= before {
			return 0, fmt.Errorf("the business date at entry %d: BK's journal ends at %d", sequence, now)
		}
	}
}

// at gives the business date at a place, if it is known.
func (t *timeline) at(sequence int64) (date bank.Date, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if sequence > t.upTo {
		return 0, false
	}
	i := sort.Search(len(t.begins), func(i int) bool { return t.begins[i].sequence > sequence })
	if i == 0 {
		return 0, true
	}
	return t.begins[i-1].date, true
}

// before gives the business date before the one at a place that is known, 0 if there was none.
func (t *timeline) before(sequence int64) bank.Date {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := sort.Search(len(t.begins), func(i int) bool { return t.begins[i].sequence > sequence })
	if i < 2 {
		return 0
	}
	return t.begins[i-2].date
}

// known gives the place up to which all is known.
func (t *timeline) known() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.upTo
}

// reach notes that all is known up to a place.
func (t *timeline) reach(sequence int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.upTo = max(t.upTo, sequence)
}

// isLast reports whether a day is the last one that is known to have begun.
func (t *timeline) isLast(date bank.Date) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(t.begins)
	return n > 0 && t.begins[n-1].date == date
}

// extend learns the days up to the journal's head. Mostly no day has begun meanwhile, and then the journal's own word will do, which waits for no projection. Else those
// that have ended are known from their cuts, the one under way, if any, from the journal behind them.
func (b *Ledger) extend(ctx context.Context, t *timeline) error {
	day, err := read(ctx, b, b.cfg.Client.Query.GetBusinessDate, &bkv1.GetBusinessDateRequest{AtLeast: atHead})
	if err != nil {
		return err
	}
	if day.Date == 0 || t.isLast(bank.Date(day.Date)) { // BK looks at its head first, and then at the day
		head, err := sequenceOf(day.Token)
		if err == nil {
			t.reach(head)
		}
		return err
	}
	return b.extendByCuts(ctx, t)
}

func (b *Ledger) extendByCuts(ctx context.Context, t *timeline) error {
	size := int32(pageRows)
	head := int64(0)
	for {
		answer, err := read(ctx, b, b.cfg.Client.Query.ListCuts, &bkv1.ListCutsRequest{PageSize: &size, PageToken: t.page, AtLeast: atHead})
		if err != nil {
			return err
		}
		for _, cut := range answer.Cuts {
			begin, err := sequenceOf(cut.BeginToken)
			if err != nil {
				return err
			}
			if t.ended, err = sequenceOf(cut.Token); err != nil {
				return err
			}
			t.add(begin, bank.Date(cut.Date))
		}
		if head, err = sequenceOf(answer.Token); err != nil {
			return err
		}
		if answer.NextPageToken == "" {
			break
		}
		t.page = answer.NextPageToken
	}
	day, err := read(ctx, b, b.cfg.Client.Query.GetBusinessDate, &bkv1.GetBusinessDateRequest{AtLeast: atHead})
	if err != nil {
		return err
	}
	if day.Date == 0 || t.isLast(bank.Date(day.Date)) {
		t.reach(head)
		return nil
	}
	return b.findBegins(ctx, t)
}

// findBegins finds the days that began behind the last known day's end, one by one in the journal: a roll is under way.
func (b *Ledger) findBegins(ctx context.Context, t *timeline) error {
	size := int32(pageRows)
	question := &bkv1.ListEntriesRequest{Kind: "day.begin", FirstSequence: t.ended + 1, PageSize: &size, AtLeast: atHead}
	for {
		answer, err := read(ctx, b, b.cfg.Client.Query.ListEntries, question)
		if err != nil {
			return err
		}
		for _, e := range answer.Entries {
			t.add(e.Sequence, bank.Date(e.GetDay().GetDate()))
		}
		if question.PageToken = answer.NextPageToken; question.PageToken == "" {
			head, err := sequenceOf(answer.Token)
			if err == nil {
				t.reach(head)
			}
			return err
		}
	}
}

func (t *timeline) add(sequence int64, date bank.Date) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.begins); n == 0 || t.begins[n-1].sequence < sequence {
		t.begins = append(t.begins, dayBegin{sequence, date})
	}
}

// sequenceOf reads a token of BK's, shard:sequence.
func sequenceOf(token string) (int64, error) {
	_, digits, ok := strings.Cut(token, ":")
	sequence, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil {
		return 0, fmt.Errorf("BK gave %q, which is no place in its journal", token)
	}
	return sequence, nil
}
