//go:build unix

package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// serverUser is who runs the server's programs. Postgres refuses to run as
// root, so under root it is another user; else it is ourselves.
type serverUser struct {
	other      bool // run as uid and gid instead of as ourselves
	uid, gid   uint32
	lend       bool    // with capability, see openWay
	capability uintptr // a Linux capability number
}

// chooseUser picks the user for the cluster in data, which need not exist.
func chooseUser(data string) (serverUser, error) {
	if os.Geteuid() != 0 {
		return serverUser{}, nil
	}
	// A cluster that some user made without root stays that user's.
	if info, err := os.Stat(data); err == nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 {
			return serverUser{other: true, uid: stat.Uid, gid: stat.Gid}, nil
		}
	}
	var errs []error
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr); err != nil || uid == 0 {
			errs = append(errs, fmt.Errorf("user %s: unusable ids %s:%s", name, u.Uid, u.Gid))
			continue
		}
		return serverUser{other: true, uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return serverUser{}, fmt.Errorf("postgres doesn't run as root, and there is no user to run it as: %w", errors.Join(errs...))
}

// openWay sees to it that the server's user can reach dir.
//
//   - dir itself, and our own folders below the system's temporary one
//     (os.MkdirTemp makes them 0700), are opened for passing through (o+x, not
//     for listing).
//   - Any other closed folder, /root say, isn't ours to open. There the server
//     gets a Linux capability to search folders. That lets it read more files
//     than its user could, though less than the root who started it; the log says so.
//   - Where there are no capabilities: an error that names the folder.
func (u *serverUser) openWay(dir string, log *slog.Logger) error {
	if !u.other {
		return nil
	}
	temp, err := filepath.EvalSymlinks(os.TempDir())
	if err != nil {
		return fmt.Errorf("resolve the temporary folder: %w", err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			return fmt.Errorf("look at folder on the way: %w", err)
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return fmt.Errorf("look at folder %s: the system doesn't say who owns it", at)
		}
		switch {
		case u.mayPass(info.Mode(), stat):
		case stat.Uid == 0 && (at == dir || strings.HasPrefix(at, temp+string(filepath.Separator))):
			if err := os.Chmod(at, info.Mode().Perm()|0o001); err != nil {
				return fmt.Errorf("let the server's user pass: %w", err)
			}
		default:
			capability, ok := searchCapability()
			if !ok {
				return fmt.Errorf("user id %d, who must run postgres since root can't, may not enter %s: chmod o+x it, or take another folder", u.uid, at)
			}
			if !u.lend {
				log.Warn("embedded postgres: a folder on the way is closed to the server's user, so the server gets the capability to search any",
					"folder", at, "user_id", u.uid)
			}
			u.lend, u.capability = true, capability
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}

func (u *serverUser) mayPass(mode fs.FileMode, stat *syscall.Stat_t) bool {
	switch {
	case stat.Uid == u.uid:
		return mode&0o100 != 0
	case stat.Gid == u.gid:
		return mode&0o010 != 0
	}
	return mode&0o001 != 0
}

// own gives an open file to the server's user: as root's, it would be in the
// way of the next start without root.
func (u *serverUser) own(file *os.File) error {
	if !u.other {
		return nil
	}
	if err := file.Chown(int(u.uid), int(u.gid)); err != nil {
		return fmt.Errorf("give %s to the server's user: %w", file.Name(), err)
	}
	return nil
}

// ownTree gives a folder and all in it to the server's user, if it is root's.
func (u *serverUser) ownTree(dir string) error {
	if !u.other {
		return nil
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("look at folder: %w", err)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid == u.uid {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("give %s to the server's user: %w", path, err)
		}
		return os.Lchown(path, int(u.uid), int(u.gid))
	})
}

// attr is what os/exec needs to run a program as the user.
func (u *serverUser) attr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{}
	if u.other {
		attr.Credential = &syscall.Credential{Uid: u.uid, Gid: u.gid} // and no further groups
	}
	if u.lend {
		setCapability(attr, u.capability)
	}
	return attr
}
