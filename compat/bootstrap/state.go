package bootstrap

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/bkledger/bk/api/bulk"
	"github.com/bkledger/bk/compat/bootstrap/history"
	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/compat/bootstrap/store"
)

// The documents and folders of a work store.
const (
	planDoc      = "plan.json"
	extractDoc   = "extract.json"
	manifestDoc  = "MANIFEST.json"
	loadDoc      = "load.json"
	catchUpDoc   = "catch-up.json"
	verifyDoc    = "verify.json"
	patchFolder  = "patch/"
	bookedFolder = "booked/"
)

// Plan is what was decided at the beginning, and holds for all phases.
type Plan struct {
	Mode        string    `json:"mode"`
	Rules       string    `json:"rules"`  // version
	Source      string    `json:"source"` // "database" or "api"
	ChunkRows   int64     `json:"chunk_rows"`
	JournalRows int       `json:"journal_rows"`
	CreatedAt   time.Time `json:"created_at"`
	Who         string    `json:"who"`
}

// extraction is one attempt to read all of Bank.
type extraction struct {
	Attempt  int            `json:"attempt"`
	Place    source.Place   `json:"place"`
	Ranges   []source.Range `json:"ranges"`
	Complete bool           `json:"complete"`
}

// piece is an extracted chunk.
type piece struct {
	Number int          `json:"number"` // from 1, over all tables
	Range  source.Range `json:"range"`
	Object store.Object `json:"object"`
}

func (e extraction) folder() string { return fmt.Sprintf("extract/%04d/", e.Attempt) }

func (e extraction) name(number int) string {
	return fmt.Sprintf("%s%s-%05d", e.folder(), e.Ranges[number-1].Table, number)
}

// run is a sorted run of records that transform made of a chunk.
type run struct {
	history.RunMeta
	Object store.Object `json:"object"`
}

// transformed is what became of a chunk.
type transformed struct {
	Number int            `json:"number"`
	Table  source.Table   `json:"table"`
	Input  bulk.Hash      `json:"input"` // SHA-256 of the extracted chunk
	Rules  string         `json:"rules"`
	Rows   int64          `json:"rows"`
	Least  int64          `json:"least"` // ids of its rows
	Most   int64          `json:"most"`
	Runs   []run          `json:"runs"`
	Fired  history.Counts `json:"rules_fired,omitempty"`
	Bad    []Held         `json:"unreadable,omitempty"`
	// Patches are the SHA-256 of what people had decided about rows between Least and Most.
	Patches map[string]bulk.Hash `json:"patches,omitempty"`
}

// staged is what is to be loaded.
type staged struct {
	Journal bulk.Manifest  `json:"journal"`
	Objects []store.Object `json:"journal_objects"` // of the journal's chunks
	Facade  []rows         `json:"facade"`
	Held    []store.Object `json:"quarantine"`
	Repairs []store.Object `json:"repairs"`
	Adjusts []store.Object `json:"adjustments"`
	Report  history.Report `json:"report"`
}

// rows is a chunk of a table of the façade's.
type rows struct {
	Table   string       `json:"table"`
	Columns []string     `json:"columns"`
	Object  store.Object `json:"object"`
}

// Manifest is all that is ready to be loaded, and what it was made of. SHA256 is of its JSON without that field.
type Manifest struct {
	Plan      Plan          `json:"plan"`
	Place     source.Place  `json:"place"`
	Extracted []piece       `json:"extracted"`
	Made      []transformed `json:"transformed"`
	Stage     string        `json:"stage"` // folder
	Staged    staged        `json:"staged"`
	SHA256    *bulk.Hash    `json:"sha256,omitempty"`
}

// digest gives what SHA256 must be.
func (m Manifest) digest() bulk.Hash {
	m.SHA256 = nil
	return digestOf(m)
}

func digestOf(value any) bulk.Hash {
	text, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("bootstrap: encode a manifest: %v", err)) // plain data
	}
	return sha256.Sum256(text)
}

// manifest reads it: [store.ErrMissing] before stage has ended, [store.ErrDamaged] if it is not what was written.
func (b *Bootstrap) manifest(ctx context.Context) (m Manifest, err error) {
	if err := b.store.Read(ctx, manifestDoc, &m); err != nil {
		return m, err
	}
	if m.SHA256 == nil || *m.SHA256 != m.digest() {
		return m, fmt.Errorf("%s: %w", manifestDoc, store.ErrDamaged)
	}
	return m, nil
}

// find reads a document; ok is false if there is none.
func (b *Bootstrap) find(ctx context.Context, key string, to any) (ok bool, err error) {
	err = b.store.Read(ctx, key, to)
	if errors.Is(err, store.ErrMissing) {
		return false, nil
	}
	return err == nil, err
}
