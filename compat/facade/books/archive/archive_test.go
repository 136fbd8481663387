package archive_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/books/archive"
	"github.com/bkledger/bk/compat/facade/schema"
	"github.com/bkledger/bk/migrations/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// filled gives a façade's database after statements, and the archive in it.
func filled(t *testing.T, statements ...string) (*archive.Store, *pgxpool.Pool) {
	t.Helper()
	dsn := pgtest.New(t)
	if err := schema.Up(t.Context(), dsn, nil); err != nil {
		t.Fatal(err)
	}
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	for _, s := range statements {
		if _, err := pool.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return archive.New(pool), pool
}

func ids(trades []*archive.Trade) (out []bank.ID) {
	for _, t := range trades {
		out = append(out, t.ID)
	}
	return out
}

func TestPlace(t *testing.T) {
	t.Parallel()
	const loaded = `INSERT INTO facade.bootstrap (manifest, event_id, business_date, who, opening_head) VALUES ('m', 9, 20260105, 'test', %s)`
	for name, c := range map[string]struct {
		statements []string
		want       archive.Place
	}{
		"nothing was loaded":      {nil, archive.Place{}},
		"all of the history was":  {[]string{fmt.Sprintf(loaded, "NULL")}, archive.Place{}},
		"balances, of no journal": {[]string{fmt.Sprintf(loaded, "40")}, archive.Place{Head: 40}},
		"balances": {[]string{fmt.Sprintf(loaded, "40"),
			`INSERT INTO facade.archive_journal SELECT n, 1, 20260105, 0, 1, '', 'USD', '', '0', '0', '0', '0' FROM generate_series(3, 7) n`}, archive.Place{Head: 40, LastRow: 7}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, pool := filled(t, c.statements...)
			for range 2 {
				got, err := s.Place(t.Context())
				if err != nil || got != c.want || got.There() != (c.want.Head > 0) {
					t.Errorf("%+v, there: %v, %v; want %+v", got, got.There(), err, c.want)
				}
				pool.Close() // it is asked for once
			}
		})
	}
}

