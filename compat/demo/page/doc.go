// Package page shows a swap to people while it is made: one HTML page, without anything from elsewhere, that a browser keeps up to date by server-sent events; and the same page
// as a file, with what was last shown.
//
// It knows nothing of what it shows but a [State]. The page's script draws that and nothing else, so a page at any moment, also in the middle of a switch, is that of a
// State, live or not.
//
// # Invariants
//
//   - The first State stands in the page itself: it shows figures before, and without, any event.
//   - Everything in a State is shown as text, never as markup.
//   - A browser that comes later, or comes back, gets all points of the plot; one that stays gets new ones alone.
//   - A browser that doesn't read holds up nobody: its events are dropped, and the next one has what it missed.
//
// # Files
//
//	state.go  what is shown      server.go  the live page      file.go  the page as a file      page.html  the page
package page
