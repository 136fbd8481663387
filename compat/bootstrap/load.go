package bootstrap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/bkledger/bk/api/bulk"
	"github.com/bkledger/bk/compat/bootstrap/history"
	"github.com/bkledger/bk/compat/bootstrap/store"
	"github.com/bkledger/bk/compat/facade/schema"
	"github.com/bkledger/bk/ledger/publisher"
)

// loaded is the content of load.json: written when load begins, and again when it has ended.
type loaded struct {
	Manifest bulk.Hash  `json:"manifest"`
	BeganAt  time.Time  `json:"began_at"`
	EndedAt  *time.Time `json:"ended_at,omitempty"`
	Rows     int64      `json:"rows"`    // of the journal
	Seconds  float64    `json:"seconds"` // of the run that ended it: copying alone
}

// load brings what was staged into both databases. The façade's rows come first; the journal is checked last, and then BK lets servers in.
func (b *Bootstrap) load(ctx context.Context, m Manifest) error {
	var was loaded
	there, err := b.find(ctx, loadDoc, &was)
	if err != nil {
		return err
	}
	if there && was.Manifest != *m.SHA256 {
		return fmt.Errorf("%w: what is loaded was staged otherwise", ErrPlan)
	}
	if was.EndedAt != nil {
		return nil
	}
	if err := schema.Up(ctx, b.cfg.FacadeDB, b.log); err != nil {
		return err
	}
	facade, err := b.connectFacade(ctx)
	if err != nil {
		return err
	}
	defer facade.Close()
	if err := b.beginFacade(ctx, facade, m); err != nil {
		return err
	}
	var loader *bulk.Loader
	if len(m.Staged.Journal.Chunks) > 0 {
		if loader, err = b.loader(ctx, m); err != nil {
			return err
		}
		defer loader.Close()
		if err := loader.Begin(ctx); err != nil {
			return err
		}
	}
	if !there {
		was = loaded{Manifest: *m.SHA256, BeganAt: time.Now().UTC()}
		if err := b.store.Note(ctx, loadDoc, was); err != nil {
			return err
		}
	}
	began := time.Now()
	if err := b.copyAll(ctx, m, facade, loader); err != nil {
		return err
	}
	was.Rows, was.Seconds = m.Staged.Journal.Summary.Rows, time.Since(began).Seconds()
	if loader != nil {
		if err := loader.Finish(ctx); err != nil {
			return err
		}
	}
	if err := b.endFacade(ctx, facade, m); err != nil {
		return err
	}
	now := time.Now().UTC()
	was.EndedAt = &now
	return b.store.Note(ctx, loadDoc, was)
}

func (b *Bootstrap) loader(ctx context.Context, m Manifest) (*bulk.Loader, error) {
	var copier bulk.Copier = bulk.Stream{}
	if b.cfg.Aurora.BK {
		copier = bulk.Aurora{}
	}
	cfg := bulk.LoaderConfig{
		DSN: b.cfg.BKDB, Manifest: m.Staged.Journal, Copier: copier, Who: b.cfg.Who, Connections: b.cfg.Parallel, Log: b.log,
		Progress: func(done, total uint64) { b.meter.set(int64(done), int64(total), "checking the journal") },
	}
	if len(b.cfg.Kafka) > 0 {
		cfg.Published = func(ctx context.Context) (bool, error) { return publisher.Published(ctx, b.cfg.Kafka, b.cfg.Events) }
	}
	return bulk.NewLoader(ctx, cfg)
}

func (b *Bootstrap) connectFacade(ctx context.Context) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(b.cfg.FacadeDB)
	if err != nil {
		return nil, errors.New("the façade's database: the DSN can't be read")
	}
	cfg.ConnConfig.RuntimeParams["application_name"] = "hotswap-bootstrap"
	cfg.ConnConfig.RuntimeParams["statement_timeout"] = "0"
	cfg.MaxConns = int32(b.cfg.Parallel) + 2
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("the façade's database: %w", err)
	}
	return pool, nil
}

