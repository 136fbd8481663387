package swap

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
)

// ReadDay reads a day of the tape in a folder: the first rows of trades_DATE.csv.gz, all if rows is 0, and the cancels (cancels_DATE.csv.gz) of what is among them.
func ReadDay(dir string, date bank.Date, rows int) (*Day, error) {
	d := &Day{Date: date}
	var read *bank.TradeRows
	err := eachRow(filepath.Join(dir, fmt.Sprintf("trades_%d.csv.gz", date)), func(n int, row []string) error {
		if read == nil {
			read = bank.NewTradeRows(row)
			return nil
		}
		if rows > 0 && n > rows {
			return io.EOF
		}
		trade, err := read.Trade(row)
		d.Trades = append(d.Trades, trade)
		return err
	})
	if err != nil {
		return nil, err
	}
	d.index()
	var cancels *bank.CancelRows
	err = eachRow(filepath.Join(dir, fmt.Sprintf("cancels_%d.csv.gz", date)), func(_ int, row []string) (err error) {
		if cancels == nil {
			cancels, err = bank.NewCancelRows(row)
			return err
		}
		ref, err := cancels.Ref(row)
		if err == nil && d.first[name{ref.AccountID, ref.ClientTradeID}] != nil {
			d.Cancels = append(d.Cancels, ref)
		}
		return err
	})
	return d, err
}

// Expected reads a file of the tape with one amount for each account and symbol or currency; zeros are left out.
func Expected(path string) (map[Holding]decimal.Decimal, error) {
	all := map[Holding]decimal.Decimal{}
	err := eachRow(path, func(n int, row []string) error {
		if n == 0 {
			return nil
		}
		account, err := bank.ParseID(row[0])
		if err != nil {
			return err
		}
		amount, err := decimal.NewFromString(row[2])
		if err != nil {
			return err
		}
		if !amount.IsZero() {
			all[Holding{account, row[1]}] = amount
		}
		return nil
	})
	return all, err
}

// eachRow reads a gzipped CSV file; the header is row 0. io.EOF of visit ends it.
func eachRow(path string, visit func(n int, row []string) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("swap: open the tape: %w", err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("swap: %s: %w", path, err)
	}
	rows := csv.NewReader(unzipped)
	for n := 0; ; n++ {
		row, err := rows.Read()
		if err == nil {
			err = visit(n, row)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("swap: %s: row %d: %w", path, n, err)
		}
	}
}
