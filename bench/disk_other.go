//go:build !linux

package bench

// inMemory reports whether a folder is on a file system without a disk; here nobody makes the temporary folder one.
func inMemory(string) bool { return false }
