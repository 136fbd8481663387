package bench

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ownCPU is the processor time of this process, user and system, all threads.
func ownCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// processTree tells the processor time of a process and its children, by /proc.
type processTree struct{ root int }

// clockTick is the unit of times in /proc/*/stat: 100 a second on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// postgresTree finds the server's processes by one of its backends; nil where /proc doesn't show them, or shows another's.
func postgresTree(backend uint32, dsn string) *processTree {
	if u, err := url.Parse(dsn); err == nil && u.Hostname() != "" && u.Hostname() != "127.0.0.1" && u.Hostname() != "localhost" && u.Hostname() != "::1" {
		return nil
	}
	stat, ok := readStat(int(backend))
	if !ok || !strings.HasPrefix(stat.command, "postgres") {
		return nil
	}
	parent, ok := readStat(stat.parent)
	if !ok || !strings.HasPrefix(parent.command, "postgres") {
		return nil
	}
	return &processTree{root: stat.parent}
}

// cpu is the time of the server's living processes and of those that it has waited for.
func (t *processTree) cpu() time.Duration {
	if t == nil {
		return 0
	}
	root, ok := readStat(t.root)
	if !ok {
		return 0
	}
	sum := root.own + root.waited
	paths, _ := filepath.Glob("/proc/[0-9]*") // the pattern is a good one
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			continue
		}
		if stat, ok := readStat(pid); ok && stat.parent == t.root {
			sum += stat.own
		}
	}
	return sum
}

type procStat struct {
	command     string
	parent      int
	own, waited time.Duration
}

// readStat reads /proc/PID/stat; the command stands in brackets and may hold anything.
func readStat(pid int) (procStat, bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return procStat{}, false
	}
	from, to := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if from < 0 || to < from {
		return procStat{}, false
	}
	fields := strings.Fields(string(data[to+1:])) // from the third on: state, ppid, ...
	if len(fields) < 15 {
		return procStat{}, false
	}
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(fields[i], 10, 64) // the kernel writes numbers
		return n
	}
	return procStat{
		command: string(data[from+1 : to]), parent: int(number(1)),
		own: time.Duration(number(11)+number(12)) * clockTick, waited: time.Duration(number(13)+number(14)) * clockTick,
	}, true
}

// residentBytes is VmRSS of this process, 0 where /proc has none.
func residentBytes() int64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return n << 10
		}
	}
	return 0
}
