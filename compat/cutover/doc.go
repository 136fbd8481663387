// Package cutover runs the release script of a swap: a runbook, which is a YAML file, step by step, with gates before each, and keeps the evidence. docs/cutover.md is for those who run it.
//
// # A run
//
// A runbook has steps: commands, SQL, switches of the façade's mode, waits, approvals, the point of no return. Before a step its gates are measured (package gate). All of it is
// in the folder's log (package evidence) before it has an effect, and again behind it.
//
//   - Dry: gates are measured, waits waited, approvals asked for, commands and SQL without effects run, as in a live run; a step with effects tells what it would do. A gate that looks at the
//     effect of a step before it says so (After), and need not hold. At its end a dry run gives a token.
//   - Live: needs the token of a dry run of the same runbook, byte by byte, against the same targets, with the same variables, that is not older than the runbook allows, and was
//     not used.
//   - The way back: when a gate or a step fails, a time-out is over, or somebody cancels, the back steps of every step that was begun are run, the last one's first.
//   - The point of no return: a step of its own. Behind it nothing goes back: a failure stops the run, and the next start goes on where it stopped.
//
// # Invariants
//
//   - What a run has done is what its log says, and nothing else: [Run] begins by reading it, and goes on where it ends. There is no other state.
//   - A step that has an effect is begun in the log, on disk, before it has it.
//   - One runner at a time runs a folder's log.
//   - A step is not done twice, unless the runbook says that this does no harm (idempotent), it has no effects, or somebody who has looked says so (settle).
//   - Secrets, of variables that are marked so and of DSNs, are in no record, no report and no line on the terminal. The environment and arguments of commands are the system's to hide.
//   - The point of no return is passed by its name, typed: no flag does it in a live run.
//
// # Failure by failure
//
//   - The runner is killed: the next one reads the log. A switch of the mode that was begun is settled by asking the façade for the epoch with our reason, which names run and step;
//     what has no effects is done again; for anything else it asks ([ErrQuestion]): done, again or failed, by hotswap cutover settle. A command's process may have outlived the runner: its
//     process id is in the log.
//   - The answer to a switch is lost: the same question to the façade.
//   - A back step fails: the run stops, and the next start tries it again.
//   - The log can't be written: nothing more is done. What was done in between is a step that was begun and has no end.
//   - A signal, or hotswap cutover cancel: heeded between steps and in waits and approvals. A step that has an effect ends first, within its time-out.
//   - The clock is wrong: the token's age is by the runner's clock, as is the log. Nothing else hangs on it.
//
// # Files
//
//	runbook.go parse.go variables.go   the file: types, strict reading with line numbers, ${variables}
//	check.go                           what a runbook must keep to
//	shipped.go runbooks/*.yaml         the four stages'
//	config.go run.go                   Config, Run: the way forward
//	state.go arm.go                    what the log says was done; tokens
//	back.go                            the way back
//	settle.go                          steps that were begun and have no end
//	do.go command.go mode.go           what each kind of step does
//	ask.go inbox.go                    approvals and the point of no return; requests of other processes
//	record.go redact.go                records' data; secrets
//	verify.go report.go page.html      checking the log; the HTML report, of the log alone
package cutover
