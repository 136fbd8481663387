package bootstrap

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bkledger/bk/compat/bootstrap/history"
	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/compat/bootstrap/store"
)

// Held is a row in quarantine.
type Held struct {
	history.Quarantined
	Patch  *Patch `json:"patch,omitempty"`  // what was decided about it
	Booked bool   `json:"booked,omitempty"` // after the load, through the engine
}

// ID names it: the table, and the row's key in it.
func (h Held) ID() string { return string(h.Table) + ":" + h.Key }

// Patch is what somebody decided about a row: values of columns of Bank's table, as Postgres spells them ([source.Null] for null).
type Patch struct {
	Table source.Table      `json:"table"`
	Key   string            `json:"key"`
	Set   map[string]string `json:"set"`
	Who   string            `json:"who"`
	Why   string            `json:"why"`
	At    time.Time         `json:"at"`
}

// ErrNotHeld: there is no such row in quarantine.
var ErrNotHeld = errors.New("no such row is in quarantine")

// patchKey names a patch's document: a key may have any character.
func patchKey(t source.Table, key string) string {
	sum := sha256.Sum256([]byte(key))
	return fmt.Sprintf("%s%s-%s.json", patchFolder, t, hex.EncodeToString(sum[:12]))
}

// patches reads all that was decided, by table and key.
func (b *Bootstrap) patches(ctx context.Context) (map[source.Table]map[string]Patch, error) {
	keys, err := b.store.List(ctx, patchFolder)
	if err != nil {
		return nil, err
	}
	all := map[source.Table]map[string]Patch{}
	for _, key := range keys {
		var p Patch
		if err := b.store.Read(ctx, key, &p); err != nil {
			return nil, err
		}
		if all[p.Table] == nil {
			all[p.Table] = map[string]Patch{}
		}
		all[p.Table][p.Key] = p
	}
	return all, nil
}

// lines reads objects of JSON lines.
func lines[T any](ctx context.Context, from *store.Store, objects []store.Object) (all []T, err error) {
	for _, o := range objects {
		in, err := from.Open(ctx, o)
		if err != nil {
			return nil, err
		}
		for r := json.NewDecoder(bufio.NewReader(in)); r.More(); {
			var one T
			if err := r.Decode(&one); err != nil {
				in.Close()
				return nil, fmt.Errorf("read %s: %w", o.Key, err)
			}
			all = append(all, one)
		}
		in.Close()
	}
	return all, nil
}

// Quarantine gives the rows in quarantine, as stage found them. [store.ErrMissing] before stage has ended.
func (b *Bootstrap) Quarantine(ctx context.Context) ([]Held, error) {
	m, err := b.manifest(ctx)
	if err != nil {
		return nil, fmt.Errorf("quarantine: stage has not ended: %w", err)
	}
	held, err := lines[Held](ctx, b.store, m.Staged.Held)
	if err != nil {
		return nil, fmt.Errorf("quarantine: %w", err)
	}
	patches, err := b.patches(ctx)
	if err != nil {
		return nil, fmt.Errorf("quarantine: %w", err)
	}
	booked, err := b.store.List(ctx, bookedFolder)
	if err != nil {
		return nil, fmt.Errorf("quarantine: %w", err)
	}
	for i := range held {
		h := &held[i]
		if p, ok := patches[h.Table][h.Key]; ok {
			h.Patch = &p
		}
		h.Booked = slices.Contains(booked, bookedKey(*h))
	}
	return held, nil
}

func bookedKey(h Held) string {
	return bookedFolder + strings.TrimPrefix(patchKey(h.Table, h.Key), patchFolder)
}

// Fix stores what somebody decided about a row in quarantine. Retry does it.
func (b *Bootstrap) Fix(ctx context.Context, id string, set map[string]string, who, why string) error {
	name, key, _ := strings.Cut(id, ":")
	table, err := source.ParseTable(name)
	if err != nil || key == "" {
		return fmt.Errorf("fix %q: an id such as trade:812 is needed", id)
	}
	if who == "" || why == "" || len(set) == 0 {
		return fmt.Errorf("fix %s: new values, who and why are needed", id)
	}
	for column := range set {
		if !slices.Contains(table.Columns(), column) {
			return fmt.Errorf("fix %s: %s is no column of bank.%s: %s", id, column, table, strings.Join(table.Columns(), ", "))
		}
		if slices.Contains(table.KeyColumns(), column) {
			return fmt.Errorf("fix %s: %s is the row's key", id, column)
		}
	}
	held, err := b.Quarantine(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(held, func(h Held) bool { return h.Table == table && h.Key == key }) {
		return fmt.Errorf("fix %s: %w", id, ErrNotHeld)
	}
	return b.store.Note(ctx, patchKey(table, key), Patch{Table: table, Key: key, Set: set, Who: who, Why: why, At: time.Now().UTC()})
}

// Retried is what came of trying rows again that were fixed.
type Retried struct {
	Tried  int    `json:"tried"`
	Held   []Held `json:"still_held"` // of those that were tried
	Booked int    `json:"booked"`     // through the engine; the others before the load
}

// Retry tries the rows again about which something was decided: before the load only their chunks are transformed again, and all is staged again; after it they are booked through the
// engine, under their ids and times.
func (b *Bootstrap) Retry(ctx context.Context) (r Retried, err error) {
	ctx, unlock, err := b.lock(ctx)
	if err != nil {
		return r, err
	}
	defer unlock()
	all, err := b.Quarantine(ctx)
	if err != nil {
		return r, err
	}
	tried := map[string]bool{}
	var fixed []Held
	for _, h := range all {
		if h.Patch != nil && !h.Booked {
			tried[h.ID()] = true
			fixed = append(fixed, h)
		}
	}
	if r.Tried = len(fixed); r.Tried == 0 {
		return r, nil
	}
	if begun, err := b.find(ctx, loadDoc, &struct{}{}); err != nil {
		return r, err
	} else if begun {
		return b.bookHeld(ctx, fixed, r)
	}
	if err := b.plan(ctx); err != nil {
		return r, fmt.Errorf("plan: %w", err)
	}
	if err := b.store.Remove(ctx, manifestDoc); err != nil {
		return r, err
	}
	if _, err := b.prepare(ctx); err != nil {
		return r, err
	}
	if all, err = b.Quarantine(ctx); err != nil {
		return r, err
	}
	for _, h := range all {
		if tried[h.ID()] {
			r.Held = append(r.Held, h)
		}
	}
	return r, nil
}
