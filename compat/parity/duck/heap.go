package duck

import (
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"
)

const (
	blockBytes = 64 << 10
	wordBytes  = 8
	keptBlocks = 4 // of an empty chunk
)

// heap is where the long texts of a chunk are: a call of DuckDB's for each of them costs more than the text. Its memory is DuckDB's, as memory that C sees must not be Go's: vectors of words.
type heap struct {
	blocks []mapping.Vector
	used   int    // blocks
	free   []byte // of the last one used
	large  []mapping.Vector
}

// keep copies a text. The copy lives until reset or destroy.
func (h *heap) keep(s string) string {
	if len(s) > blockBytes/4 {
		vector, memory := block(len(s))
		h.large = append(h.large, vector)
		return unsafe.String(&memory[0], copy(memory, s))
	}
	if len(s) > len(h.free) {
		if h.used == len(h.blocks) {
			vector, memory := block(blockBytes)
			h.blocks, h.free = append(h.blocks, vector), memory
		} else {
			h.free = memoryOf(h.blocks[h.used], blockBytes)
		}
		h.used++
	}
	kept := unsafe.String(&h.free[0], copy(h.free, s))
	h.free = h.free[len(s):]
	return kept
}

// block makes one of so many bytes, at least.
func block(bytes int) (mapping.Vector, []byte) {
	word := mapping.CreateLogicalType(mapping.TypeBigInt)
	defer mapping.DestroyLogicalType(&word)
	words := (bytes + wordBytes - 1) / wordBytes
	vector := mapping.CreateVector(word, mapping.IdxT(words))
	return vector, memoryOf(vector, words*wordBytes)
}

func memoryOf(vector mapping.Vector, bytes int) []byte {
	return unsafe.Slice((*byte)(mapping.VectorGetData(vector)), bytes)
}

// reset forgets all texts, and gives back what few chunks need.
func (h *heap) reset() {
	h.shrink(keptBlocks)
	h.used, h.free = 0, nil
}

func (h *heap) destroy() {
	h.shrink(0)
	h.used, h.free = 0, nil
}

func (h *heap) shrink(to int) {
	for i := range h.large {
		mapping.DestroyVector(&h.large[i])
	}
	h.large = nil
	for i := to; i < len(h.blocks); i++ {
		mapping.DestroyVector(&h.blocks[i])
	}
	h.blocks = h.blocks[:min(to, len(h.blocks))]
}
