//go:build unix

package embedded

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Names inside the folder.
const (
	dataName      = "data"     // the cluster (PGDATA)
	newDataName   = "data.new" // a cluster being made
	passwordName  = "password"
	lockName      = "lock"
	logName       = "postgres.log"
	oldLogName    = "postgres.log.1"
	settingsName  = "bk.conf" // in data
	maxLogBytes   = 8 << 20   // at start, a longer log becomes the old one
	logTailBytes  = 4 << 10
	maxFileBytes  = 64 << 10 // of the small files read here
	passwordBytes = 24
)

// home is the folder of one server and the user who runs it.
type home struct {
	dir  string // absolute, without symbolic links
	data string
	user serverUser
}

func openHome(dir string, log *slog.Logger) (home, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return home{}, fmt.Errorf("resolve folder: %w", err)
	}
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return home{}, fmt.Errorf("make folder: %w", err)
	}
	// The server reports its folder resolved, and we compare.
	abs, err = filepath.EvalSymlinks(abs)
	if err != nil {
		return home{}, fmt.Errorf("resolve folder: %w", err)
	}
	h := home{dir: abs, data: filepath.Join(abs, dataName)}
	if h.user, err = chooseUser(h.data); err != nil {
		return home{}, err
	}
	if err := h.user.openWay(abs, log); err != nil {
		return home{}, err
	}
	return h, nil
}

// acquire takes the folder for this process. The kernel lets go of it when the
// process ends, however it does.
func (h home) acquire() (*os.File, error) {
	path := filepath.Join(h.dir, lockName)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer file.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		holder, _ := io.ReadAll(io.LimitReader(file, 32))
		return nil, fmt.Errorf("%w (pid %s): stop it first, or take another folder", ErrInUse, strings.TrimSpace(string(holder)))
	}
	// Only for the message above, so an error is none; the lock is the flock.
	if file.Truncate(0) == nil {
		file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err := h.user.own(file); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// endLeftover ends a server that runs on the folder without a living parent of
// ours (we hold the lock): one that is still shutting down after its parent was
// killed, or one that somebody started by hand. A pid file whose process is
// something else is removed: after a reboot the number may be anyone's, and
// Postgres would refuse to start.
//
// Removing it is safe: the kernel's shared memory keyed by the data folder still
// keeps two servers from running on it.
func (h home) endLeftover(ctx context.Context, durable bool, log *slog.Logger) error {
	pid, _ := h.readPidFile()
	if pid > 0 && serverOn(pid, h.data) {
		log.Warn("embedded postgres: ending a server left on the folder", "dir", h.dir, "pid", pid)
		signals := []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL}
		if !durable {
			signals = signals[1:]
		}
		for _, sig := range signals {
			if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("end the server left on the folder (pid %d): %w", pid, err)
			}
			gone, err := waitGone(ctx, pid, h.data)
			if err != nil {
				return fmt.Errorf("wait for the server left on the folder (pid %d) to end: %w", pid, err)
			}
			if gone {
				break
			}
		}
	}
	if err := os.Remove(filepath.Join(h.data, "postmaster.pid")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove stale pid file: %w", err)
	}
	return nil
}

func waitGone(ctx context.Context, pid int, data string) (gone bool, err error) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	limit := time.NewTimer(stopTimeout)
	defer limit.Stop()
	for serverOn(pid, data) {
		select {
		case <-tick.C:
		case <-limit.C:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	return true, nil
}

// readPidFile returns what the server says of itself: its pid, and its state
// ("starting", "ready", ...) from line 8. Both are empty without a file.
func (h home) readPidFile() (pid int, state string) {
	content, err := readSmall(filepath.Join(h.data, "postmaster.pid"))
	if err != nil {
		return 0, ""
	}
	lines := strings.Split(content, "\n")
	pid, err = strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || pid <= 1 {
		return 0, ""
	}
	if len(lines) >= 8 {
		state = strings.TrimSpace(lines[7])
	}
	return pid, state
}

func (h home) ready(pid int) bool {
	got, state := h.readPidFile()
	return got == pid && state == "ready"
}

// majorVersion is the version that the cluster was made with, "" without one.
func (h home) majorVersion() string {
	version, err := readSmall(filepath.Join(h.data, "PG_VERSION"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(version)
}

// takePassword reads the superuser's password, or makes one for a cluster that
// is still to be made. The server's user can read it: initdb has to.
func (h home) takePassword(mayMake bool) (string, error) {
	path := filepath.Join(h.dir, passwordName)
	password, err := readSmall(path)
	if password = strings.TrimSpace(password); err == nil && password != "" {
		return password, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read password: %w", err)
	}
	if !mayMake {
		return "", fmt.Errorf("%s is missing, and the cluster beside it was made with it", path)
	}
	random := make([]byte, passwordBytes)
	rand.Read(random) // never fails, see its documentation
	password = hex.EncodeToString(random)
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return "", fmt.Errorf("write password: %w", err)
	}
	_, err = file.WriteString(password + "\n")
	err = errors.Join(err, h.user.own(file), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return "", fmt.Errorf("write password: %w", err)
	}
	return password, nil
}

// openLog opens the log for the next server and says where it begins.
func (h home) openLog() (file *os.File, start int64, err error) {
	path := filepath.Join(h.dir, logName)
	if info, err := os.Stat(path); err == nil && info.Size() > maxLogBytes {
		if err := os.Rename(path, filepath.Join(h.dir, oldLogName)); err != nil {
			return nil, 0, fmt.Errorf("put the old log aside: %w", err)
		}
	}
	file, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, 0, fmt.Errorf("open log: %w", err)
	}
	info, err := file.Stat()
	if err == nil {
		err = h.user.own(file)
	}
	if err != nil {
		file.Close()
		return nil, 0, fmt.Errorf("open log: %w", err)
	}
	return file, info.Size(), nil
}

// logTail is the end of what the log has from start on.
func (h home) logTail(start int64) string {
	file, err := os.Open(filepath.Join(h.dir, logName))
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err.Error()
	}
	from := max(start, info.Size()-logTailBytes)
	tail, err := io.ReadAll(io.NewSectionReader(file, from, logTailBytes))
	if err != nil {
		return err.Error()
	}
	if len(tail) == 0 {
		return "(empty)"
	}
	return strings.TrimSpace(string(tail))
}

func readSmall(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFileBytes))
	return string(content), err
}