// TestAway: without the database nothing is known, and that it was not found once is not kept.
func TestAway(t *testing.T) {
	t.Parallel()
	s, _ := filled(t)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, ask := range map[string]func() error{
		"Place":         func() error { _, err := s.Place(over); return err },
		"Last":          func() error { _, _, err := s.Last(over); return err },
		"ByID":          func() error { _, err := s.ByID(over, 1); return err },
		"ByName":        func() error { _, err := s.ByName(over, archive.Name{Account: 1, ClientID: "a"}); return err },
		"List":          func() error { _, err := s.List(over, 1, 20260105, "", 0, 10); return err },
		"Each":          func() error { return s.Each(over, nil, nil) },
		"Rows":          func() error { _, err := s.Rows(over, 1, 0, 10); return err },
		"EachRow":       func() error { return s.EachRow(over, nil) },
		"Cash":          func() error { _, err := s.Cash(over, "a"); return err },
		"NoteReplacing": func() error { return s.NoteReplacing(over, 1, "key") },
		"Replacing":     func() error { _, err := s.Replacing(over, 1); return err },
		"Replaced":      func() error { _, err := s.Replaced(over); return err },
	} {
		if err := ask(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p, err := s.Place(t.Context()); err != nil || p.There() {
		t.Errorf("%+v, %v", p, err)
	}
}

// trades of accounts 1 and 2: 11 settled, 12 cancelled, 13 alive (BK has it), 14 a settled transfer from 2 to 1, 15 settled on another day, 16 settled.
const trades = `INSERT INTO facade.archive_trade VALUES
	(11, 1, 0, 20260105, 'settled',  'A', sha256('11'), '{"trade_id": 11, "client_trade_id": "A", "quantity": "5.25", "state": "settled"}', '5.25', '', 0),
	(12, 1, 0, 20260105, 'canceled', 'B', sha256('12'), '{"trade_id": 12, "client_trade_id": "B", "state": "canceled", "replaced_by": 13}', '', '', 0),
	(13, 1, 0, 20260105, '',         'C', sha256('13'), '', '-0.5', '', 12),
	(14, 2, 1, 20260105, 'settled',  'A', sha256('14'), '{"trade_id": 14, "client_trade_id": "A", "state": "settled"}', '-3', '8', 0),
	(15, 1, 0, 20260106, 'settled',  'D', sha256('15'), '{"trade_id": 15, "client_trade_id": "D", "state": "settled"}', '9', '', 0),
	(16, 1, 0, 20260105, 'settled',  'a', sha256('16'), '{"trade_id": 16, "client_trade_id": "a", "state": "settled"}', '1', '', 0)`

func TestTrades(t *testing.T) {
	t.Parallel()
	s, _ := filled(t, trades)
	byID, err := s.ByID(t.Context(), 11, 12, 13, 14, 99)
	if err != nil || len(byID) != 4 {
		t.Fatalf("%v, %v", byID, err)
	}
	for id, over := range map[bank.ID]bool{11: true, 12: true, 13: false, 14: true, 99: false} {
		if byID[id].Over() != over {
			t.Errorf("trade %d is over: %v", id, !over)
		}
	}
	if byID[13].Replaces != 12 || byID[14].Target != 1 || byID[11].Content == byID[12].Content {
		t.Errorf("%+v", byID)
	}
	stored, err := byID[12].Stored()
	if err != nil || stored.TradeID != 12 || stored.State != bank.StateCanceled || stored.ReplacedBy == nil || *stored.ReplacedBy != 13 {
		t.Errorf("%+v, %v", stored, err)
	}
	if stored, err := byID[11].Stored(); err != nil || stored.Quantity.String() != "5.25" {
		t.Errorf("%+v, %v", stored, err)
	}
	for _, c := range []struct {
		trade, account bank.ID
		want           string
	}{{11, 1, "5.25"}, {12, 1, ""}, {13, 1, "-0.5"}, {14, 2, "-3"}, {14, 1, "8"}} {
		got, err := byID[c.trade].Running(c.account)
		if err != nil || (got == nil) != (c.want == "") || got != nil && got.String() != c.want {
			t.Errorf("after trade %d account %d had %v, %v; want %q", c.trade, c.account, got, err, c.want)
		}
	}

	// Names are of one account, to the letter, and of what is over.
	names := []archive.Name{{1, "A"}, {2, "A"}, {1, "a"}, {1, "B"}, {1, "C"}, {2, "B"}, {1, "A "}}
	byName, err := s.ByName(t.Context(), names...)
	if err != nil || len(byName) != 4 {
		t.Fatalf("%v, %v", byName, err)
	}
	for i, want := range []bank.ID{11, 14, 16, 12} {
		if got := byName[names[i]]; got == nil || got.ID != want {
			t.Errorf("%v: %+v, want trade %d", names[i], got, want)
		}
	}

	trade, cash, err := s.Last(t.Context())
	if err != nil || trade != 16 || cash != 0 {
		t.Errorf("the last are %d and %d, %v", trade, cash, err)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	s, _ := filled(t, trades)
	for _, c := range []struct {
		account bank.ID
		date    bank.Date
		state   string
		after   bank.ID
		limit   int
		want    []bank.ID
	}{
		{1, 20260105, "", 0, 10, []bank.ID{11, 14, 16}},
		{1, 20260105, "", 0, 2, []bank.ID{11, 14}},
		{1, 20260105, "", 14, 2, []bank.ID{16}},
		{1, 20260105, "", 16, 2, nil},
		{1, 20260105, bank.StateSettled, 11, 10, []bank.ID{14, 16}},
		{1, 20260105, bank.StateCanceled, 0, 10, []bank.ID{12}},
		{1, 20260106, "", 0, 10, []bank.ID{15}},
		{2, 20260105, "", 0, 10, []bank.ID{14}},
		{3, 20260105, "", 0, 10, nil},
	} {
		got, err := s.List(t.Context(), c.account, c.date, c.state, c.after, c.limit)
		if err != nil || !slices.Equal(ids(got), c.want) {
			t.Errorf("%+v: %v, %v", c, ids(got), err)
		}
	}
	for _, c := range []struct {
		accounts []int64
		want     []bank.ID
	}{{nil, []bank.ID{11, 12, 13, 14, 15, 16}}, {[]int64{2}, []bank.ID{14}}, {[]int64{}, nil}} {
		var got []*archive.Trade
		err := s.Each(t.Context(), c.accounts, func(t *archive.Trade) error { got = append(got, t); return nil })
		if err != nil || !slices.Equal(ids(got), c.want) {
			t.Errorf("of %v: %v, %v", c.accounts, ids(got), err)
		}
	}
	enough, seen := errors.New("enough"), 0
	if err := s.Each(t.Context(), nil, func(*archive.Trade) error { seen++; return enough }); !errors.Is(err, enough) || seen != 1 {
		t.Errorf("%d trades, %v", seen, err)
	}
}

func TestRows(t *testing.T) {
	t.Parallel()
	s, _ := filled(t, `INSERT INTO facade.archive_journal VALUES
		(1, 7, 20260105, 0, 3, '', 'USD', 'deposit', '0', '100.15', '0', '100.15'),
		(2, 8, 20260105, 11, 0, 'ABC', 'USD', 'trade', '5.25', '-12.5', '0', '0'),
		(4, 7, 20260106, 12, 0, 'ABC', 'EUR', '', '-5', '0', '0', '0.000001')`)
	eleven, twelve := bank.ID(11), bank.ID(12)
	text := func(r archive.Row) string {
		return strings.Join([]string{r.TDQuantity.String(), r.TDAmount.String(), r.SDQuantity.String(), r.SDAmount.String()}, " ")
	}
	one, err := s.Rows(t.Context(), 7, 0, 1)
	if err != nil || len(one) != 1 || one[0].JournalID != 1 || one[0].TradeID != nil || one[0].Cash != 3 || text(one[0]) != "0 100.15 0 100.15" {
		t.Errorf("%+v, %v", one, err)
	}
	rest, err := s.Rows(t.Context(), 7, 1, 10)
	if err != nil || len(rest) != 1 || rest[0].JournalID != 4 || !reflect.DeepEqual(rest[0].TradeID, &twelve) || rest[0].Cash != 0 || text(rest[0]) != "-5 0 0 0.000001" {
		t.Errorf("%+v, %v", rest, err)
	}
	if none, err := s.Rows(t.Context(), 7, 4, 10); err != nil || len(none) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
	var all []archive.Row
	if err := s.EachRow(t.Context(), func(r archive.Row) error { all = append(all, r); return nil }); err != nil || len(all) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	if r := all[1]; r.JournalID != 2 || r.Account != 8 || r.Date != 20260105 || !reflect.DeepEqual(r.TradeID, &eleven) || r.Symbol != "ABC" || r.Currency != "USD" || r.Memo != "trade" {
		t.Errorf("%+v", r)
	}
	enough := errors.New("enough")
	if err := s.EachRow(t.Context(), func(archive.Row) error { return enough }); !errors.Is(err, enough) {
		t.Error(err)
	}
}

// TestDamaged: what is not as it was written is said, with the row's id, and not answered.
func TestDamaged(t *testing.T) {
	t.Parallel()
	s, _ := filled(t, trades,
		`INSERT INTO facade.archive_journal VALUES (31, 7, 20260105, 11, 0, 'ABC', 'USD', '', '5', '1,5', '0', '0')`,
		`UPDATE facade.archive_trade SET running = 'five' WHERE bank_id = 15`, `UPDATE facade.archive_trade SET body = '{"trade_id": 16' WHERE bank_id = 16`)
	byID, err := s.ByID(t.Context(), 15, 16)
	if err != nil {
		t.Fatal(err)
	}
	_, bad15 := byID[15].Running(1)
	_, bad16 := byID[16].Stored()
	_, bad31 := s.Rows(t.Context(), 7, 0, 10)
	for want, err := range map[string]error{"archived trade 15": bad15, "archived trade 16": bad16, "archived journal row 31": bad31} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, and nothing of %s", err, want)
		}
	}
	if err := s.EachRow(t.Context(), func(archive.Row) error { return nil }); err == nil || !strings.Contains(err.Error(), "archived journal row 31") {
		t.Error(err)
	}
}

func TestCash(t *testing.T) {
	t.Parallel()
	s, _ := filled(t, `INSERT INTO facade.archive_cash VALUES (3, 'c', sha256('3')), (4, 'C', sha256('4')), (9, 'd', sha256('9'))`)
	got, err := s.Cash(t.Context(), "c", "C", "x")
	if err != nil || len(got) != 2 || got["c"].ID != 3 || got["C"].ID != 4 || got["c"].ClientID != "c" || got["c"].Content == got["C"].Content {
		t.Errorf("%+v, %v", got, err)
	}
	if _, cash, err := s.Last(t.Context()); err != nil || cash != 9 {
		t.Errorf("the last is %d, %v", cash, err)
	}
}

func TestReplacing(t *testing.T) {
	t.Parallel()
	s, _ := filled(t, trades)
	for _, key := range []string{"k1", "k2", "k1"} { // a repeat notes it again
		if err := s.NoteReplacing(t.Context(), 12, key); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Replacing(t.Context(), 12)
	slices.Sort(got)
	if err != nil || !slices.Equal(got, []string{"k1", "k2"}) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := s.Replacing(t.Context(), 11); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	if all, err := s.Replaced(t.Context()); err != nil || len(all) != 1 || !all[12] {
		t.Errorf("%v, %v", all, err)
	}
	if err := s.NoteReplacing(t.Context(), 99, "k"); err == nil || !strings.Contains(err.Error(), "trade 99") {
		t.Errorf("a trade that is not archived can be replaced: %v", err)
	}
}

// TestHash: one request has one hash, in whatever order its fields come, and another one has another.
func TestHash(t *testing.T) {
	t.Parallel()
	read := func(text string) *bank.Trade {
		var got bank.Trade
		if err := got.UnmarshalJSON([]byte(text)); err != nil {
			t.Fatal(err)
		}
		return &got
	}
	first := archive.HashTrade(read(`{"client_trade_id": "A", "quantity": "5.00", "order_id": "o"}`))
	if archive.HashTrade(read(`{"order_id":"o","quantity":"5.00","client_trade_id":"A"}`)) != first {
		t.Error("the order of fields is in the hash")
	}
	if archive.HashTrade(read(`{"client_trade_id": "A", "quantity": "5.00", "order_id": "p"}`)) == first {
		t.Error("a field is not in the hash")
	}
	deposit := bank.Cash{ClientID: "c", AccountID: 1, Currency: "USD", Kind: bank.Deposit}
	other := deposit
	other.AccountID = 2
	same := deposit
	if archive.HashCash(&deposit) != archive.HashCash(&same) || archive.HashCash(&deposit) == archive.HashCash(&other) {
		t.Error("hashes of cash movements do not tell them apart")
	}
}
