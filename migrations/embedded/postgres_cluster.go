//go:build unix

package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// command makes a command for a server program: as the server's user, without
// any PG* variable of ours and without a locale (errors in English: some are
// recognised by their text).
func (h home) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = "/" // ours may be closed to the user, and a lent capability only counts from the exec on
	cmd.Env = []string{"PATH=" + filepath.Dir(program) + ":/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = h.user.attr()
	cmd.WaitDelay = killTimeout // a grandchild may hold the output open
	return cmd
}

// run runs a short program to its end and returns its output.
func (h home) run(ctx context.Context, program string, args ...string) (string, error) {
	cmd := h.command(ctx, program, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := startProcess(cmd, syscall.SIGKILL)
	if err != nil {
		return "", fmt.Errorf("run %s: %w", program, err)
	}
	<-p.done
	if p.err != nil {
		return "", fmt.Errorf("run %s: %w", program, errors.Join(p.err, ctx.Err(), errors.New(lastBytes(out.String()))))
	}
	return out.String(), nil
}

func lastBytes(s string) string {
	s = strings.TrimSpace(s)
	return s[max(0, len(s)-logTailBytes):]
}

// initialise makes the cluster if there is none, and returns its password. The
// cluster is made under another name and renamed, so that a kill in between
// leaves no half cluster to start on.
func (h home) initialise(ctx context.Context, bin binaries, durable bool, log *slog.Logger) (password string, err error) {
	_, err = os.Stat(h.data)
	switch {
	case err == nil:
		if h.majorVersion() == "" {
			return "", fmt.Errorf("%s is there but is no Postgres cluster (no PG_VERSION)", h.data)
		}
		if err := h.user.ownTree(h.data); err != nil {
			return "", err
		}
		return h.takePassword(false)
	case !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("look for the cluster: %w", err)
	}

	began := time.Now()
	password, err = h.takePassword(true)
	if err != nil {
		return "", err
	}
	fresh := filepath.Join(h.dir, newDataName)
	if err := os.RemoveAll(fresh); err != nil {
		return "", fmt.Errorf("remove an unfinished cluster: %w", err)
	}
	if err := os.Mkdir(fresh, 0o700); err != nil {
		return "", fmt.Errorf("make the cluster's folder: %w", err)
	}
	if err := h.user.ownTree(fresh); err != nil {
		return "", err
	}
	args := []string{
		"-D", fresh, "--username=" + Superuser,
		// A password, though only this machine can connect: it has other users too.
		"--auth=scram-sha-256", "--pwfile=" + filepath.Join(h.dir, passwordName),
		// Bytewise order: the same on every system, and the fastest index.
		"--encoding=UTF8", "--locale=C",
	}
	if !durable {
		args = append(args, "--no-sync")
	}
	if _, err := h.run(ctx, bin.initdb, args...); err != nil {
		return "", fmt.Errorf("make the cluster: %w", err)
	}
	config, err := os.OpenFile(filepath.Join(fresh, "postgresql.conf"), os.O_WRONLY|os.O_APPEND|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return "", fmt.Errorf("add our settings to the cluster's: %w", err)
	}
	_, err = config.WriteString("\n# Written anew at each start. ALTER SYSTEM, or a line below this one, overrides it.\ninclude_if_exists '" + settingsName + "'\n")
	if durable {
		err = errors.Join(err, config.Sync())
	}
	if err := errors.Join(err, config.Close()); err != nil {
		return "", fmt.Errorf("add our settings to the cluster's: %w", err)
	}
	if err := os.Rename(fresh, h.data); err != nil {
		return "", fmt.Errorf("put the new cluster in place: %w", err)
	}
	if durable {
		if err := syncDir(h.dir); err != nil {
			return "", err
		}
	}
	log.Info("embedded postgres: cluster made", "dir", h.dir, "version", bin.version, "took", time.Since(began))
	return password, nil
}

func syncDir(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	return nil
}

// writeSettings writes the settings for the next start.
func (h home) writeSettings(ctx context.Context, bin binaries, cfg PostgresConfig) error {
	path := filepath.Join(h.data, settingsName)
	write := func(content string) error {
		// Not through a link: the folder is another user's, and we may be root.
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
		if err != nil {
			return fmt.Errorf("write settings: %w", err)
		}
		_, err = file.WriteString(content)
		if err := errors.Join(err, h.user.own(file), file.Close()); err != nil {
			return fmt.Errorf("write settings %s: %w", path, err)
		}
		return nil
	}
	if err := write(settings(cfg)); err != nil {
		return err
	}
	if !cfg.Durable {
		return nil // nothing to compress without full page images
	}
	// lz4 is a build option of the server; what it was built with, it alone knows.
	compression := "lz4"
	if _, err := h.run(ctx, bin.postgres, "-C", "wal_compression", "-D", h.data, "-c", "wal_compression=lz4"); err != nil {
		if ctx.Err() != nil {
			return err
		}
		compression = "on" // the built-in compression
	}
	return write(settings(cfg) + "wal_compression = " + compression + "  # full page images after a checkpoint are most of the log of random index pages\n")
}

// settings is the configuration of the server, for a developer's machine or CI
// rather than for production, each with its reason.
func settings(cfg PostgresConfig) string {
	common := `# Written by BK at each start: changes here are lost.
max_connections = ` + strconv.Itoa(cfg.MaxConnections) + `
shared_buffers = 256MB            # the hot part of journal and indexes, and little enough for a laptop
maintenance_work_mem = 128MB      # index builds of a rebuilt projection
work_mem = 16MB                   # reports sort and hash in memory
wal_buffers = 16MB                # batches of COPY write more between commits than the default holds
checkpoint_timeout = 15min        # as with max_wal_size, on the clock
checkpoint_completion_target = 0.9 # spread its writes: commits wait on the same disk
random_page_cost = 1.1            # solid state disks
jit = off                         # compiling costs more than our short queries take, and spoils their p99
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %q%u@%d '
log_checkpoints = off             # the log isn't rotated while the server runs
`
	if cfg.Durable {
		return common + `fsync = on
full_page_writes = on             # without it a torn page after a crash can't be repaired
synchronous_commit = on           # acknowledged means on disk (promise P3)
max_wal_size = 4GB                # under load no checkpoint every few seconds, each with its burst of full page images
min_wal_size = 512MB              # reuse log files instead of making new ones under load
`
	}
	return common + `fsync = off                       # this data may be lost; tests wait for no disk
full_page_writes = off
max_wal_size = 1GB                # the default; it may be in memory
synchronous_commit = on           # costs nothing without fsync, and commits keep their usual order
wal_level = minimal               # nobody replicates from here
max_wal_senders = 0               # which wal_level = minimal demands
`
}
