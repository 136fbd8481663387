// Package swap plays a day of a trade tape through a façade as many clients at once, while the façade goes from Bank alone to BK alone and back a step on the way from each
// stage, and says what they saw. It starts nothing itself, and knows only URLs.
//
// # What is played
//
// The rows of a trade file in Bank's upload format, as calls of POST /trades of one to a hundred trades; the day's cancels by client id; and in between what a client has
// to be refused: another content under a name that is taken, an account that is not there, a cancel of what is cancelled. Now and then a client reads what it has
// just written. All rows of an account are one client's, so that corrections and cancels come after what they name, in the tape's order; hence the answer to each call is
// known beforehand, whoever gives it, and is compared: status, kind of error, ids. Nothing is tried again: a call that fails is a failure.
//
// At given parts of the day the façade is told to change its mode; calls go on. The business date is rolled under load, too.
//
// # What is expected
//
//   - Each answer is the one that Bank alone would give.
//   - A trade has one id, for ever; ids of an account ascend in the order of its trades, whoever gave them.
//   - What a client was told of is there when it reads, in every mode.
//   - At the end each account has the positions and the cash that follow from the rows (Day.Positions, Day.Cash), which for the whole day are
//     those of the tape's own files.
//
// # Pace
//
// A step needs the other system to be near. So clients share a budget of trades that may be under way to it: what the façade's status says is waiting, and what was sent
// since. Where it is used up, they wait. The slower system thereby sets the pace; what is waiting takes it well under a second. Where no system follows, nobody waits, but
// for Config.Rate.
//
// # Files
//
//	tape.go    the files           day.go     what follows from the rows
//	plan.go    calls of clients    play.go    making them
//	pace.go    the budget          tour.go    changes of the mode, rolls
//	run.go     Config, Run, Report
package swap
