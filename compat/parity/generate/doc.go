// Package generate makes up Bank's events: days of trades booked, opened, settled, cancelled and replaced, allocations and transfers between two accounts, cash, and the rolls of the
// business date, with running totals that are right. They are for measuring and testing what lands and compares streams, at sizes that no test books one by one.
//
// # Invariants
//
//   - The same configuration gives the same events, on every machine. More events of it begin with those of fewer.
//   - Both sides of one seed say the same, but for what each system has of its own: event ids, and the times of the events.
//   - Per account the ids ascend, and each event's totals are the sum of the changes up to it, as the contract's section 4 has it (package compat/bank/legacy does
//     the work itself).
//   - Events are the taker's: none is changed later.
//
// What is simpler than the real thing: every weekday is a business day and a settlement day, fees have one rate, each account trades each symbol in one currency.
//
// # Files
//
//	config.go   Config
//	world.go    accounts and their totals, the days
//	trade.go    trades as they are booked
//	records.go  events as records of topics
package generate
