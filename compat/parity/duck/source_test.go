package duck

import "testing"

// TestShare: each thread gets whole row groups while there are as many rows, and no chunk that is empty, which would end what it reads.
func TestShare(t *testing.T) {
	t.Parallel()
	const full = 2048
	var chunks []*chunk
	add := func(n, rows int) {
		for range n {
			chunks = append(chunks, &chunk{rows: rows})
		}
	}
	add(1, 500)
	add(70, full)
	add(2, 0)
	add(49, full)
	add(1, full-500)
	given := len(chunks)
	shares := share(chunks)
	if len(shares) != 2 || len(chunks) != given || chunks[0].rows != 500 {
		t.Fatalf("%d shares of %d chunks", len(shares), len(chunks))
	}
	for i, chunks := range shares {
		rows := 0
		for _, c := range chunks {
			rows += c.rows
			if c.rows == 0 {
				t.Errorf("share %d has an empty chunk", i)
			}
		}
		if rows != rowGroup {
			t.Errorf("share %d has %d rows", i, rows)
		}
	}
	if got := share([]*chunk{{rows: 7}, {}, {rows: 9}}); len(got) != 1 || len(got[0]) != 2 || got[0][0].rows != 9 {
		t.Errorf("%d shares of 16 rows", len(got))
	}
	if got := share([]*chunk{{}}); got != nil {
		t.Errorf("%d shares of nothing", len(got))
	}
}
