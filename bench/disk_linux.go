package bench

import "syscall"

const tmpfsMagic = 0x01021994 // statfs(2)

// inMemory reports whether a folder is on a file system without a disk.
func inMemory(dir string) bool {
	var fs syscall.Statfs_t
	return syscall.Statfs(dir, &fs) == nil && int64(fs.Type) == tmpfsMagic
}
