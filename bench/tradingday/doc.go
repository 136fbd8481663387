// Package tradingday makes up a day of US equity trading: deterministic, endless in variety, and plausible enough to look at. It feeds
// the demo, benchmarks and tests; nothing in it is a real market's.
//
// # Invariants
//
//   - Same [Config], same commands, byte for byte. There is no clock and no other source of chance than the seed, and Config.Dates if set.
//   - Every command is accepted by an empty ledger that has the day's [Day.Accounts] and [Day.Instruments], if each account's commands
//     are booked in the order in which they come: cancels and corrections name an earlier, live trade of the same account.
//   - Keys are unique within a day and differ between seeds.
//
// # What is plausible about it
//
// Prices walk in cents, minute by minute busier at the open and at the close; a few customers trade very much and most little; lots are
// mostly round; a sale beyond the position is a short one; commissions are by the share with a minimum, and none for some customers;
// of the five trade types exchange trades are by far the most; some trades are allocated from a busy account to another one; about one in 200
// is cancelled and one in 300 corrected, if not configured otherwise, mostly soon after.
//
// # File map
//
//	day.go     Config, Day: the accounts, the instruments, the commands
//	market.go  symbols, prices, the clock
//	message.go commands as messages of the API
package tradingday
