// Package bank is the contract of the legacy API: its resources, what a request may hold and how it is read, its errors, and a client. It knows nothing of
// who answers: the reference Bank (package legacy), BK (package books), or the façade in front of both.
package bank
