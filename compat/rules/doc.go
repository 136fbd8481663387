// Package rules reads and checks rules that explain differences: each says what it explains, and has an owner who answers for it, a reason, and an end. What a rule can be about
// is the user's: package sample's are about answers to reads, package parity's about events.
//
//	rules:
//	  - name: settled-late
//	    owner: anna
//	    reason: BK settles at the end of the roll, Bank in it (CHG-1234)
//	    expires: 2026-12-31             # the last day, by UTC
//	    path: $.data[*].settled_quantity # and whatever else a rule of the user's may be about
//
// No rule is for ever, and one that has expired explains nothing: users name it at what it would have explained.
package rules
