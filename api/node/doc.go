// Package node is one serving BK process: it puts the journal, the projections, the publisher and the API together on a given Postgres
// and Kafka, starts them in order, says how they are, and ends them in order.
//
// # Start
//
//  1. both listeners are bound, so that a taken port is an error at once; /healthz answers
//  2. Postgres is waited for, with growing pauses, for as long as the context lives; a cause is logged once, until it is another
//  3. migrations, if asked
//  4. the journal is opened, the API begins to answer, the node tries to lead
//  5. ready: the node leads, or has stood by for [Config].StandbyAfter
//
// Before step 4 the API answers every call with "unavailable".
//
// # Who does what
//
// Any number of nodes may run on one database. One leads: it appends, folds the projections, rolls the business date and publishes. The others stand by: they
// read, see what is committed with a delay of some 200 ms, answer bookings with not_leader, and take over when the leader is gone.
//
// # Health
//
// On the metrics listener: /metrics for Prometheus; /healthz says that the process runs; /readyz says whether calls make sense here, and
// why not: while starting or stopping, and while Postgres doesn't answer. A standby is ready, since it reads: who must book asks which
// node leads (the body's first word is "leading" or "standby", AdminService.Status tells too). Projections that lag and a publisher that
// can't publish don't make a node unready: it books. The body and the metrics name them.
//
// # Failure by failure
//
//   - Kafka is away, at the start or later: the node books, the publisher keeps trying and goes on where the stream ends.
//   - Kafka doesn't let the node in (certificate, password): the same, and the log and /readyz say why.
//   - The publisher finds that the stream is not this journal's, or has lost events (ErrDiverged, ErrLost), or an entry that can't be
//     published: publishing halts until the process is started again, with an error in the log and bk_publisher_halted at 1. Booking goes
//     on. With [Config].Republish, which is for streams that nobody but this node's owner reads, the topics are made anew instead.
//   - Another publisher owns the stream (ErrFenced): it is claimed again after a pause, for as long as this node leads. Normally the
//     other one is the new leader, and this node's term ends in the meantime.
//   - Postgres goes away: the term ends, callers get errors, and the node tries for ever to lead or follow again.
//   - The journal is broken, or has lost acknowledged entries: Run returns the error, nothing more is appended.
//
// # End
//
// When the context ends: not ready; no new connections; the journal books and answers what it had accepted, and the projections and the
// publisher stop with the term; calls still open get [Config].Grace to finish, then they are cut; connections are closed. A step that
// hangs is given up after its bound, never waited for without end.
//
// # File map
//
//	config.go    Config
//	secure.go    TLS and passwords
//	node.go      Run: the start and the end
//	postgres.go  waiting for Postgres, migrations, opening the journal
//	term.go      what runs while the node leads; the publisher's ends
//	gate.go      the API's listener, and its answers before the API is there
//	health.go    the metrics listener: metrics, liveness, readiness
//	verify.go    the audit as the API answers it
package node
