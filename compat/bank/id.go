package bank

import (
	"errors"
	"strconv"
	"strings"
)

// ErrID is the error of [ParseID].
var ErrID = errors.New("not a number of digits that fits 64 bits")

// ParseID reads a string of digits.
func ParseID(text string) (ID, error) {
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, ErrID
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, ErrID
	}
	return ID(id), nil
}
