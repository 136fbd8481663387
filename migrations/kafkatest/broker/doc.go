// Package broker runs a Kafka broker in a process of its own, which can be killed with -9 and started again at the same address with the
// same data: the in-process broker of package embedded, or Apache Kafka itself from a folder with its jars (.ci/kafka/fetch).
//
// It is for tests and for the crash loop. A program that imports it becomes the in-process broker where the environment says so: that is
// how the broker gets a process without a program of its own.
//
// # Invariants
//
//   - A broker keeps its address over Kill and Start. The port lies below the range of ephemeral ports, so that no client's own port
//     takes it in between.
//   - It listens on 127.0.0.1 only, and Start returns when it answers requests.
//   - It dies with this process (see package child).
//
// What differs between the two, so that nobody may rely on it: a killed in-process broker aborts the open transactions and fences their
// producers, Apache Kafka keeps them open until they are ended or time out.
//
// # File map
//
//	broker.go    Broker
//	embedded.go  the in-process broker as a child
//	real.go      Apache Kafka
package broker