// beginFacade writes down what is loaded into the façade's database, which must be fresh or in this very load.
func (b *Bootstrap) beginFacade(ctx context.Context, pool *pgxpool.Pool, m Manifest) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		// No façade begins meanwhile.
		if _, err := tx.Exec(ctx, `LOCK facade.mode, facade.bootstrap IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return fmt.Errorf("the façade's database: %w", err)
		}
		var manifest string
		err := tx.QueryRow(ctx, `SELECT manifest FROM facade.bootstrap`).Scan(&manifest)
		if err == nil && manifest == m.SHA256.String() {
			return nil
		}
		if err == nil {
			return fmt.Errorf("%w: it was loaded with something else (manifest %.12s, not %.12s)", ErrNotFresh, manifest, m.SHA256)
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("the façade's database: %w", err)
		}
		tables := []string{"facade.mode", "facade.queue", "facade.books_entity", "facade.books_symbol", "facade.books_id", "facade.upload"}
		for _, t := range m.Staged.Facade {
			if !slices.Contains(tables, t.Table) {
				tables = append(tables, t.Table)
			}
		}
		for _, t := range tables {
			var any bool
			if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM `+tableName(t)+`)`).Scan(&any); err != nil {
				return fmt.Errorf("the façade's database: %w", err)
			}
			if any {
				return fmt.Errorf("%w: %s has rows", ErrNotFresh, t)
			}
		}
		var opening *int64 // BK's last entry, behind which the archive ends
		if head := int64(m.Staged.Journal.Summary.Head); m.Plan.Mode == Opening && head > 0 {
			opening = &head
		}
		_, err = tx.Exec(ctx, `INSERT INTO facade.bootstrap (manifest, event_id, business_date, who, opening_head) VALUES ($1, $2, $3, $4, $5)`,
			m.SHA256.String(), m.Place.EventID, int32(m.Place.BusinessDate), b.cfg.Who, opening)
		if err != nil {
			return fmt.Errorf("the façade's database: %w", err)
		}
		if len(m.Place.Offsets) == 0 {
			return nil
		}
		offsets, err := json.Marshal(m.Place.Offsets)
		if err != nil {
			return err
		}
		// The window of epoch 1 begins at the place of the epoch before.
		if _, err = tx.Exec(ctx, `INSERT INTO facade.bank_place (epoch, event_id, date, offsets) VALUES (0, $1, $2, $3)`, m.Place.EventID, int32(m.Place.BusinessDate), offsets); err != nil {
			return fmt.Errorf("the façade's database: %w", err)
		}
		return nil
	})
}

func tableName(name string) string {
	return pgx.Identifier(strings.Split(name, ".")).Sanitize()
}

func (b *Bootstrap) copyAll(ctx context.Context, m Manifest, facade *pgxpool.Pool, loader *bulk.Loader) error {
	total := m.Staged.Journal.Summary.Rows
	for _, r := range m.Staged.Facade {
		total += r.Object.Rows
	}
	defer b.meter.phase("load", total)()
	load := func(chunks []func(context.Context) error) error {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(b.cfg.Parallel)
		for _, chunk := range chunks {
			group.Go(func() error { return chunk(ctx) })
		}
		return group.Wait()
	}
	var referred, others []func(context.Context) error
	for _, r := range m.Staged.Facade {
		chunk := func(ctx context.Context) error {
			if err := b.copyRows(ctx, facade, r); err != nil {
				return err
			}
			b.meter.add(r.Object.Rows)
			return nil
		}
		if history.Referred(r.Table) {
			referred = append(referred, chunk)
		} else {
			others = append(others, chunk)
		}
	}
	for i, c := range m.Staged.Journal.Chunks {
		others = append(others, func(ctx context.Context) error {
			if err := loader.Load(ctx, c.Number, b.bulkObject(m.Staged.Objects[i])); err != nil {
				return damaged(err)
			}
			b.meter.add(c.Rows)
			return nil
		})
	}
	if err := load(referred); err != nil {
		return err
	}
	return load(others)
}

// damaged makes the loader's word for it this package's.
func damaged(err error) error {
	if errors.Is(err, bulk.ErrDamaged) {
		return fmt.Errorf("%w: %w", store.ErrDamaged, err)
	}
	return err
}

func (b *Bootstrap) bulkObject(o store.Object) bulk.Object {
	to := bulk.Object{Name: o.Key, SHA256: o.SHA256, Bytes: o.Bytes, Open: func(ctx context.Context) (io.ReadCloser, error) { return b.store.Raw(ctx, o) }}
	to.Bucket, to.Key, to.Region, _ = b.store.S3(o.Key)
	return to
}

