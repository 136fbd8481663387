// Package kafkatest gives tests a Kafka broker: by default the in-process one of package embedded, and Apache Kafka
// itself where BK_TEST_KAFKA_HOME names the folder with its jars:
//
//	BK_TEST_KAFKA_HOME=$(.ci/kafka/fetch) go test ./migrations/kafkatest/
//
// New is for tests that produce and consume. In process it is a broker of the test's own, in memory, up in a
// millisecond; Apache Kafka takes seconds to start, so that all tests of one binary share one. Topic names and
// transactional ids unique to the test are the caller's concern.
//
// Own is for tests that stop or kill the broker: one of the test's own, always in a process of its own, on disk, so
// that a kill is a kill -9 with whatever is half written left half written. Without Apache Kafka the test binary runs
// itself once more as that process.
//
// Invariants:
//
//   - A broker keeps its address over Kill and Restart.
//   - It listens on 127.0.0.1 only, and Restart and New return when it answers requests.
//   - It dies with the test process, whichever way that ends, and its data is removed: by the test's own temporary
//     folder, and for the shared broker by a small process that waits for the end of this one.
//   - A failing test shows the end of its broker's log.
//
// Package broker, below this one, has the processes, and says in what the two kinds of broker differ.
package kafkatest
