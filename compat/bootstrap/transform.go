package bootstrap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/bkledger/bk/api/bulk"
	"github.com/bkledger/bk/compat/bootstrap/history"
	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/compat/bootstrap/store"
)

// unreadable is the rule of rows that are not what their columns' types should have.
const unreadable history.Rule = "row-unreadable"

func transforms(t source.Table) bool {
	return t == source.Trades || t == source.CashMovements || t == source.Journal
}

// transform examines each chunk of trades, cash movements and journal rows. A chunk that was examined by these rules, with these decisions of people, is left as it is.
func (b *Bootstrap) transform(ctx context.Context, pieces []piece) ([]transformed, error) {
	patches, err := b.patches(ctx)
	if err != nil {
		return nil, err
	}
	var total int64
	for _, p := range pieces {
		if transforms(p.Range.Table) {
			total += p.Object.Rows
		}
	}
	defer b.meter.phase("transform", total)()
	all := make([]transformed, len(pieces))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(b.cfg.Parallel)
	for i, p := range pieces {
		if !transforms(p.Range.Table) {
			continue
		}
		group.Go(func() error {
			var err error
			if all[i], err = b.transformOne(ctx, p, patches[p.Range.Table]); err != nil {
				return fmt.Errorf("%s: %w", p.Range, err)
			}
			b.meter.add(p.Object.Rows)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var made []transformed
	for _, t := range all {
		if t.Number != 0 {
			made = append(made, t)
		}
	}
	return made, nil
}

func (b *Bootstrap) transformOne(ctx context.Context, p piece, patches map[string]Patch) (t transformed, err error) {
	name := fmt.Sprintf("transform/%s-%05d", p.Range.Table, p.Number)
	there, err := b.find(ctx, name+".json", &t)
	if err != nil {
		return t, err
	}
	if there && t.Input == p.Object.SHA256 && t.Rules == history.Version && maps.Equal(t.Patches, between(patches, t.Least, t.Most)) {
		return t, nil
	}
	in, err := b.store.Open(ctx, p.Object)
	if err != nil {
		return t, err
	}
	defer in.Close()
	t = transformed{Number: p.Number, Table: p.Range.Table, Input: p.Object.SHA256, Rules: history.Version}
	rows := source.NewReader(p.Range.Table, in, lookUp(patches))
	create := func(kind history.Kind) (io.WriteCloser, error) {
		return newObject(ctx, b.store, fmt.Sprintf("%s.%s", name, kind), &t.Runs), nil
	}
	var done history.Transformed
	switch p.Range.Table {
	case source.Trades:
		done, err = history.TransformTrades(ctx, only[source.Trade](rows, &t), create)
	case source.CashMovements:
		done, err = history.TransformCash(ctx, only[source.Cash](rows, &t), create)
	default:
		done, err = history.TransformJournal(ctx, only[source.JournalRow](rows, &t), create)
	}
	if err != nil {
		return t, err
	}
	if rows.Rows() != p.Object.Rows {
		return t, fmt.Errorf("%s has %d rows instead of %d: %w", p.Object.Key, rows.Rows(), p.Object.Rows, store.ErrDamaged)
	}
	t.Rows, t.Fired = done.Rows, done.Fired
	for i, meta := range done.Runs { // in the order in which they were written
		t.Runs[i].RunMeta, t.Runs[i].Object.Rows = meta, meta.Rows
	}
	t.Patches = between(patches, t.Least, t.Most)
	return t, b.store.Note(ctx, name+".json", t)
}

// only gives rows of one type. Those that can't be read are put aside.
func only[T any, P interface {
	*T
	source.Row
}](from *source.Reader, t *transformed) history.Rows[T] {
	return func() (*T, error) {
		for {
			row, err := from.Next()
			if bad := (*source.BadRow)(nil); errors.As(err, &bad) {
				if t == nil {
					return nil, err
				}
				held, err := heldBad(bad)
				if err != nil {
					return nil, err
				}
				t.Bad = append(t.Bad, held)
				t.saw(bad.Key)
				continue
			}
			if err != nil {
				return nil, err
			}
			typed, ok := row.(P)
			if !ok {
				return nil, fmt.Errorf("a row of %s where one of another table was expected", row.Table())
			}
			if t != nil {
				t.saw(row.Key())
			}
			return (*T)(typed), nil
		}
	}
}

func heldBad(bad *source.BadRow) (Held, error) {
	raw, err := json.Marshal(bad.Raw)
	return Held{Quarantined: history.Quarantined{Table: bad.Table, Key: bad.Key, Rule: unreadable, Reason: bad.Field + ": " + bad.Reason, Row: raw}}, err
}

// saw keeps the bounds of the ids.
func (t *transformed) saw(key string) {
	id, err := strconv.ParseInt(key, 10, 64)
	if err != nil {
		return
	}
	if t.Least == 0 && t.Most == 0 {
		t.Least, t.Most = id, id
	}
	t.Least, t.Most = min(t.Least, id), max(t.Most, id)
}

// between gives the hashes of patches of rows between two ids.
func between(patches map[string]Patch, least, most int64) map[string]bulk.Hash {
	var found map[string]bulk.Hash
	for key, p := range patches {
		if id, err := strconv.ParseInt(key, 10, 64); err == nil && id >= least && id <= most {
			if found == nil {
				found = map[string]bulk.Hash{}
			}
			found[key] = digestOf(p.Set)
		}
	}
	return found
}

func lookUp(patches map[string]Patch) source.Patches {
	if len(patches) == 0 {
		return nil
	}
	return func(key string) map[string]string { return patches[key].Set }
}

// object is one that is being written.
type object struct {
	io.Writer
	pipe *io.PipeWriter
	done chan error
	made store.Object
	to   *[]run
}

// newObject writes an object; what it became is appended to the runs when it is closed.
func newObject(ctx context.Context, to *store.Store, key string, runs *[]run) *object {
	r, w := io.Pipe()
	o := &object{Writer: w, pipe: w, done: make(chan error, 1), to: runs}
	go func() {
		var err error
		o.made, err = to.Put(ctx, key, func(out io.Writer) (int64, error) { return io.Copy(out, r) })
		r.CloseWithError(err)
		o.done <- err
	}()
	return o
}

// Close implements io.Closer.
func (o *object) Close() error {
	o.pipe.Close()
	if err := <-o.done; err != nil {
		return err
	}
	*o.to = append(*o.to, run{Object: o.made})
	return nil
}