// copyRows copies a chunk into a table of the façade's, once.
func (b *Bootstrap) copyRows(ctx context.Context, pool *pgxpool.Pool, r rows) error {
	const options = "(FORMAT csv)"
	var copier bulk.Copier = bulk.Stream{Options: options}
	if b.cfg.Aurora.Facade {
		copier = bulk.Aurora{Options: options}
	}
	var quoted []string
	for _, c := range r.Columns {
		quoted = append(quoted, pgx.Identifier{c}.Sanitize())
	}
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `INSERT INTO facade.bootstrap_chunk (name, rows, sha256) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, r.Object.Key, r.Object.Rows, r.Object.SHA256.String())
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		n, err := copier.Copy(ctx, tx.Conn(), r.Table, strings.Join(quoted, ", "), b.bulkObject(r.Object))
		if err == nil && n != r.Object.Rows {
			err = fmt.Errorf("%w: %d rows instead of %d", store.ErrDamaged, n, r.Object.Rows)
		}
		return damaged(err)
	})
	if err != nil {
		return fmt.Errorf("copy %s into %s: %w", r.Object.Key, r.Table, err)
	}
	return nil
}

// endFacade lets the façade begin: numbers that the database gives go on behind those that were loaded.
func (b *Bootstrap) endFacade(ctx context.Context, pool *pgxpool.Pool, m Manifest) error {
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		var seen []string
		for _, r := range m.Staged.Facade {
			if slices.Contains(seen, r.Table) {
				continue
			}
			seen = append(seen, r.Table)
			found, err := tx.Query(ctx, `SELECT attname::text FROM pg_attribute WHERE attrelid = $1::regclass AND attidentity <> '' AND NOT attisdropped`, tableName(r.Table))
			if err != nil {
				return err
			}
			columns, err := pgx.CollectRows(found, pgx.RowTo[string])
			if err != nil {
				return err
			}
			for _, c := range columns {
				if _, err := tx.Exec(ctx, fmt.Sprintf(`SELECT setval(pg_get_serial_sequence($1, $2), max(%s)) FROM %s`, pgx.Identifier{c}.Sanitize(), tableName(r.Table)), tableName(r.Table), c); err != nil {
					return err
				}
			}
		}
		_, err := tx.Exec(ctx, `UPDATE facade.bootstrap SET state = 'loaded', loaded_at = clock_timestamp() WHERE state = 'loading'`)
		return err
	})
	if err != nil {
		return fmt.Errorf("the façade's database: %w", err)
	}
	return nil
}

// Abort takes away what was loaded, as long as neither BK nor a façade has begun on it: then the databases are as they were. The work store stays; what is loaded from it next is
// loaded anew.
func (b *Bootstrap) Abort(ctx context.Context) error {
	ctx, unlock, err := b.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	m, err := b.manifest(ctx)
	if err != nil {
		return fmt.Errorf("abort: nothing is staged: %w", err)
	}
	var was loaded
	if _, err := b.find(ctx, loadDoc, &was); err != nil {
		return err
	}
	if was.EndedAt != nil {
		return errors.New("abort: the load has ended, and BK is open: begin anew with empty databases")
	}
	facade, err := b.connectFacade(ctx)
	if err != nil {
		return err
	}
	defer facade.Close()
	var begun bool
	if err := facade.QueryRow(ctx, `SELECT to_regclass('facade.bootstrap') IS NOT NULL`).Scan(&begun); err != nil {
		return fmt.Errorf("abort: the façade's database: %w", err)
	}
	if !begun {
		return errors.New("abort: nothing is loaded")
	}
	if len(m.Staged.Journal.Chunks) > 0 {
		loader, err := b.loader(ctx, m)
		if err != nil {
			return fmt.Errorf("abort: %w", err)
		}
		defer loader.Close()
		if err := loader.Abort(ctx); err != nil { // this load and no other
			return fmt.Errorf("abort: %w", err)
		}
	}
	err = pgx.BeginFunc(ctx, facade, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `DELETE FROM facade.bootstrap WHERE manifest = $1 AND state = 'loading'`, m.SHA256.String())
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		tables := []string{"facade.bootstrap_chunk"}
		for _, r := range m.Staged.Facade {
			if name := tableName(r.Table); !slices.Contains(tables, name) {
				tables = append(tables, name)
			}
		}
		if _, err := tx.Exec(ctx, `TRUNCATE `+strings.Join(tables, ", ")+` RESTART IDENTITY CASCADE`); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `DELETE FROM facade.bank_place WHERE epoch = 0`)
		return err
	})
	if err != nil {
		return fmt.Errorf("abort: the façade's database: %w", err)
	}
	return b.store.Remove(ctx, loadDoc)
}
