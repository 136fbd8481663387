package source

import "github.com/bkledger/bk/compat/bank"

// The rows say which table they are of, and how they go by.

func pair(id bank.ID, name string) string { return id.String() + "/" + name }

// Table implements [Row].
func (*Entity) Table() Table { return Entities }

// Key implements [Row].
func (r *Entity) Key() string { return r.EntityID.String() }

// Table implements [Row].
func (*Account) Table() Table { return Accounts }

// Key implements [Row].
func (r *Account) Key() string { return r.AccountID.String() }

// Table implements [Row].
func (*Trade) Table() Table { return Trades }

// Key implements [Row].
func (r *Trade) Key() string { return r.TradeID.String() }

// Table implements [Row].
func (*JournalRow) Table() Table { return Journal }

// Key implements [Row].
func (r *JournalRow) Key() string { return r.JournalID.String() }

// Table implements [Row].
func (*Cash) Table() Table { return CashMovements }

// Key implements [Row].
func (r *Cash) Key() string { return r.CashID.String() }

// Table implements [Row].
func (*Position) Table() Table { return Positions }

// Key implements [Row].
func (r *Position) Key() string { return pair(r.AccountID, r.Symbol) }

// Table implements [Row].
func (*Balance) Table() Table { return Balances }

// Key implements [Row].
func (r *Balance) Key() string { return pair(r.AccountID, r.Currency) }

// Table implements [Row].
func (*Upload) Table() Table { return Uploads }

// Key implements [Row].
func (r *Upload) Key() string { return bank.ID(r.Seq).String() }

// Table implements [Row].
func (*UploadError) Table() Table { return UploadErrors }

// Key implements [Row].
func (r *UploadError) Key() string { return pair(bank.ID(r.Seq), bank.ID(r.Row).String()) }

// Table implements [Row].
func (*GivenUp) Table() Table { return UploadGivenUp }

// Key implements [Row].
func (r *GivenUp) Key() string { return pair(bank.ID(r.Seq), bank.ID(r.Row).String()) }
