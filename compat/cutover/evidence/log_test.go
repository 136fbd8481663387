package evidence

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func write(t *testing.T, n int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		r, err := l.Append(1, "note", "a", map[string]any{"n": i, "hash": `,"hash":"x"}`})
		if err != nil || r.Seq != int64(i)+1 || r.Hash != l.Head() {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	dir := write(t, 5)
	records, torn, err := Read(dir)
	if err != nil || torn != 0 || len(records) != 5 || records[4].Seq != 5 || records[4].Prev != records[3].Hash || string(records[2].Data) != `{"hash":",\"hash\":\"x\"}","n":2}` {
		t.Fatalf("%+v, %d, %v", records, torn, err)
	}
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if r, err := l.Append(2, "more", "", nil); err != nil || r.Seq != 6 || r.Prev != records[4].Hash {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrBusy) {
		t.Errorf("a second runner: %v", err)
	}
	if _, err := l.Append(2, "long", "", strings.Repeat("x", MaxRecord)); err == nil {
		t.Error("a record that is too long was taken")
	}
	if _, err := l.Append(2, "more", "", nil); err != nil {
		t.Errorf("after one that was not: %v", err)
	}
	if _, _, err := Read(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no log: %v", err)
	}
}

// TestAlteredIsFound changes a log in every way that leaves lines.
func TestAlteredIsFound(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func([][]byte) [][]byte{
		"a figure":         func(l [][]byte) [][]byte { l[2] = bytes.Replace(l[2], []byte(`"n":2`), []byte(`"n":3`), 1); return l },
		"the last one":     func(l [][]byte) [][]byte { l[4] = bytes.Replace(l[4], []byte(`"n":4`), []byte(`"n":9`), 1); return l },
		"one left out":     func(l [][]byte) [][]byte { return append(l[:2:2], l[3:]...) },
		"the first":        func(l [][]byte) [][]byte { return l[1:] },
		"one put in twice": func(l [][]byte) [][]byte { return append(l[:3:3], l[2:]...) },
		"two swapped":      func(l [][]byte) [][]byte { l[1], l[2] = l[2], l[1]; return l },
		"a hash":           func(l [][]byte) [][]byte { l[1] = append(l[1][:len(l[1])-4], []byte(`0"}`+"\n")...); return l },
		"an empty line":    func(l [][]byte) [][]byte { return append(l[:2:2], append([][]byte{{'\n'}}, l[2:]...)...) },
		"a blank":          func(l [][]byte) [][]byte { l[1] = append([]byte(" "), l[1]...); return l },
		"a field behind":   func(l [][]byte) [][]byte { l[1] = append(l[1][:len(l[1])-2], []byte(`,"run":7}`+"\n")...); return l },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := write(t, 5)
			text, err := os.ReadFile(File(dir))
			if err != nil {
				t.Fatal(err)
			}
			lines := change(bytes.SplitAfter(bytes.TrimSuffix(text, nil), []byte("\n"))[:5])
			if err := os.WriteFile(File(dir), bytes.Join(lines, nil), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, _, err := Read(dir); !errors.Is(err, ErrAltered) {
				t.Errorf("%v", err)
			}
			if l, err := Open(dir); !errors.Is(err, ErrAltered) {
				t.Errorf("it was opened: %v, %v", l, err)
			}
		})
	}
}

// TestTornIsCutOff cuts the last line at every place.
func TestTornIsCutOff(t *testing.T) {
	t.Parallel()
	dir := write(t, 3)
	text, err := os.ReadFile(File(dir))
	if err != nil {
		t.Fatal(err)
	}
	begin := bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
	for cut := begin + 1; cut < len(text); cut += 7 {
		if err := os.WriteFile(File(dir), text[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		records, torn, err := Read(dir)
		if err != nil || len(records) != 2 || torn != cut-begin {
			t.Fatalf("%d records, %d torn of %d, %v", len(records), torn, cut-begin, err)
		}
		l, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		after := l.Records()
		if len(after) != 3 || after[2].Kind != KindTorn || after[2].Prev != records[1].Hash {
			t.Errorf("%+v", after)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if _, torn, err := Read(dir); err != nil || torn != 0 {
			t.Errorf("%d, %v", torn, err)
		}
	}
}

// TestCommandBetween: a command that is being started while a log is closed does not keep it.
func TestCommandBetween(t *testing.T) {
	t.Parallel()
	dir, ended := t.TempDir(), make(chan error, 1)
	ctx, end := context.WithCancel(t.Context())
	go func() {
		var err error
		for ctx.Err() == nil && err == nil {
			err = exec.Command("/bin/true").Run()
		}
		ended <- err
	}()
	for range 300 {
		log, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
