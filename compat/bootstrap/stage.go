package bootstrap

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/bkledger/bk/api/bulk"
	"github.com/bkledger/bk/compat/bootstrap/history"
	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/compat/bootstrap/store"
)

// stageEpoch is the epoch that the journal's rows carry: the load raises the ledger's to it or above.
const stageEpoch = 1

// stage books all history in one pass, and writes what is to be loaded. Killed, it begins anew; since the same input gives the same bytes, what is there already stays.
func (b *Bootstrap) stage(ctx context.Context, at extraction, pieces []piece, made []transformed) (m Manifest, err error) {
	patches, err := b.patches(ctx)
	if err != nil {
		return m, err
	}
	m = Manifest{Place: at.Place, Extracted: pieces, Made: made}
	if err := b.store.Read(ctx, planDoc, &m.Plan); err != nil {
		return m, err
	}
	m.Stage = fmt.Sprintf("stage/%.12s/", digestOf(struct {
		Manifest
		Patches map[source.Table]map[string]Patch
	}{m, patches}))
	defer b.meter.phase("stage", rowsOf(made, source.Journal))()
	group, writing := errgroup.WithContext(ctx)
	group.SetLimit(b.cfg.Parallel)
	out := &output{b: b, ctx: writing, folder: m.Stage, group: group, open: map[string]*table{}}
	builder, err := bulk.NewBuilder(bulk.BuilderConfig{Epoch: stageEpoch, ChunkRows: m.Plan.JournalRows, Sink: out.journal})
	if err != nil {
		return m, err
	}
	if m.Staged, err = b.stageAll(writing, m, patches, builder, out); err != nil {
		if failed := group.Wait(); failed != nil {
			err = failed // it ended what the stage was doing
		}
		return m, err
	}
	sum := m.digest()
	m.SHA256 = &sum
	return m, b.store.Note(ctx, manifestDoc, m)
}

func rowsOf(made []transformed, t source.Table) (rows int64) {
	for _, one := range made {
		if one.Table == t {
			rows += one.Rows
		}
	}
	return rows
}

func (b *Bootstrap) stageAll(ctx context.Context, m Manifest, patches map[source.Table]map[string]Patch, builder *bulk.Builder, out *output) (s staged, err error) {
	in := history.Input{BusinessDate: m.Place.BusinessDate, Opening: m.Plan.Mode == Opening}
	for _, t := range m.Made {
		for _, r := range t.Runs {
			in.Runs = append(in.Runs, history.Run{RunMeta: r.RunMeta, Open: func(ctx context.Context) (io.ReadCloser, error) {
				if r.Kind == history.KindSteps {
					b.meter.add(r.Rows)
				}
				return b.store.Open(ctx, r.Object)
			}})
		}
		for _, bad := range t.Bad {
			if err := out.line("quarantine", bad); err != nil {
				return s, err
			}
		}
	}
	var closers []io.Closer
	defer func() {
		for _, c := range closers {
			c.Close()
		}
	}()
	open := func(t source.Table) *chain {
		c := b.chainOf(ctx, m, t, lookUp(patches[t]))
		closers = append(closers, c)
		return c
	}
	in.Entities, in.Accounts = through[source.Entity](open(source.Entities), out), through[source.Account](open(source.Accounts), out)
	in.Positions, in.Balances = through[source.Position](open(source.Positions), out), through[source.Balance](open(source.Balances), out)
	in.Uploads, in.Errors = through[source.Upload](open(source.Uploads), out), through[source.UploadError](open(source.UploadErrors), out)
	in.GivenUp = through[source.GivenUp](open(source.UploadGivenUp), out)
	if s.Report, err = history.Stage(ctx, in, builder, out); errors.Is(err, history.ErrRecord) { // read before the end of the object, where its hash would have told
		return s, fmt.Errorf("%w: %w", store.ErrDamaged, err)
	} else if err != nil {
		return s, err
	}
	if s.Journal.Summary, err = builder.Close(); err != nil {
		return s, err
	}
	if err := out.end(); err != nil {
		return s, err
	}
	s.Journal.Epoch = stageEpoch
	s.Journal.Chunks, s.Objects, s.Facade = out.chunks, out.objects, out.facade
	s.Held, s.Repairs, s.Adjusts = out.lines["quarantine"], out.lines["repairs"], out.lines["adjustments"]
	if len(s.Journal.Chunks) == 0 { // an empty Bank makes an empty journal, which is not loaded
		return s, nil
	}
	return s, s.Journal.Validate()
}

// chain reads a table's chunks one after the other.
type chain struct {
	ctx     context.Context
	b       *Bootstrap
	table   source.Table
	patches source.Patches
	left    []store.Object
	file    io.ReadCloser
	from    *source.Reader
}

func (b *Bootstrap) chainOf(ctx context.Context, m Manifest, t source.Table, patches source.Patches) *chain {
	c := &chain{ctx: ctx, b: b, table: t, patches: patches}
	for _, p := range m.Extracted {
		if p.Range.Table == t {
			c.left = append(c.left, p.Object)
		}
	}
	return c
}

