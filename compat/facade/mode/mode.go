package mode

import (
	"fmt"
	"strings"
)

// System is one of the two that keep the books.
type System string

// The systems. None is the secondary of a mode that has no other.
const (
	None System = ""
	Bank System = "bank"
	BK   System = "bk"
)

// Mode says who answers, and who follows. The zero value is no mode.
type Mode string

// The modes, in the order of the way from Bank to BK.
const (
	BankOnly    Mode = "bank-only"
	BankPrimary Mode = "bank-primary-bk-secondary"
	BKPrimary   Mode = "bk-primary-bank-secondary"
	BKOnly      Mode = "bk-only"
)

// row is what a mode is.
type row struct {
	mode               Mode
	primary, secondary System
}

// table is all modes; neighbours in it are one step apart.
var table = [...]row{
	{BankOnly, Bank, None},
	{BankPrimary, Bank, BK},
	{BKPrimary, BK, Bank},
	{BKOnly, BK, None},
}

// Modes gives all modes in order.
func Modes() []Mode {
	var all []Mode
	for _, r := range table {
		all = append(all, r.mode)
	}
	return all
}

// Parse reads a mode's name.
func Parse(name string) (Mode, error) {
	m := Mode(name)
	if m.place() < 0 {
		var names []string
		for _, r := range table {
			names = append(names, string(r.mode))
		}
		return "", fmt.Errorf("mode: %q is none of %s", name, strings.Join(names, ", "))
	}
	return m, nil
}

// Primary is the system that answers.
func (m Mode) Primary() System {
	if i := m.place(); i >= 0 {
		return table[i].primary
	}
	return None
}

// Secondary is the system that follows.
func (m Mode) Secondary() System {
	if i := m.place(); i >= 0 {
		return table[i].secondary
	}
	return None
}

// Alone is the mode in which the primary is alone: where the kill switch leads.
func (m Mode) Alone() Mode {
	switch m.Primary() {
	case Bank:
		return BankOnly
	case BK:
		return BKOnly
	}
	return m
}

// Adjacent reports whether the two are one step apart.
func (m Mode) Adjacent(other Mode) bool {
	a, b := m.place(), other.place()
	return a >= 0 && b >= 0 && (a-b == 1 || b-a == 1)
}

func (m Mode) place() int {
	for i, r := range table {
		if r.mode == m {
			return i
		}
	}
	return -1
}
