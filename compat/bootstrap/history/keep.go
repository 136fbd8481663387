package history

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/compat/facade/books/script"
	"github.com/bkledger/bk/ledger"
)

// workSource is the source of what Bank has no id for.
const workSource = "bootstrap"

// table is one of the façade's, with the columns that are written.
type table struct {
	name    string
	columns []string
}

var (
	tableEntity   = table{"facade.books_entity", []string{"entity_id", "body"}}
	tableSymbol   = table{"facade.books_symbol", []string{"symbol", "instrument", "type", "value", "country", "currency"}}
	tableOverflow = table{"facade.books_overflow", []string{"hash", "content"}}
	tableID       = table{"facade.books_id", []string{"kind", "bank_id", "bk_id"}}
	tableFree     = table{"facade.books_free", []string{"account_id", "currency", "trade_key", "opened"}}
	tableUpload   = table{"facade.upload", []string{"seq", "kind", "upload_id", "name", "created_at", "updated_at", "status", "processed", "skipped", "attempted"}}
	tableFaults   = table{"facade.upload_error", []string{"seq", "row", "type", "message"}}
	tableGivenUp  = table{"facade.upload_given_up", []string{"seq", "row", "attempts", "since", "type", "message", "who", "why", "force", "given_up_at"}}
)

// Tables gives the façade's tables that Stage writes rows of, in the order in which they can be loaded.
func Tables() (names []string) {
	for _, t := range []table{tableEntity, tableSymbol, tableOverflow, tableID, tableFree, tableUpload, tableFaults, tableGivenUp, tableTrade, tableCash, tableJournal} {
		names = append(names, t.name)
	}
	return names
}

// Referred tells whether rows of other tables refer to those of the façade's table: they are loaded when these are there.
func Referred(table string) bool { return table == tableUpload.name }

func (s *stage) put(t table, values ...string) error {
	if err := s.out.Row(t.name, t.columns, values); err != nil {
		return fmt.Errorf("write a row of %s: %w", t.name, err)
	}
	return nil
}

// text keeps a text that is too long for BK.
func (s *stage) text(text string) error {
	key := script.TextKey(text)
	if s.texts[key] {
		return nil
	}
	s.texts[key] = true
	return s.put(tableOverflow, `\x`+hex.EncodeToString(key[:]), `\x`+hex.EncodeToString([]byte(text)))
}

func (s *stage) entity(e source.Entity) error {
	body, err := script.Entity(bank.Entity{EntityID: e.EntityID, ClientCode: e.ClientCode, LegalName: e.LegalName})
	if err != nil {
		return err
	}
	return s.put(tableEntity, e.EntityID.String(), body)
}

// account opens an account. One that BK refuses is in quarantine, and so is all that is booked to it.
func (s *stage) account(a source.Account) error {
	account, elsewhere := script.Account(bank.NewAccount{AccountID: a.AccountID, EntityID: a.EntityID, Name: a.Name})
	if elsewhere != "" {
		if err := s.text(elsewhere); err != nil {
			return err
		}
	}
	_, err := s.to.OpenAccount(account, workSource, s.moment(0))
	if rej := (*ledger.Rejection)(nil); errors.As(err, &rej) {
		return s.quarantine(source.Accounts, a.AccountID.String(), Refused, rej.Error(), a)
	}
	if err != nil {
		return fmt.Errorf("open account %d: %w", a.AccountID, err)
	}
	s.accounts[a.AccountID] = true
	return nil
}

// symbols knows which instrument stands for a symbol, as books does.
type symbols struct {
	known      map[string]*bkv1.Identifier
	taken      map[int64]bool   // instruments that stand for a symbol
	defined    map[string]int64 // by the identifier's text
	currencies map[string]bool
}

func newSymbols() *symbols {
	return &symbols{map[string]*bkv1.Identifier{}, map[int64]bool{}, map[string]int64{}, map[string]bool{}}
}

