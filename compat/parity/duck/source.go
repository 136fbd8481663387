package duck

/*
#include <stdint.h>
#include <stdlib.h>

void bkChunksBind(void *info);
void bkChunksInit(void *info);
void bkChunksThread(void *info);
void bkChunksNext(void *info, void *to);
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime/cgo"
	"slices"
	"sync"
	"time"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/bkledger/bk/compat/parity/dialect"
)

// rowGroup is how many rows DuckDB packs and writes together. What a thread inserts of a transaction is written where it is to stay if it is whole groups; else it is copied to what the other
// threads insert.
const rowGroup = 122_880

// workPoll is how often it is looked whether DuckDB's own threads are done with what is left of an INSERT.
const workPoll = 100 * time.Microsecond

// source is a function of SQL that gives a store's chunks as a table: INSERT reads them where they were filled. One INSERT at a time reads it, on several threads.
type source struct {
	name   string
	handle *C.uintptr_t // a cgo.Handle in memory of C, 0 when the store is closed; DuckDB's, which has the function for as long as it has the database open
	table  *dialect.Table
	types  []mapping.LogicalType

	mu      sync.Mutex
	shares  [][]*chunk // a row group each, for the next thread that has nothing to do
	threads [][]*chunk // what each of DuckDB's threads has to do yet
}

// register makes it known to the database.
func (s *source) register(conn mapping.Connection) error {
	handle := cgo.NewHandle(s)
	s.handle = (*C.uintptr_t)(C.malloc(C.size_t(unsafe.Sizeof(C.uintptr_t(0)))))
	*s.handle = C.uintptr_t(handle)
	s.name = fmt.Sprintf("bk_landing_chunks_%d", handle) // the database may have been opened by others here, with a function each
	f := mapping.CreateTableFunction()
	defer mapping.DestroyTableFunction(&f)
	mapping.TableFunctionSetName(f, s.name)
	mapping.TableFunctionSetExtraInfo(f, unsafe.Pointer(s.handle), C.free)
	mapping.TableFunctionSetBind(f, C.bkChunksBind)
	mapping.TableFunctionSetInit(f, C.bkChunksInit)
	mapping.TableFunctionSetLocalInit(f, C.bkChunksThread)
	mapping.TableFunctionSetFunction(f, C.bkChunksNext)
	if mapping.RegisterTableFunction(conn, f) == mapping.StateError {
		handle.Delete()
		s.handle = nil // the memory goes with f
		return errors.New("the function that gives rows could not be made")
	}
	return nil
}

// close is called before the database is closed.
func (s *source) close() {
	if s.handle != nil {
		cgo.Handle(*s.handle).Delete()
		*s.handle, s.handle = 0, nil
	}
}

// sourceOf gives the source of a function's extra info.
func sourceOf(info unsafe.Pointer) *source {
	handle := *(*C.uintptr_t)(info)
	if handle == 0 {
		return nil
	}
	return cgo.Handle(handle).Value().(*source)
}

//export bkChunksBind
func bkChunksBind(info unsafe.Pointer) {
	bind := mapping.BindInfo{Ptr: info}
	s := sourceOf(mapping.BindGetExtraInfo(bind))
	if s == nil || s.table == nil {
		mapping.BindSetError(bind, "nothing is being landed")
		return
	}
	for i, column := range s.table.Columns {
		mapping.BindAddResultColumn(bind, column.Name, s.types[i])
	}
}

//export bkChunksInit
func bkChunksInit(info unsafe.Pointer) {
	init := mapping.InitInfo{Ptr: info}
	if s := sourceOf(mapping.InitGetExtraInfo(init)); s != nil {
		mapping.InitSetMaxThreads(init, mapping.IdxT(max(len(s.shares), 1)))
	}
}

//export bkChunksThread
func bkChunksThread(info unsafe.Pointer) {
	init := mapping.InitInfo{Ptr: info}
	s := sourceOf(mapping.InitGetExtraInfo(init))
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	place := (*C.uintptr_t)(C.malloc(C.size_t(unsafe.Sizeof(C.uintptr_t(0)))))
	*place = C.uintptr_t(len(s.threads))
	s.threads = append(s.threads, nil)
	mapping.InitSetInitData(init, unsafe.Pointer(place), C.free)
}

// next gives a thread its next chunk, nil if there is none for it.
func (s *source) next(thread int) *chunk {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := s.threads[thread]
	if len(rest) == 0 {
		if len(s.shares) == 0 {
			return nil
		}
		rest, s.shares = s.shares[0], s.shares[1:]
	}
	s.threads[thread] = rest[1:]
	return rest[0]
}

// share divides chunks that have rows into row groups: full chunks come first, so that a group is whole if there are as many rows.
func share(chunks []*chunk) (shares [][]*chunk) {
	chunks = slices.DeleteFunc(slices.Clone(chunks), func(c *chunk) bool { return c.rows == 0 })
	slices.SortStableFunc(chunks, func(a, b *chunk) int { return b.rows - a.rows })
	from, rows := 0, 0
	for i, c := range chunks {
		if rows += c.rows; rows >= rowGroup || i == len(chunks)-1 {
			shares = append(shares, chunks[from:i+1])
			from, rows = i+1, 0
		}
	}
	return shares
}

//export bkChunksNext
func bkChunksNext(info, to unsafe.Pointer) {
	function, out := mapping.FunctionInfo{Ptr: info}, mapping.DataChunk{Ptr: to}
	var c *chunk
	if s := sourceOf(mapping.FunctionGetExtraInfo(function)); s != nil {
		c = s.next(int(*(*C.uintptr_t)(mapping.FunctionGetLocalInitData(function))))
	}
	if c == nil {
		mapping.DataChunkSetSize(out, 0)
		return
	}
	for i := range c.columns {
		mapping.VectorReferenceVector(mapping.DataChunkGetVector(out, mapping.IdxT(i)), c.columns[i].vector)
	}
	mapping.DataChunkSetSize(out, mapping.IdxT(c.rows))
}

// insert inserts chunks of a table, a row group a thread. This thread works, or sleeps while others do: left to itself, DuckDB would ask for more work all the time until that is done, which
// takes the processor from those who read the next events.
func (s *source) insert(conn mapping.Connection, t *dialect.Table, types []mapping.LogicalType, chunks []*chunk) (err error) {
	s.table, s.types, s.shares, s.threads = t, types, share(chunks), nil
	defer func() { s.table, s.types, s.shares, s.threads = nil, nil, nil, nil }()
	var want int64
	for _, c := range chunks {
		want += int64(c.rows)
	}
	var statement mapping.PreparedStatement
	defer mapping.DestroyPrepare(&statement)
	if mapping.Prepare(conn, "INSERT INTO "+t.Name+" SELECT * FROM "+s.name+"()", &statement) == mapping.StateError {
		return errors.New(mapping.PrepareError(statement))
	}
	var pending mapping.PendingResult
	defer mapping.DestroyPending(&pending)
	if mapping.PendingPrepared(statement, &pending) == mapping.StateError {
		return errors.New(mapping.PendingError(pending))
	}
	for {
		switch mapping.PendingExecuteTask(pending) {
		case mapping.PendingStateResultNotReady:
			continue
		case mapping.PendingStateNoTasksAvailable:
			time.Sleep(workPoll)
			continue
		case mapping.PendingStateError:
			return errors.New(mapping.PendingError(pending))
		}
		break
	}
	var result mapping.Result
	defer mapping.DestroyResult(&result)
	if mapping.ExecutePending(pending, &result) == mapping.StateError {
		return errors.New(mapping.ResultError(&result))
	}
	if n := int64(mapping.RowsChanged(&result)); n != want {
		return fmt.Errorf("%d rows were inserted, not %d", n, want)
	}
	return nil
}
