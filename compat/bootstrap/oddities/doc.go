// Package oddities makes a reference Bank's database look as old ones do: it puts known numbers of each legacy oddity into one that was filled through Bank's API, by SQL, as bugs
// that were repaired long ago would have left them. It says which rows a bootstrap has to quarantine, and how often each of its rules has to fire. It is for tests and demos.
//
// Nobody may write to the database meanwhile. The same database and seed give the same oddities. No row gets two of them, and rows that a bootstrap quarantines have no links to others:
// so each oddity is answered for by itself.
//
// # Files
//
//	plant.go   Config, Plant, Planted
//	kinds.go   the oddities, one statement or two each
package oddities
