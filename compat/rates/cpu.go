package rates

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of times in /proc/*/stat: 100 a second on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// spent is the processor time of a process, user and system; 0 where /proc doesn't show it.
func spent(pid int) time.Duration {
	stat, _ := readStat(pid)
	return stat.own
}

// spentWith adds the children that it has or had.
func spentWith(pid int) time.Duration {
	root, ok := readStat(pid)
	if !ok {
		return 0
	}
	sum := root.own + root.waited
	paths, _ := filepath.Glob("/proc/[0-9]*") // the pattern is a good one
	for _, path := range paths {
		child, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			continue
		}
		if stat, ok := readStat(child); ok && stat.parent == pid {
			sum += stat.own
		}
	}
	return sum
}

type procStat struct {
	parent      int
	own, waited time.Duration
}

// readStat reads /proc/PID/stat; the command stands in brackets and may hold anything.
func readStat(pid int) (procStat, bool) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return procStat{}, false
	}
	text := string(data)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	const parent, user, waited = 1, 11, 13 // each with the system's time behind it
	if len(fields) <= waited+1 {
		return procStat{}, false
	}
	number := func(i int) int {
		n, _ := strconv.Atoi(fields[i]) // the kernel writes numbers
		return n
	}
	return procStat{
		parent: number(parent), own: time.Duration(number(user)+number(user+1)) * clockTick, waited: time.Duration(number(waited)+number(waited+1)) * clockTick,
	}, true
}

// CPU is processor time for one trade in microseconds, rounds together; 0 where it is not known.
type CPU struct {
	Load     float64 `json:"load_us"`
	Bank     float64 `json:"bank_us"`
	Facade   float64 `json:"facade_us"`
	BK       float64 `json:"bk_us"`
	Postgres float64 `json:"postgres_us"`
}

// times gives processor times so far, in microseconds.
func (r *run) times() (t CPU) {
	us := func(d time.Duration) float64 { return float64(d.Microseconds()) }
	t.Load, t.Postgres = us(spent(os.Getpid())), us(spentWith(r.cluster.pid))
	for _, c := range r.children {
		switch took := us(spent(c.process.Pid)); c.name {
		case bankName:
			t.Bank = took
		case booksName:
			t.Facade = took
		case bkName:
			t.BK = took
		}
	}
	return t
}

// plus adds times, or takes them away.
func (t CPU) plus(o CPU, sign float64) CPU {
	return CPU{t.Load + sign*o.Load, t.Bank + sign*o.Bank, t.Facade + sign*o.Facade, t.BK + sign*o.BK, t.Postgres + sign*o.Postgres}
}

// each gives them for one of n.
func (t CPU) each(n int64) CPU {
	if n == 0 {
		return CPU{}
	}
	f := float64(n)
	return CPU{t.Load / f, t.Bank / f, t.Facade / f, t.BK / f, t.Postgres / f}
}
