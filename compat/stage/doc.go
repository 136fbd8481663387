// Package stage starts whole systems for tests, in this process and on databases of their own: the reference Bank, a node of BK, Bank's API on BK, and the
// façade before both. Whatever was started ends with the test. It is not for production.
//
// All listeners are on 127.0.0.1, on free ports. The test's package needs pgtest.Main as its TestMain.
//
// # Files
//
//	start.go   running a service until a test ends
//	stage.go   the systems
//	drained.go waiting until both systems behind a façade have done the same
//	switch.go  steps from mode to mode
package stage
