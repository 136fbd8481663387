// Package endtoend has only a test: a day of the tape goes through a façade in bank-primary-bk-secondary, and is rolled until all is settled; Bank publishes what it did, BK what it did,
// and the stream makes Bank's events of that. Both sides are landed in a warehouse and compared, and so are Bank's tables and BK's projections: nothing may differ. Then
// faults are put into one side, and each has to be found, and be named rightly, and nothing else.
//
//	make parity-test TRADES=20000      # of CI; 0: the whole day
package endtoend
