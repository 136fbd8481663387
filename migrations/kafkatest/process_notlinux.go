//go:build !linux

package kafkatest

import "os/exec"

// dieWithParent does nothing here: a killed test process leaves its broker behind.
func dieWithParent(*exec.Cmd) {}
