package main

import (
	"errors"
	"fmt"

	"github.com/bkledger/bk/api/client"
)

// The exit codes; see doc.go.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 3
)

// exitError is an error that says which code the program ends with.
type exitError struct {
	code int
	err  error // nil: all is said already
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// errReported ends the program with code 1 without another word: the command has said itself what is wrong.
var errReported = &exitError{code: exitFailed}

// usageError ends the program with code 2.
func usageError(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// exitCode prints err, if any, as one line and gives the code to end with.
func (a *app) exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	code := exitFailed
	var exit *exitError
	switch {
	case errors.As(err, &exit):
		code = exit.code
		if exit.err == nil {
			return code
		}
	case !a.running:
		code = exitUsage
	case client.Unreachable(err):
		code = exitUnreachable
	}
	fmt.Fprintf(a.err, "bk: %s\n", client.Describe(err))
	if code == exitUsage {
		fmt.Fprintln(a.err, "bk: see bk --help")
	}
	return code
}
