// Package endtoend has only tests: a reference Bank, a BK, a façade, their Kafka and the stream run in this process, with a client that trades all the while, and
//
//   - the four runbooks that come with the program are run as they are, by the program itself: dry, live and back, live and on, up to the point of no return and behind it;
//   - each of the built-in gates stops a run when its condition is broken, and does not when it is mended;
//   - a runner is killed in the middle of a switch, and goes on.
//
// The program is built first, unless BK_TEST_HOTSWAP names one.
package endtoend
