package books

import (
	"context"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
)

// JournalRows gives a page of an account's journal, see [front.Ledger].
func (b *Ledger) JournalRows(ctx context.Context, account, after bank.ID, limit int) ([]bank.JournalRow, error) {
	if _, err := b.Account(ctx, account); err != nil {
		return nil, err
	}
	rows, err := b.journalRows(ctx, account, after, limit)
	if err != nil {
		return nil, b.internal(ctx, "read journal rows", err)
	}
	return rows, nil
}

func (b *Ledger) journalRows(ctx context.Context, account, after bank.ID, limit int) (rows []bank.JournalRow, err error) {
	rows, past, err := b.archivedRows(ctx, account, after, limit)
	if err != nil || len(rows) == limit {
		return rows, err
	}
	after = max(after-past.LastRow, bankmap.RowID(past.Head+1, 0)-1) // what was loaded has no rows: they are archived
	size := int32(max(1, min(pageRows, limit+1)))
	question := &bkv1.ListEntriesRequest{
		Account: bankmap.AccountRef(account), FirstSequence: bankmap.RowPlace(after), PageSize: &size, AtLeast: atHead,
	}
	for {
		answer, err := read(ctx, b, b.cfg.Client.Query.ListEntries, question)
		if err != nil {
			return nil, err
		}
		trades := make([]int64, len(answer.Entries))
		for i, e := range answer.Entries {
			trades[i] = e.GetTrade().GetId()
		}
		booked, err := b.manyBookings(ctx, trades)
		if err != nil {
			return nil, err
		}
		for i, e := range answer.Entries {
			entryRows, err := b.rowsOf(ctx, account, e, booked[i])
			if err != nil {
				return nil, err
			}
			for _, row := range entryRows {
				if row.JournalID <= after {
					continue
				}
				row.JournalID += past.LastRow
				if rows = append(rows, row); len(rows) == limit {
					return rows, nil
				}
			}
		}
		if question.PageToken = answer.NextPageToken; question.PageToken == "" {
			return rows, nil
		}
	}
}

func (b *Ledger) rowsOf(ctx context.Context, account bank.ID, e *bkv1.Entry, booked *booking) ([]bank.JournalRow, error) {
	date, err := b.dateAt(ctx, e.Sequence)
	if err != nil {
		return nil, err
	}
	names := bankmap.RowNames{Date: date, Instrument: func(number int64) (string, string, error) { return b.symbols.name(ctx, number) }}
	if booked != nil {
		names.Trade = booked.id
	}
	return bankmap.Rows(e, account, names)
}
