package tradefile

import (
	"fmt"
	"strings"
)

// column is a known column. The order within a kind is of no importance.
type column uint8

const (
	colType column = iota
	colTimestamp
	colClientTradeID
	colDate
	colAccountID
	colQuantity
	colPrice
	colIdentifier
	colIdentifierType
	colCountry
	colInstrumentCurrency
	colDirection
	colQualifier
	colPosition
	colCapacity
	colMIC
	colExecMPID
	colContraMPID
	colContraClearingNum
	colContraDTCNum
	colTargetAccountID
	colSettlementCurrency
	colSettlementDate
	colCommission
	colOmitSEC
	colOmitTAF
	colOmitBill
	colAccrued
	colOldAccrued
	colOrderID
	colCancelTradeID
	colWhenIssued
	firstNote // from here on: metadata as given
)

const (
	colContraSideQualifier column = iota + firstNote
	colNSCCClearing
	colLastMarket
	colLocateID
	colLocateSource
	colYield
	colAccruedDays
	colBehalfOf
	colSolicited
	colRegisteredRep
	colBranchOffice
	colUserData
	// Cancel files.
	colCancelAccount
	colCancelID
	colByClientID

	columns int = iota + int(firstNote)
)

const lastNote = colUserData

var columnNames = [columns]string{
	colType: "type", colTimestamp: "timestamp", colClientTradeID: "client_trade_id", colDate: "date", colAccountID: "account_id",
	colQuantity: "quantity", colPrice: "price", colIdentifier: "instrument.identifier", colIdentifierType: "instrument.identifier_type",
	colCountry: "instrument.country", colInstrumentCurrency: "instrument.currency", colDirection: "side.direction",
	colQualifier: "side.qualifier", colPosition: "side.position", colCapacity: "capacity", colMIC: "mic", colExecMPID: "exec_mpid",
	colContraMPID: "contra_mpid", colContraClearingNum: "contra_clearing_num", colContraDTCNum: "contra_dtc_num",
	colTargetAccountID: "target_account_id", colSettlementCurrency: "settlement.currency", colSettlementDate: "settlement.date",
	colCommission: "fees.commission", colOmitSEC: "fees.omit_sec", colOmitTAF: "fees.omit_taf", colOmitBill: "fees.omit_bill",
	colAccrued: "interest.accrued", colOldAccrued: "fixed_income.accrued_interest", colOrderID: "order_id",
	colCancelTradeID: "cancel_trade_id", colWhenIssued: "is_when_issued",
	colContraSideQualifier: "contra_side_qualifier", colNSCCClearing: "nscc_clearing", colLastMarket: "last_market",
	colLocateID: "locate.id", colLocateSource: "locate.source", colYield: "interest.yield", colAccruedDays: "interest.accrued_days",
	colBehalfOf: "behalf_of_account_id", colSolicited: "solicited", colRegisteredRep: "registered_rep",
	colBranchOffice: "branch_office", colUserData: "user_data",
	colCancelAccount: "account", colCancelID: "trade_id", colByClientID: "by_client_id",
}

// neededColumns of a trade file, in the contract's order.
var neededColumns = []column{
	colType, colTimestamp, colClientTradeID, colDate, colAccountID, colQuantity, colPrice, colIdentifier, colIdentifierType, colDirection,
}

// header says where the columns of a file are: the index of its field, or -1.
type header struct {
	at     [columns]int
	fields int
	notes  []column // of this file
}

// parseHeader reads the first row.
func parseHeader(kind Kind, names []string) (*header, error) {
	known := make(map[string]column, columns)
	for c, name := range columnNames {
		known[name] = column(c)
	}
	h := &header{fields: len(names)}
	for c := range h.at {
		h.at[c] = -1
	}
	for i, name := range names {
		c, ok := known[strings.TrimSpace(name)]
		if !ok {
			continue
		}
		if h.at[c] >= 0 {
			return nil, fmt.Errorf("the column %s is there twice", columnNames[c])
		}
		h.at[c] = i
		if c == colOmitBill || c == colWhenIssued || c >= firstNote && c <= lastNote {
			h.notes = append(h.notes, c)
		}
	}
	return h, h.missing(kind)
}

// missing says which needed columns are not there.
func (h *header) missing(kind Kind) error {
	needed := neededColumns
	if kind == Cancels {
		needed = []column{colAccountID, colClientTradeID}
		if h.has(colCancelAccount) || h.has(colCancelID) {
			needed = []column{colCancelAccount, colCancelID}
		}
	}
	var missing []string
	for _, c := range needed {
		if !h.has(c) {
			missing = append(missing, columnNames[c])
		}
	}
	switch {
	case missing == nil:
		return nil
	case len(missing) < len(needed):
		return fmt.Errorf("no column %s in the header", strings.Join(missing, ", "))
	case kind == Cancels:
		return fmt.Errorf("no header of a cancel file: its columns are account, trade_id, by_client_id or account_id, client_trade_id")
	}
	return fmt.Errorf("no header of a trade file: its first row names the columns, %s among them", strings.Join(missing, ", "))
}

func (h *header) has(c column) bool { return h.at[c] >= 0 }

// fieldColumns says which column fills a field of bk.v1.Command.
var fieldColumns = map[string]column{
	"key": colClientTradeID, "trade_date": colDate, "effective_date": colDate, "settle_date": colSettlementDate,
	"trade.type": colType, "trade.executed_at": colTimestamp, "trade.client_trade_id": colClientTradeID, "trade.direction": colDirection,
	"trade.short": colQualifier, "trade.effect": colPosition, "trade.quantity": colQuantity, "trade.price": colPrice,
	"trade.instrument": colIdentifier, "trade.instrument.type": colIdentifierType, "trade.instrument.value": colIdentifier,
	"trade.instrument.country": colCountry, "trade.instrument.currency": colInstrumentCurrency, "trade.currency": colSettlementCurrency,
	"trade.capacity": colCapacity, "trade.mic": colMIC, "trade.exec_mpid": colExecMPID, "trade.contra_mpid": colContraMPID,
	"trade.contra_clearing_num": colContraClearingNum, "trade.commission": colCommission, "trade.omit_sec": colOmitSEC,
	"trade.omit_taf": colOmitTAF, "trade.accrued": colAccrued, "trade.order_id": colOrderID,
}

// Column gives the column that a field of a command came from, by the field's path as the server names it (commands[7].trade.quantity
// is quantity), and the path itself where it came from none.
func (r *Reader) Column(path string) string {
	if strings.HasPrefix(path, "commands[") {
		if _, rest, ok := strings.Cut(path, "]."); ok {
			path = rest
		}
	}
	within := func(field string) bool { return path == field || strings.HasPrefix(path, field+".") }
	switch {
	case r.kind == Cancels && (within("cancel.target") || within("target") || path == "key"):
		if r.header.has(colCancelID) {
			return columnNames[colCancelID]
		}
		return columnNames[colClientTradeID]
	case within("replaces"):
		return columnNames[colCancelTradeID]
	case within("trade.account"):
		return columnNames[colAccountID]
	case within("trade.target"):
		return columnNames[colTargetAccountID]
	}
	if c, ok := fieldColumns[path]; ok {
		return columnNames[c]
	}
	return path
}
