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
	mu     sync.Mutex
	begins []dayBegin // ascending
	upTo   int64      // all of the journal up to this sequence number is known
	page   string     // token of the page of cuts that was read last
	ended  int64      // the place of the last known day's end
}

// dayBegin says that from a place on, a day is the business date.
type dayBegin struct {
	sequence int64
	date     bank.Date
}

// dateAt gives the business date at a place in the journal, 0 before the first.
func (b *Ledger) dateAt(ctx context.Context, sequence int64) (bank.Date, error) {
	t := &b.timeline
	t.mu.Lock()
	defer t.mu.Unlock()
	for sequence > t.upTo {
		known := t.upTo
		if err := b.extend(ctx, t); err != nil {
			return 0, fmt.Errorf("the business date at entry %d: %w", sequence, err)
		}
		if t.upTo <= known {
			return 0, fmt.Errorf("the business date at entry %d: BK's journal ends at %d", sequence, t.upTo)
		}
	}
	i := sort.Search(len(t.begins), func(i int) bool { return t.begins[i].sequence > sequence })
	if i == 0 {
		return 0, nil
	}
	return t.begins[i-1].date, nil
}

// extend learns the days up to the journal's head: those that have ended from their cuts, the one under way, if any, from the journal behind them.
func (b *Ledger) extend(ctx context.Context, t *timeline) error {
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
	if n := len(t.begins); day.Date == 0 || n > 0 && t.begins[n-1].date == bank.Date(day.Date) {
		t.upTo = max(t.upTo, head)
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
				t.upTo = max(t.upTo, head)
			}
			return err
		}
	}
}

func (t *timeline) add(sequence int64, date bank.Date) {
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
