package tradefile

// cancel makes the command of a row of a cancel file, in either of its forms.
func (p *parser) cancel() {
	row := p.row
	account, name, byClient := colAccountID, colClientTradeID, true
	if p.header.has(colCancelID) {
		account, name, byClient = colCancelAccount, colCancelID, p.flag(colByClientID)
	}
	row.Account = p.number(account)
	if row.Account == 0 {
		p.fail(account, ReasonMissing, "a cancel needs the trade's account")
	}
	id := p.text(name)
	if id == "" {
		p.fail(name, ReasonMissing, "a cancel needs the trade")
	}
	to := &row.toCancel
	to.Trade, to.Key = 0, ""
	if byClient {
		to.Key = p.makeKey("", row.Account, name, id)
		row.command.Key = p.makeKey("cancel/", row.Account, name, id)
	} else {
		to.Trade = p.number(name)
		row.command.Key = p.makeKey("cancel-id/", row.Account, name, id)
	}
	row.cancel.Target = to
	row.asCancel.Cancel = &row.cancel
	row.command.Command = &row.asCancel
}
