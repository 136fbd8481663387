package tradefile

import (
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

// trade makes the command of a row of a trade file. Amounts are the server's to judge, and so is what a trade of its type needs.
func (p *parser) trade() {
	row, c, t := p.row, &p.row.command, &p.row.trade
	t.Type = p.tradeType()
	p.timestamp(colTimestamp, &row.executedAt)
	t.ExecutedAt = &row.executedAt
	t.ClientTradeId = p.text(colClientTradeID)
	if t.ClientTradeId == "" {
		p.fail(colClientTradeID, ReasonMissing, "a trade needs its client's id")
	}
	c.TradeDate = p.date(colDate)
	if c.TradeDate == 0 {
		p.fail(colDate, ReasonMissing, "a trade needs its trade date")
	}
	row.Account = p.number(colAccountID)
	if row.Account == 0 {
		p.fail(colAccountID, ReasonMissing, "a trade needs its account")
	}
	row.account.Id = row.Account
	t.Account = &row.account
	t.Quantity, t.Price = p.text(colQuantity), p.text(colPrice)
	row.instrument.Value, row.instrument.Type = p.text(colIdentifier), p.identifierType()
	row.instrument.Country, row.instrument.Currency = p.text(colCountry), p.text(colInstrumentCurrency)
	t.Instrument = &row.instrument
	p.side(t)
	t.Capacity = p.capacity()
	t.Mic, t.ExecMpid, t.ContraMpid = p.text(colMIC), p.text(colExecMPID), p.text(colContraMPID)
	t.ContraClearingNum = p.renamed(colContraClearingNum, colContraDTCNum)
	row.Target, t.Target = p.number(colTargetAccountID), nil
	if row.Target != 0 {
		row.target.Id = row.Target
		t.Target = &row.target
	}
	t.Currency, c.SettleDate = p.text(colSettlementCurrency), p.date(colSettlementDate)
	t.Commission, t.OmitSec, t.OmitTaf = p.text(colCommission), p.flag(colOmitSEC), p.flag(colOmitTAF)
	t.Accrued = p.renamed(colAccrued, colOldAccrued)
	t.OrderId = p.text(colOrderID)
	p.notes()
	c.Key = p.makeKey("", row.Account, colClientTradeID, t.ClientTradeId)
	p.replaces()
	row.asTrade.Trade = t
	c.Command = &row.asTrade
}

// replaces sets the trade that the row replaces. Bank's rule: one that is cancelled already is only linked.
func (p *parser) replaces() {
	named := p.text(colCancelTradeID)
	if named == "" {
		return
	}
	r := &p.row.replaces
	r.Trade, r.LinkIfCanceled = 0, true
	r.Key = p.makeKey("", p.row.Account, colCancelTradeID, named)
	p.row.command.Replaces = r
	if id, ok := digits(named, maxNumberDigits); ok {
		p.row.ReplacesID = id
	}
}

// notes makes metadata of the columns that are kept as given, and of the flags that a bk.v1.Trade has no field for.
func (p *parser) notes() {
	row := p.row
	clear(row.notes)
	for _, c := range p.header.notes {
		value := p.text(c)
		if c == colOmitBill || c == colWhenIssued {
			if !p.flag(c) {
				continue
			}
			value = "true"
			if c == colWhenIssued && row.command.SettleDate == 0 {
				row.command.SettleDate = int32(ledger.WhenIssuedDate)
			}
		}
		if value == "" {
			continue
		}
		if row.notes == nil {
			row.notes = make(map[string]string, len(p.header.notes))
		}
		row.notes[columnNames[c]] = value
	}
	if len(row.notes) > 0 {
		row.command.Metadata = row.notes
	}
}

func (p *parser) side(t *bkv1.Trade) {
	switch text := p.text(colDirection); text {
	case "buy":
		t.Direction = bkv1.Direction_DIRECTION_BUY
	case "sell":
		t.Direction = bkv1.Direction_DIRECTION_SELL
	case "":
		p.fail(colDirection, ReasonMissing, "a trade needs its direction: buy or sell")
	default:
		p.fail(colDirection, ReasonInvalid, "%s is neither buy nor sell", shown(text))
	}
	switch text := p.text(colQualifier); text {
	case "", "short":
		t.Short = text != ""
	default:
		p.fail(colQualifier, ReasonInvalid, "%s is not short", shown(text))
	}
	switch text := p.text(colPosition); text {
	case "":
		t.Effect = bkv1.Effect_EFFECT_UNSPECIFIED
	case "open":
		t.Effect = bkv1.Effect_EFFECT_OPEN
	case "close":
		t.Effect = bkv1.Effect_EFFECT_CLOSE
	default:
		p.fail(colPosition, ReasonInvalid, "%s is neither open nor close", shown(text))
	}
}

func (p *parser) tradeType() bkv1.TradeType {
	switch text := p.text(colType); text {
	case "exchange_trade":
		return bkv1.TradeType_TRADE_TYPE_EXCHANGE
	case "bilateral_trade":
		return bkv1.TradeType_TRADE_TYPE_BILATERAL
	case "away_trade":
		return bkv1.TradeType_TRADE_TYPE_AWAY
	case "allocation_trade":
		return bkv1.TradeType_TRADE_TYPE_ALLOCATION
	case "transfer_trade":
		return bkv1.TradeType_TRADE_TYPE_TRANSFER
	case "":
		p.fail(colType, ReasonMissing, "a trade needs its type")
	default:
		p.fail(colType, ReasonInvalid, "%s is none of exchange_trade, bilateral_trade, allocation_trade, transfer_trade, away_trade", shown(text))
	}
	return bkv1.TradeType_TRADE_TYPE_UNSPECIFIED
}

func (p *parser) identifierType() bkv1.IdentifierType {
	switch text := p.text(colIdentifierType); text {
	case "ticker":
		return bkv1.IdentifierType_IDENTIFIER_TYPE_TICKER
	case "cusip":
		return bkv1.IdentifierType_IDENTIFIER_TYPE_CUSIP
	case "isin":
		return bkv1.IdentifierType_IDENTIFIER_TYPE_ISIN
	case "sedol":
		return bkv1.IdentifierType_IDENTIFIER_TYPE_SEDOL
	case "":
		p.fail(colIdentifierType, ReasonMissing, "an identifier needs its type: ticker, cusip, isin or sedol")
	default:
		p.fail(colIdentifierType, ReasonInvalid, "%s is none of ticker, cusip, isin, sedol", shown(text))
	}
	return bkv1.IdentifierType_IDENTIFIER_TYPE_UNSPECIFIED
}

func (p *parser) capacity() bkv1.Capacity {
	switch text := p.text(colCapacity); text {
	case "":
	case "agency":
		return bkv1.Capacity_CAPACITY_AGENCY
	case "principal":
		return bkv1.Capacity_CAPACITY_PRINCIPAL
	case "mixed":
		return bkv1.Capacity_CAPACITY_MIXED
	case "riskless_principal":
		return bkv1.Capacity_CAPACITY_RISKLESS_PRINCIPAL
	default:
		p.fail(colCapacity, ReasonInvalid, "%s is none of agency, principal, mixed, riskless_principal", shown(text))
	}
	return bkv1.Capacity_CAPACITY_UNSPECIFIED
}
