// Package books is Bank's ledger on BK: it implements front.Ledger through BK's own client and package bankmap. It has no books of its own. What BK has no
// place for is in the façade's database: legal entities, which instrument stands for a symbol, texts that are too long, and which of Bank's ids belong to
// which of BK's.
//
// # Invariants
//
//   - What Bank's contract calls the same trade is booked once: BK's key is the account with the client's id ([bankmap.TradeKey]). Where BK sees a conflict
//     of content, the stored trade is compared by Bank's own rule, which decides.
//   - A call of several trades is one atomic batch of BK. Calls of one command, from any number of clients, share batches in which each stands on its own.
//   - Reads are at the journal's head: what was acknowledged before a read began is in it, whoever booked it, through whichever replica.
//   - One instrument of BK stands for one symbol, for ever (table books_symbol). Its identifier is the one that the symbol was booked with first; where
//     that stands for another symbol already (an instrument of several identifiers, defined by BK's own users), the symbol gets an instrument of its own,
//     a ticker in a country that is none. An instrument that no symbol stands for is shown under its own symbol, with its number behind it if that one is
//     taken.
//   - Bank's ids are arithmetic where BK booked first ([IDs]): base + BK's entry id. Where Bank did, they are in the entry's source ([bankmap.Origin]) and
//     in the table books_id.
//   - Where BK's books were opened with balances, what was over then is answered from package archive, by Bank's id or the client's; such a name is never booked in BK. An element of a call
//     that conflicts with one is handed to BK in a form that BK refuses, so that the first fault of the call is told, whoever knows of it.
//   - Lists of trades are by Bank's id. BK's order is the same, but for trades that were replayed while BK booked first: these are in the table books_stray, and are put where
//     they belong.
//   - What never changes is cached: accounts, symbols, bookings, running positions, the days' beginnings. Caches are bounded, but for
//     symbols, which BK itself keeps in memory.
//
// # Failure by failure
//
//   - BK has no leader, is overloaded, restarts: a booking is tried again with the same keys for [Config].RetryFor, as is a read for [Config].ReadFor; then the
//     answer is internal (nothing was booked), or outcome_unknown if one of the tries may have booked. So is it where the caller's context ends meanwhile.
//   - An answer is lost, or never comes ([Config].CallTimeout, below RetryFor): the next try finds the same keys, and gets the first answer. A cancel knows its own try by the command's source, so that another
//     client's cancel is trade_already_canceled.
//   - BK is silent (stopped, cut off): reads are internal after CallTimeout, bookings outcome_unknown after RetryFor and at most five seconds (20 s by default; a few more
//     where more than a thousand wait).
//   - BK rolls the business date: bookings wait for its end, as long as their context lets them.
//   - Killed between two steps: definitions, texts and candidates of table books_free are written before the booking that needs them and harm
//     nothing without it; ids of replayed trades are written after it, and again when the replay is repeated, which it is until it is acknowledged.
//   - An entity or account may have been written, and no try's answer came: outcome_unknown.
//   - Caches are emptied ([Ledger.Forget]) while a read is under way: what it found is not kept.
//   - The façade's database is away: what needs it (an unknown symbol, a trade by an id that Bank gave) is internal, the contract's word for anything else; all else goes on:
//     balances by reading all trades of the account (100,000 at most), lists with those replayed trades that are remembered.
//   - A caller that tries again by itself ([Once]) hears of the first failure.
//
// # File map
//
//	books.go         Config, New, Close
//	ids.go           Bank's ids and BK's
//	send.go          bookings on their way to BK: tries, and the batches that single commands share
//	read.go          reads of BK: tries, bounded caches
//	prepare.go       trades -> commands, with all that they need; package script: what of that and of the rows that are kept needs no look at anything
//	symbol.go        symbols and instruments
//	text.go          texts that are too long for BK
//	book.go          BookTrades
//	act.go           CancelTrade, MoveCash
//	directory.go     entities and accounts
//	trade.go         Trade; bookings and how they are found
//	accounttrade.go  AccountTrade(s), running positions
//	archived.go      what is in the archive and not in BK
//	stray.go         trades that stand elsewhere in BK's journal than by Bank's id
//	holding.go       positions and balances
//	journal.go       journal rows
//	timeline.go      the business date at a place in the journal
//	day.go           Roll, BusinessDate
//	replay.go        Replay, ReplayAll, ReplayPlace
//	replaywork.go    what Bank decided first, made into one batch
//	feed.go          what Bank has to repeat of BK's journal
//	stream.go        what has to be looked up to tell BK's events as Bank's; history.go: epochs of the façade's history
package books
