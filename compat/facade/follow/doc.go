// Package follow keeps BK warm while Bank is alone: it reads Bank's own Kafka topics and puts what they tell into the queue (package queue), as if it had come through the
// façade. So the step to the next mode needs no new load, and what was missed after the queue was full, or the kill switch was used, is made up.
//
// # How
//
// An epoch in which Bank is alone has a window of event ids: from Bank's last event when it began to its last when it ended, both taken while no write was
// under way (GET /replay). Events outside are not for it. One follower of all replicas reads, and writes rows, offsets, repeats and the place of the business date in one
// transaction over the session that has its lock.
//
//	booked, opened  a row of one trade, with its id and time; of one that a roll opened it is a repeat to BK, but one of POST /replay can't be told from it
//	canceled        a row, with its time; part of the new trade's row where it was replaced
//	settled         nothing: BK's own roll does it
//	deposit, ...    a row
//	rolled          a row, as a barrier
//
// # Invariants
//
//   - Each account's events come into the queue in the order of their ids: that is the order of its work, and the only order between the topics of trades and of
//     cash. What is below an event on its account was committed before it, but may be on its way. Therefore what has come at some instant (a cohort) waits until Bank says,
//     later, that it has sent all below it (first_unsent_event_id of GET /replay), and then until all is read that Kafka has. An id alone is no mark: ids
//     are taken before a commit, so that lower ones may come any time later. Where Bank doesn't say what it has not sent, [Config].Quiet is waited instead.
//   - [Follower.Caught] is exact in the same way, and no time is waited: Bank has sent all, the topics' ends are asked for, all up to there is in the queue. A step out of the
//     window fails in its transaction if Bank has an event that was not seen.
//   - What has two events, one on each account, waits until both are at the heads of their accounts.
//   - An account whose trade was replaced by one on another account waits for that one.
//   - A roll waits for all events of the day before it, and they for none of the next; each event says which day it belongs to.
//   - What is not Bank's own is passed over: while BK is the primary, the stream (package bankstream) may publish on these topics, in transactions, with the header bk-entry. Their marks take
//     places in the log, so they are read, too. Bank's ids go on behind the stream's then, and are no row without holes: nothing here takes them for one. While Bank's relay is held for
//     a change of hands, its events are work that is not sent: a cohort waits for them, and so does [Follower.Caught].
//   - A partition's offset is that of the first event that is not in the queue. What is above and in the queue already is known by its id.
//   - Events that wait are bounded: of partitions with too many nothing is read until there are less. As all partitions are in about the same order, what the others wait
//     for is never behind that.
//
// # Failure by failure
//
//   - Killed: the next one reads on at the offsets, and drops what is in the queue.
//   - The relay repeats events: dropped by id, for a day; later ones would be repeats to BK.
//   - A topic is not there yet (Bank makes it with its first event): the log says so, and it is looked for every 2 s, as new partitions are. An account that moves to
//     a new partition keeps its order, since a cohort waits for all partitions.
//   - The façade had no Kafka when bank-only began, and has it now: the window is opened by the first that follows, from Bank's last event when the epoch began.
//   - The kill switch opens a window while calls are under way, from an event before all that are not in the queue: what is in there twice is a repeat to BK. Of a trade
//     between two accounts one event may be on either side: then its call has ended before, and it is left out.
//   - Bank has no Kafka: nothing is ever sent, and a step out of the window is refused with that reason.
//   - Kafka is away: tried again.
//   - Kafka has deleted what was not read (retention): a partition is read without a break from where it stood when the window opened ([Follower.Open]; offset 0 where that is
//     not known), so a log that begins behind that place has a gap. It is written down before anything behind it is read (facade.follow_gap), following stops, the step
//     out of the window is refused with what is missing, and status, readiness and metrics say so ([Follower.Gaps]). Killed at any point, the next one finds the gap in
//     the table, or in the log as this one did. The way out is people's: bring BK up to date and say up to which event ([Follower.Reopen]), or begin anew with
//     all of Bank's events. That place is at worst a little early, so what is refused without need is what Kafka deleted right at the beginning of a window, or before a
//     first window that is to have all of Bank's history.
//   - A topic was made anew, and is shorter than what was read: reading it fails, with that in the log.
//   - An event that can't be read: nothing goes on, with the reason in the log. Leaving it out would be worse.
//   - The window closes while events are written: the transaction finds it closed and ends; [Follower.Caught] was waited for before, so nothing is missing.
//
// # Rejected
//
//   - A consumer group: offsets in the same transaction as the rows are what makes it exactly once.
//   - Asking Bank for its trades instead: nothing lists them in the order of work.
//   - Taking the order over the topics from the time (at): it is in milliseconds, and not under Bank's lock.
//   - Entities and accounts: Bank has no events of them. The queue asks Bank for those that a row names, and for all at the step (queue/directory.go).
//
// # File map
//
//	config.go settings    follow.go running         session.go reading a window, cohorts    caught.go Caught, what topics have
//	gap.go    what Kafka has deleted
//	lanes.go  the order   event.go  Bank's events   store.go   window, offsets, repeats, rows
package follow
