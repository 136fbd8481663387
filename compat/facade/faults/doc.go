// Package faults holds the table of what may go wrong around the façade, as tests: the reference Bank, a node of BK, replicas of the façade and their Postgres, all real, child
// processes where kill -9 is meant, and six clients at once that book, replace, cancel, move cash and read on five accounts. A client makes a call
// again until it knows the outcome, as the contract wants it.
//
// Each test says three things: what clients saw, that all that was acknowledged is there, once, and nothing else is, and that both systems agree in
// the end, on every trade, position, balance and journal row (package shadow compares them, after a roll that settles all).
//
// # The table
//
//	what happens                        what clients see                          how the systems come to agree
//
//	the secondary is away (TestSecondaryDown)
//	  either dual mode                  nothing                                   queue or feed wait, with pauses; all comes in order when it is back
//	the secondary takes 2 s a call (TestSecondarySlow)
//	  either dual mode                  nothing, no call takes 2 s                what waits goes in batches (to BK), eight accounts at once (to Bank)
//	the secondary rejects (TestSecondaryRejects, TestRowSkipped)
//	  either dual mode                  nothing                                   the account waits, others go on; mended and retried: equal; skipped, with
//	                                                                              who and why: they differ in that trade, which is counted, and in nothing else
//	the façade is killed (TestFacadeKilled)
//	  before the primary is asked       no answer; the same again books           bank-primary: the intent is resolved, Bank knows nothing. bk-primary: nothing is there
//	  after the primary booked          no answer; the same again, the same id    bank-primary: the intent is resolved, Bank has it, it is queued. bk-primary: BK's
//	                                                                              journal is the queue
//	the primary does not answer in time (TestPrimaryTimesOut)
//	  Bank, booked or not               outcome_unknown; others on that account   Bank is asked until it is known, or for SettleAfter; then queued, or forgotten
//	                                    wait meanwhile, nobody else
//	  BK, booked or not                 a late answer                             BK is asked again, under the same key
//	switches under load (TestSwitch)
//	  all steps, on and back, and kill  nothing; writes held for less than 1 s    drained before each change of the primary; after a kill of BK, by Bank's stream;
//	                                                                              after a kill of Bank, from BK's journal
//	a switch that can't be made (TestSwitchGivenUp)
//	  secondary away, backlog too long  nothing                                   the old mode goes on; the step is made once the cause is gone
//	two replicas, one killed (TestTwoReplicas)
//	  same accounts through both        no answer of the dead one                 what it left is resolved by the other; a switch waits for its lease
//	the queue is full (TestQueueFull)
//	  with Kafka                        nothing                                   the façade leaves BK behind; then what was queued, and Bank's stream
//	  without                           nothing                                   the step forward is refused: nobody knows what BK lacks
//	the façade's Postgres dies (TestOwnPostgresRestarts)
//	  bank-primary                      writes: internal; reads: nothing          intents without outcome are resolved
//	  bk-primary                        internal where it is needed; once the     the feed goes on where it was
//	                                    lease is over, outcome_unknown for open
//	                                    calls, and no more writes until it is back
//	Bank restarts, is killed (TestBankRestarts)
//	  bank-primary                      internal, or outcome_unknown              as for an answer that was lost
//	BK's leader is killed (TestLeaderKilled)
//	  bk-primary                        a late answer                             bookings are sent to the next leader under their keys
//
// The tests mostly wait, so several run at once. `make fault-test` makes ten times as many calls (TIMES).
//
// # Files
//
//	main_test.go part_test.go    the systems, as parts of this process or as children
//	way_test.go                  ways between them, with faults
//	load_test.go                 clients
//	world_test.go                all of it put together; what must hold in the end
//	secondary_test.go rejected_test.go killed_test.go primary_test.go switch_test.go full_test.go   the table
package faults
