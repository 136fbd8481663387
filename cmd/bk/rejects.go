package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"strconv"

	"github.com/bkledger/bk/api/tradefile"
)

// shownRejects are printed; the others are counted.
const shownRejects = 20

// rejects reports rows that were not booked: the first ones on the screen, all of them into a file if one is asked for.
type rejects struct {
	meter *meter
	count int
	file  *os.File
	csv   *csv.Writer
}

// openRejects makes the file, if path is not empty.
func openRejects(m *meter, path string) (*rejects, error) {
	r := &rejects{meter: m}
	if path == "" {
		return r, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, usageError("--errors: %w", err)
	}
	r.file, r.csv = file, csv.NewWriter(file)
	r.csv.Write([]string{"file", "line", "field", "reason", "message"}) // its error comes with the flush
	return r, nil
}

func (r *rejects) add(bad *tradefile.RowError) {
	r.count++
	if r.count <= shownRejects {
		r.meter.printf("%v", bad)
	}
	if r.csv != nil {
		r.csv.Write([]string{bad.File, strconv.Itoa(bad.Line), bad.Field, bad.Reason, bad.Message}) // its error comes with the flush
	}
}

// end says how many were not shown, and writes the file out.
func (r *rejects) end() error {
	if more := r.count - shownRejects; more > 0 {
		where := " (--errors FILE writes all of them)"
		if r.file != nil {
			where = " (all of them are in " + r.file.Name() + ")"
		}
		r.meter.printf("… and %s more rejected rows%s", grouped(int64(more)), where)
	}
	if r.file == nil {
		return nil
	}
	r.csv.Flush()
	err := r.csv.Error()
	if failed := r.file.Close(); err == nil {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("write the rejected rows to %s: %w", r.file.Name(), err)
	}
	return nil
}
