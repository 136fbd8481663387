// Package child runs programs that tests and the crash loop kill and start again.
//
// # Invariants
//
//   - A child ends with this process, whichever way that ends: on Linux the kernel kills it. (Elsewhere only an orderly end stops it.)
//   - Kill and Stop return when the child is gone and reaped.
//   - The child's output goes to a file that it holds itself: no pipe breaks, and what it said last is there after a kill.
//
// # File map
//
//	child.go          Child
//	port.go           a port for a child that comes back to it
//	tail.go           the end of a log
//	orphan_*.go       ending with the parent
package child
