package history

import (
	"bufio"
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"io"
	"slices"
)

// Kind is what the records of a run are.
type Kind string

// The kinds of run. Those of one chunk are written by one Transform.
const (
	KindTrades    Kind = "trades"    // trades by id
	KindLinks     Kind = "links"     // by the replaced trade's id: which trade says that it replaces it
	KindFolds     Kind = "folds"     // client ids without case and space, hashed
	KindCash      Kind = "cash"      // cash movements by id
	KindCashFolds Kind = "cashfolds" // likewise
	KindSteps     Kind = "steps"     // journal rows by id
	KindOpens     Kind = "opens"     // by trade: where it came into force
)

// RunMeta describes a run; it belongs into the manifest, beside the hash of its object.
type RunMeta struct {
	Kind  Kind  `json:"kind"`
	Rows  int64 `json:"rows"`
	First int64 `json:"first"` // the place of its first record: before a merge comes there, the run is not opened
}

// Run is a sorted run that can be read.
type Run struct {
	RunMeta
	Open func(context.Context) (io.ReadCloser, error)
}

// source is a run that is being read.
type reading[T any] struct {
	run  int // by which equal records are ordered
	next T
	from *bufio.Reader
	file io.Closer
}

// merged reads all runs of a kind as one, in order. It has one record of each run in memory that overlaps with where it is.
type merged[T any, R record[T]] struct {
	ctx  context.Context
	left []Run // not opened, by First
	open []*reading[T]
	read int64
}

// merge begins to read the runs of a kind.
func merge[T any, R record[T]](ctx context.Context, kind Kind, runs []Run) *merged[T, R] {
	m := &merged[T, R]{ctx: ctx}
	for _, r := range runs {
		if r.Kind == kind && r.Rows > 0 {
			m.left = append(m.left, r)
		}
	}
	slices.SortStableFunc(m.left, func(a, b Run) int { return cmp.Compare(a.First, b.First) })
	return m
}

// next gives the next record, nil behind the last.
func (m *merged[T, R]) next() (*T, error) {
	for len(m.left) > 0 && (len(m.open) == 0 || m.left[0].First <= R(&m.open[0].next).place()) {
		if err := m.begin(m.left[0]); err != nil {
			return nil, err
		}
		m.left = m.left[1:]
	}
	if len(m.open) == 0 {
		return nil, nil
	}
	top := m.open[0]
	record := top.next
	top.next = *new(T) // what a record lacks must not be the last one's
	switch err := readRecord[T, R](top.from, R(&top.next)); {
	case err == io.EOF:
		heap.Pop(m)
		if err := top.file.Close(); err != nil {
			return nil, fmt.Errorf("close a run: %w", err)
		}
	case err != nil:
		return nil, fmt.Errorf("read a run: %w", err)
	case R(&top.next).before(&record):
		return nil, fmt.Errorf("read a run: record %d is out of order", m.read)
	default:
		heap.Fix(m, 0)
	}
	m.read++
	return &record, m.ctx.Err()
}

func (m *merged[T, R]) begin(r Run) error {
	file, err := r.Open(m.ctx)
	if err != nil {
		return fmt.Errorf("open a run of %s: %w", r.Kind, err)
	}
	at := &reading[T]{run: len(m.left), from: bufio.NewReaderSize(file, 1<<16), file: file}
	if err := readRecord[T, R](at.from, R(&at.next)); err != nil {
		_ = file.Close() // the first error counts
		return fmt.Errorf("read a run of %s: %w", r.Kind, err)
	}
	heap.Push(m, at)
	return nil
}

// close closes what is still open.
func (m *merged[T, R]) close() {
	for _, at := range m.open {
		_ = at.file.Close() // it was only read
	}
	m.open = nil
}

// Len, Less, Swap, Push and Pop make it a heap.
func (m *merged[T, R]) Len() int { return len(m.open) }

// Less is the order of the records, and of the runs among equal ones.
func (m *merged[T, R]) Less(i, j int) bool {
	a, b := m.open[i], m.open[j]
	if R(&a.next).before(&b.next) {
		return true
	}
	return !R(&b.next).before(&a.next) && a.run > b.run // left grows shorter: earlier runs have the higher number
}

// Swap changes two places.
func (m *merged[T, R]) Swap(i, j int) { m.open[i], m.open[j] = m.open[j], m.open[i] }

// Push adds a run.
func (m *merged[T, R]) Push(x any) { m.open = append(m.open, x.(*reading[T])) }

// Pop takes the last run away.
func (m *merged[T, R]) Pop() any {
	last := m.open[len(m.open)-1]
	m.open = m.open[:len(m.open)-1]
	return last
}
