// Package demo is the swap as a show: it starts Bank with a history, lets clients of Bank's API trade through a façade, puts BK in Bank's place under them, step by step and once a step
// back, switches Bank off, and proves on the way that nothing differs and that no client noticed. Everything runs on this machine, at 127.0.0.1, and is watched in the terminal and on a
// live page (package page).
//
// # What is started
//
// A Postgres for Bank and one for BK and the façade, an in-process Kafka broker, the reference Bank, the façade, BK, and the stream that makes Bank's events of BK's; all data is in one
// temporary folder. First there is a façade that knows Bank alone. The bootstrap stage loads Bank's data into BK's database and the façade's (package bootstrap), starts BK on
// that, and a façade that follows Bank from the snapshot on; each client moves to it between two of its calls, as a load balancer would have it. Bank's Postgres is its own, so that Bank
// goes away as a whole.
//
// # What clients do
//
// Each has accounts of its own, draws what it does from the seed, and knows what every answer has to be: trades in calls of one or two, cancels by both ids, corrections, repeats, cash;
// reads of what it has just written, positions and cash to the cent among them; and what has to be refused: a cancel of what is cancelled, other content under a name that is taken,
// an account that nobody has opened. They try nothing again, and they never stop: any answer that Bank alone would not have given, late or lost ones included, is an error of the
// demo's. A refusal that was meant is counted apart. They only wait, as people do, while very much waits for the secondary.
//
// # What is compared
//
// Both event streams are landed in DuckDB and compared by package parity while clients go on: an event that had landed at the first look has to have its counterpart in the end; what comes
// later is the next comparison's. The last comparison is of all that Bank ever told, when it has got all that it will get. Books are compared row by row (parity/books); as an
// account that is written to without a pause can't be compared between two databases, the clients leave one half of their accounts alone while it is compared, then the other. After
// Bank is off every client compares all its accounts with what it was told since the history, BK's trial balance has to be zero, and BK verifies itself.
//
// # Invariants
//
//   - A stage is done when what it is for is done; none is skipped, and the summary holds only if all were made.
//   - What a summary says is counted from answers and reports, nothing is assumed.
//   - Everything that was started ends before Run returns, whatever happened, and the temporary folder is removed. A demo that was killed leaves its folder to the next one, which
//     removes it; its Postgres ends with it.
//   - Memory is bounded: points of the plot, errors in words, and trades that a client goes back to.
//
// # Failure by failure
//
//   - Told to end (Ctrl-C) in a stage: it is cut short, clients get their last answers, all ends in order; the summary says that it was interrupted.
//   - A part ends by itself: the stage fails with the part's error.
//   - A step can't be made: the façade tries for a minute, then the stage fails with what it said.
//   - Something differs: it is looked at again for Config.Look, then counted; the stages go on, and the summary does not hold. parity's report has it row by row.
//   - A client's answer is wrong, or doesn't come: it is counted, and the first are told in words; the client goes on.
//   - Nobody looks at the page, or somebody looks and doesn't read: nothing waits for it.
//
// # Files
//
//	config.go    Config, Places               run.go      Run, making stages
//	world.go     what is started              parts.go    running and ending it     address.go  free ports
//	clients.go   all clients                  client.go   what one knows            calls.go   what it calls      history.go  Bank's past
//	stages.go    the stages                   bring.go    BK brought up to date     admin.go   the façade's modes and status
//	compare.go   streams and books            checks.go   what is proven at the end
//	figures.go   what is counted              histogram.go latencies                summary.go the result
//	terminal.go  a line a stage               tell.go     the result, told and kept
package demo