func (c *chain) next() (source.Row, error) {
	for {
		if c.from == nil {
			if len(c.left) == 0 {
				return nil, io.EOF
			}
			var err error
			if c.file, err = c.b.store.Open(c.ctx, c.left[0]); err != nil {
				return nil, err
			}
			c.left, c.from = c.left[1:], source.NewReader(c.table, c.file, c.patches)
		}
		row, err := c.from.Next()
		if err != io.EOF {
			return row, err
		}
		c.file.Close()
		c.from, c.file = nil, nil
	}
}

// Close implements io.Closer.
func (c *chain) Close() error {
	if c.file == nil {
		return nil
	}
	return c.file.Close()
}

// through gives a table's rows. Those that can't be read are held.
func through[T any, P interface {
	*T
	source.Row
}](from *chain, out *output) history.Rows[T] {
	return func() (*T, error) {
		for {
			row, err := from.next()
			if bad, ok := err.(*source.BadRow); ok {
				held, err := heldBad(bad)
				if err == nil {
					err = out.line("quarantine", held)
				}
				if err != nil {
					return nil, err
				}
				continue
			}
			if err != nil {
				return nil, err
			}
			return (*T)(row.(P)), nil
		}
	}
}

// output writes what the stage makes, as chunks. It is called by one goroutine; objects are written by others.
type output struct {
	b       *Bootstrap
	ctx     context.Context
	folder  string
	group   *errgroup.Group
	chunks  []bulk.ChunkMeta
	objects []store.Object
	open    map[string]*table
	facade  []rows
	lines   map[string][]store.Object
}

// table is a chunk that is being filled, and how many there were.
type table struct {
	columns []string // nil: of lines
	data    bytes.Buffer
	rows    int64
	number  int
}

const (
	tableRows  = 50_000
	tableBytes = 16 << 20
)

// put writes an object that is not there already, as from a stage that was killed.
func (o *output) put(object store.Object, data []byte) {
	o.group.Go(func() error {
		var there store.Object
		if ok, err := o.b.find(o.ctx, object.Key+".json", &there); err != nil {
			return err
		} else if ok && there == object && o.b.store.Check(o.ctx, there) == nil {
			return nil
		}
		if _, err := o.b.store.PutBytes(o.ctx, object.Key, object.Rows, data); err != nil {
			return err
		}
		return o.b.store.Note(o.ctx, object.Key+".json", object)
	})
}

func (o *output) journal(c bulk.Chunk) error {
	o.chunks = append(o.chunks, c.ChunkMeta)
	object := store.Object{Key: fmt.Sprintf("%sjournal-%05d.copy", o.folder, c.Number), Rows: c.Rows, Bytes: c.Bytes, SHA256: c.SHA256}
	o.objects = append(o.objects, object)
	o.put(object, c.Data)
	return o.ctx.Err()
}

// Row implements history.Output.
func (o *output) Row(name string, columns, values []string) error {
	t := o.table(name)
	if t.columns == nil {
		t.columns = slices.Clone(columns)
	}
	if !slices.Equal(t.columns, columns) || len(columns) != len(values) {
		return fmt.Errorf("%s: columns %v with %d values after %v", name, columns, len(values), t.columns)
	}
	fields := make([]*string, len(values))
	for i := range values {
		fields[i] = &values[i]
	}
	t.data.Write(source.AppendCSV(nil, fields...))
	return o.full(name, t)
}

// Quarantine implements history.Output.
func (o *output) Quarantine(q history.Quarantined) error {
	return o.line("quarantine", Held{Quarantined: q})
}

// Repair implements history.Output.
func (o *output) Repair(r history.Repaired) error { return o.line("repairs", r) }

// Adjust implements history.Output.
func (o *output) Adjust(a history.Adjusted) error { return o.line("adjustments", a) }

func (o *output) line(name string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	t := o.table(name)
	t.data.Write(append(text, '\n'))
	return o.full(name, t)
}

func (o *output) table(name string) *table {
	if o.open[name] == nil {
		o.open[name] = &table{}
	}
	return o.open[name]
}

// full counts a row, and writes the chunk if it is full.
func (o *output) full(name string, t *table) error {
	if t.rows++; t.rows >= tableRows || t.data.Len() >= tableBytes {
		o.flush(name, t)
	}
	return o.ctx.Err()
}

func (o *output) flush(name string, t *table) {
	if t.rows == 0 {
		return
	}
	t.number++
	data := slices.Clone(t.data.Bytes())
	object := store.Object{Rows: t.rows, Bytes: int64(len(data)), SHA256: sha256.Sum256(data)}
	if t.columns == nil {
		object.Key = fmt.Sprintf("%s%s-%05d.jsonl", o.folder, name, t.number)
		if o.lines == nil {
			o.lines = map[string][]store.Object{}
		}
		o.lines[name] = append(o.lines[name], object)
	} else {
		object.Key = fmt.Sprintf("%s%s-%05d.csv", o.folder, name, t.number)
		o.facade = append(o.facade, rows{Table: name, Columns: t.columns, Object: object})
	}
	o.put(object, data)
	t.data.Reset()
	t.rows = 0
}

// end writes what is left, and waits for all.
func (o *output) end() error {
	names := make([]string, 0, len(o.open))
	for name := range o.open {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		o.flush(name, o.open[name])
	}
	return o.group.Wait()
}
