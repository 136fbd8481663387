//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	throwawayPattern = "bk-postgres-*"

	// A tmpfs of containers has 64 MiB and one of small machines little more:
	// too tight for a test that writes much. Data of tests and
	// max_wal_size stay well below this.
	lowestMemoryBytes = 6 << 30

	// A folder younger than this may belong to a process that is about to lock it.
	throwawayMinAge = 10 * time.Minute
)

// StartThrowaway starts a server that isn't durable on a new folder, in memory
// if the machine has plenty (see throwawayParent), else in the system's temporary
// folder. Stop removes it; folders that killed
// processes left are removed by a later StartThrowaway.
func StartThrowaway(ctx context.Context, cfg PostgresConfig) (*Postgres, error) {
	if cfg.Dir != "" || cfg.Durable {
		return nil, errors.New("embedded postgres: configuration: a throw-away server has no Dir and isn't Durable")
	}
	parent := throwawayParent()
	sweepThrowaways(parent)
	dir, err := os.MkdirTemp(parent, throwawayPattern)
	if err != nil {
		return nil, fmt.Errorf("embedded postgres: make a temporary folder: %w", err)
	}
	cfg.Dir = dir
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	p, err := StartPostgres(ctx, cfg)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	p.throwaway = true
	return p, nil
}

// throwawayParent is TMPDIR if it is set, /dev/shm if that is big, else the
// system's temporary folder. Cloning a database writes some 300 files, which was
// measured at 30 ms in memory and at 400 on a slow disk.
func throwawayParent() string {
	const memory = "/dev/shm"
	if os.Getenv("TMPDIR") != "" {
		return os.TempDir()
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(memory, &fs); err != nil || fs.Bavail*uint64(fs.Bsize) < lowestMemoryBytes {
		return os.TempDir()
	}
	if info, err := os.Stat(memory); err != nil || info.Mode()&os.ModeSticky == 0 {
		return os.TempDir() // not shared the way a temporary folder is
	}
	return memory
}

// sweepThrowaways removes our old folders that nobody holds. What it can't
// remove, it leaves: it is only house-keeping.
func sweepThrowaways(temp string) {
	dirs, err := filepath.Glob(filepath.Join(temp, throwawayPattern))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < throwawayMinAge {
			continue
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != os.Geteuid() {
			continue
		}
		lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|syscall.O_NOFOLLOW, 0)
		if err != nil {
			continue
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			os.RemoveAll(dir)
		}
		lock.Close()
	}
}
