// Package sample compares reads. In the dual modes a share of them is asked of the secondary as well, in the background, after the client has the primary's answer. What
// differs is waited out, if it is only late; told from noise; explained by a rule, if there is one; and otherwise counted and kept.
//
// # How it is wired
//
// The façade makes one [Sampler], runs it, and puts it where its reads go (it is the façade's Sampler interface). Bank and BK are the handlers that the façade itself reads
// through, on the listener of the API; the operations' listener has nothing to compare, its reads are not offered.
//
//	s, err := sample.New(sample.Config{
//		Pool: pool, Replica: name, Bank: proxyToBank, BK: handlerOverBooks, Rules: rules, Registry: registry, Log: log,
//		State:  func() mode.State { state, _ := keeper.State(); return state },
//		Behind: ageOfTheOldestRowThatIsNotBlocked,
//	})
//	go s.Run(ctx)
//
//	if !s.Wants(r, state) {           // state.Sampling is the rate, switched at run time by mode.Keeper.SetSampling
//		primary.ServeHTTP(w, r)
//		return
//	}
//	primary.ServeHTTP(kept, r)        // writes to w and keeps a copy
//	s.Compare(r, state, kept.status, w.Header(), kept.body)
//
// Both handlers are shown the client's own key. It is in memory only: no header is ever kept or logged.
//
// # When two answers are the same
//
// Statuses are equal, and the JSON is, whatever the order of fields. Texts and numbers must be spelled alike: decimals are exact text. Left out are event_id, at and
// journal_id of a resource (not what a client gave with those names inside user_data), the message of an error, and the text of a page's token: there is a next page in
// both, or in none. Rows of lists are matched by what they are (symbol, trade_id, ...), so that one missing row is one difference, not a hundred.
//
// A token means nothing to the other system. So a list is walked in both, each with its own tokens, up to Pages pages, and a sampled read of a page in the middle is taken
// as one of the list from its beginning.
//
// # When a difference is one
//
// The secondary follows the primary, and clients write meanwhile. Both are asked again, with pauses from 20 ms to 1 s, until one of:
//
//   - they agree, or the secondary gives what the primary gave a moment ago: equal, or lagged.
//   - the primary has given the same answer for Settle, and the secondary another: different.
//   - three times Settle is over, and the primary has given several answers. What was in every round exactly the same difference is one. Is there none, it is noise: the
//     primary differs from itself.
//
// Reads that wait take no worker. Should the secondary be known to be behind by more than Settle (Behind), what differs is counted as behind and not kept: the
// backlog's own figures tell that story. A switch of the mode ends it: stale. If rules explain all differences of a round, nothing is waited for.
//
// # Rules
//
// A rule has a name, an owner, a reason, an end, and what it explains: route, path, kind, at least one of them.
//
//	rules:
//	  - name: settled-late
//	    owner: anna
//	    reason: BK settles at the end of the roll, Bank in it (CHG-1234)
//	    expires: 2026-12-31             # the last day, by UTC
//	    route: /accounts/{account_id}/positions
//	    path: $.data[*].settled_quantity  # .* and [*] are any one step, .** at the end any
//	    kind: value
//
// One that has expired explains nothing; what it would have explained is a divergence that names it.
//
// # Invariants
//
//   - A caller never waits, and never sees what happens here. Wants costs no allocation; Compare clones a few headers.
//   - All is bounded: reads that wait and their bytes, those that are parked, workers, calls in time, answers in length, differences of an answer, their
//     values, rows that are kept, rows written a minute. Whatever is left out for that is counted.
//   - The primary is asked once more only for what differs, compressed answers, and pages. A read that is equal costs one call of the secondary.
//
// # Failure by failure
//
//   - The secondary is slow: timed out, counted, not asked again for that read. It is away, answers 5xx, breaks off or is too long: secondary_failed.
//   - The primary fails when it is asked again: primary_failed, nothing is said about the secondary.
//   - The façade's database is away: comparing and counting go on, rows are lost and counted.
//   - The process ends: what waits is forgotten. Rows stay.
//   - Everything differs: the first KeepPerMinute rows of each minute are kept, and one row per rule; the oldest rows go.
//
// # Rejected
//
//   - Asking both at once and the client waiting for neither: the secondary's load would follow the client's bursts, and the lag of the secondary would be every
//     read's first finding.
//   - Leaving the fields out that the primary answers in two ways, as for a stateless service: in books that are written to, a field that moves is the one to look at.
//   - Waiting until the secondary has taken all that the primary had done when it was asked: it would need a position in each answer, which the contract has not.
//
// # Files
//
//   - config.go, sampler.go, round.go: [Config], what is taken in, how it is decided
//   - ask.go, route.go: what is asked
//   - diff.go, rows.go, path.go: what differs; rule.go: what explains it
//   - store.go, metrics.go: what is kept and counted
package sample
