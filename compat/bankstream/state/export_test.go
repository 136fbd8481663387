package state

import "slices"

// Sealed adds the checksum to a record's body.
func Sealed(body []byte) []byte { return appendChecksum(slices.Clone(body)) }