// symbol gives the identifier of what stands for the symbol of an instrument, and defines it if nothing does.
func (s *stage) symbol(in bank.Instrument) (*bkv1.Identifier, *ledger.Rejection, error) {
	if id := s.symbols.known[in.Identifier]; id != nil {
		return id, nil, nil
	}
	var refused *ledger.Rejection
	for n, candidate := range script.Candidates(in) {
		instrument, rej, err := s.define(in.Identifier, candidate, n == 0)
		if err != nil {
			return nil, nil, fmt.Errorf("define %s: %w", in.Identifier, err)
		}
		if rej != nil || s.symbols.taken[instrument] {
			refused = rej
			continue
		}
		s.symbols.known[in.Identifier], s.symbols.taken[instrument] = candidate, true
		err = s.put(tableSymbol, in.Identifier, strconv.FormatInt(instrument, 10), strconv.Itoa(int(candidate.Type)), candidate.Value, candidate.Country, candidate.Currency)
		return candidate, nil, err
	}
	if refused == nil {
		refused = ledger.Reject(ledger.ReasonInstrumentExists, "instrument", "all identifiers of %s stand for other symbols", in.Identifier)
	}
	return nil, refused, nil
}

// define defines an instrument of one identifier. Where it is one of an instrument that is defined otherwise, that one does if existing ones will do.
func (s *stage) define(symbol string, id *bkv1.Identifier, existing bool) (int64, *ledger.Rejection, error) {
	key := fmt.Sprint(int32(id.Type), ":", id.Value, ":", id.Country, ":", id.Currency)
	receipt, err := s.to.DefineInstrument(script.Security(symbol, id), workSource, s.moment(0))
	if rej := (*ledger.Rejection)(nil); errors.As(err, &rej) {
		switch {
		case rej.Reason == ledger.ReasonInstrumentExists && existing && s.symbols.defined[key] != 0:
			return s.symbols.defined[key], nil, nil
		case script.Unfit(string(rej.Reason)):
			return 0, rej, nil
		}
		return 0, nil, rej
	}
	if err != nil {
		return 0, nil, err
	}
	s.symbols.defined[key] = receipt.Instrument
	return receipt.Instrument, nil, nil
}

// currency defines a currency.
func (s *stage) currency(code string) (*ledger.Rejection, error) {
	if s.symbols.currencies[code] {
		return nil, nil
	}
	_, rej, err := s.define(code, bankmap.Currency(code), false)
	s.symbols.currencies[code] = rej == nil && err == nil
	return rej, err
}

// uploads writes what is known of uploads, so that a file that was uploaded before is refused, and can be asked for.
func (s *stage) uploads(ctx context.Context) error {
	n := func(v int64) string { return strconv.FormatInt(v, 10) }
	err := each(ctx, s.in.Uploads, func(u *source.Upload) error {
		return s.put(tableUpload, n(u.Seq), u.Kind, u.UploadID, u.Name, n(u.CreatedAt), n(u.UpdatedAt), u.Status, n(u.Processed), n(u.Skipped), n(u.Attempted))
	}, s.unreadable)
	if err != nil {
		return err
	}
	err = each(ctx, s.in.Errors, func(e *source.UploadError) error { return s.put(tableFaults, n(e.Seq), n(e.Row), e.Type, e.Message) }, s.unreadable)
	if err != nil {
		return err
	}
	return each(ctx, s.in.GivenUp, func(g *source.GivenUp) error {
		return s.put(tableGivenUp, n(g.Seq), n(g.Row), n(g.Attempts), g.Since, g.Type, g.Message, g.Who, g.Why, strconv.FormatBool(g.Force), g.GivenUpAt)
	}, s.unreadable)
}

// twins counts client ids that differ in case or space only. Each is another id to Bank, and to BK.
func (s *stage) twins(ctx context.Context) error {
	for kind, rule := range map[Kind]Rule{KindFolds: CaseTwins, KindCashFolds: CashTwins} {
		if err := s.countTwins(ctx, kind, rule); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) countTwins(ctx context.Context, kind Kind, rule Rule) error {
	folds := merge[fold](ctx, kind, s.in.Runs)
	defer folds.close()
	var last *fold
	twin := false // last has one before it
	for {
		next, err := folds.next()
		if err != nil || next == nil {
			return err
		}
		same := last != nil && *last == *next
		if same {
			s.fired(rule)
			if !twin {
				s.fired(rule) // the first of them, too
			}
		}
		last, twin = next, same
	}
}
