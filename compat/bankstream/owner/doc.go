// Package owner says which of BK's entries the stream publishes on Bank's topics itself, and under which event ids; and it looks after Bank's relay while the topics change hands.
//
// # Who owns what
//
// An entry of BK's is the stream's if the façade's epoch in which it was booked has BK as the primary and was entered with the topics changing hands (mode.Bases.Stream). Epochs are parts of
// BK's journal, by its sequence, so ownership never changes and a replay finds the same. The event id on Bank's topics is base + 2 x sequence + leg: the base is such that the first comes behind
// all that Bank has given, and Bank, when it gets the topics back, goes on behind the last that the stream may have given. So ids ascend over all changes of hands.
//
// # A change of hands
//
//  1. The façade's step holds writes, brings the new primary up to the old one, and holds Bank's relay behind the last event of all (bank.RelaySetting), with a floor for Bank's ids on the way
//     back. Then it commits the epoch. Nothing else of a step touches the relay.
//  2. There: the stream publishes its first own entry when Bank has sent everything below the place at which its relay is held ([Owner.Of] waits for that, and it is kept in
//     facade.stream_taken, so that Bank is not asked again). The relay goes on at legacy.bank.* at once.
//  3. Back: the relay stays held until the stream has published all of its entries: the committed offsets of its group have come to where the ends of BK's topic were when BK's publisher
//     was past the last of them. Then it goes on at bank.*, with what has waited in Bank's outbox.
//
// # Invariants
//
//   - On Bank's topics nobody publishes before the other one's last event is there, for readers that read committed.
//   - Of gives an answer only for what no later epoch can change: it looked at the epochs after the entry was there, and no step to another primary was under way.
//   - What is done to the relay is a function of the epochs and of the latest attempt at a step, and is numbered by the attempt (mode.RelayHold). So any number of instances may do it,
//     at any time and as late as can be: Bank takes the same again for done, and refuses what is over.
//
// # Failure by failure
//
//   - A step fails between hold and commit, or its coordinator is killed there: the attempt is over when its time is (whoever sees that first gives it up), and [Owner.Run] lets the
//     relay go on where it was. What Bank did meanwhile has waited in its outbox, in order.
//   - The stream is away at a step: nothing of Bank's topics is lost. There, BK's journal waits to be published. Back, Bank's outbox waits; the façade makes no further step that would change
//     hands until that is over, and says why.
//   - Bank is away after the step there: Of gives [ErrNotYet] until Bank has said that it has sent all before, since nobody else knows. Later it needs Bank no more, and bk-only goes on
//     without. Bank away after the step back: the relay stays held in its database, and is let go on when Bank is back.
//   - The façade's database or BK is away: Of gives ErrNotYet with the reason, but for what it has looked at before.
//   - Kafka is away: how far the stream has come can't be found out, so the relay stays held.
//   - The kill switch keeps the primary, and so the topics' owner. It gives up a step that is under way, and the relay goes on as before.
//   - A consumer of Bank's topics that does not read committed may see what an aborted transaction of the stream wrote: as with any transactional producer.
//
// # Rejected
//
//   - Telling Bank's relay to stop and taking its word for where: it gives ids before their transactions commit, so a last id is no place unless nothing is under way.
//   - A marker record in the topics: every consumer would have to know it, and those of Bank's are not going to change.
//   - Letting the relay go on as a part of the step: the step would need Kafka and the stream, and would hold writes for as long as they take.
//   - Ownership by time, or by the latest epoch when an entry is published: a replay would publish otherwise.
//
// # Files
//
//	config.go     Config, errors
//	owner.go      Of
//	part.go       epochs as parts of BK's journal
//	reconcile.go  Run, Status: Bank's relay
//	progress.go   how far the stream has come in Kafka
package owner
