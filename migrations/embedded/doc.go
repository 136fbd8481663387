// Package embedded runs the Postgres and the Kafka that `bk dev`, `bk demo` and
// the tests need on the machine itself, so that trying BK takes one command.
// Neither is for production.
//
// Postgres is the machine's own installation (see ErrNoPostgres), run as a child
// process on a folder. Kafka is an in-process broker; kafka.go says how it keeps
// its data.
//
// # Postgres: invariants
//
//   - It listens on 127.0.0.1 only, has no Unix socket, and asks for a password
//     (scram) that is made with the cluster and kept beside it, mode 0600. Other
//     users of the machine don't get in.
//   - It never outlives this process by more than a shutdown.
//   - One process a folder: a lock (flock) on the file "lock", which the kernel
//     drops with its holder.
//   - Under root, which Postgres refuses, initdb and postgres run as the owner of
//     the folder's cluster, else as "postgres", else as "nobody".
//   - A server started with Durable has lost nothing that it acknowledged,
//     whatever was killed.
//
// # Postgres: failure by failure
//
//   - We are killed (kill -9): the server gets a signal, on Linux from the kernel
//     (PR_SET_PDEATHSIG), elsewhere from a shell that waits on a pipe. A durable one
//     shuts down cleanly, another at once.
//   - The next start comes while that shutdown still runs, or somebody started a
//     server by hand on the folder: it is ended first, then ours starts.
//   - The server was killed: the start waits for crash recovery and for left
//     backends to go, within the caller's deadline.
//   - A pid file from before a reboot names a process that is now another: removed.
//   - We are killed inside initdb: the cluster is made under another name and
//     renamed when complete; the half one is removed.
//   - The folder is in use: ErrInUse with the holder's pid.
//   - The cluster was made by another major version: ErrNoPostgres, unless that
//     version is installed too; then it is used.
//   - Folders on the way are closed to the server's user (root's 0700 ones): see
//     openWay in postgres_user.go.
//   - The server doesn't come up: the error carries the end of its log.
//   - The server dies by itself: Done is closed; Start starts it again.
//
// # Postgres: the folder
//
//	data/          the cluster; data/bk.conf has our settings, written at each start
//	password       of Superuser
//	postgres.log   the server's log; over 8 MiB it becomes postgres.log.1 at a start
//	lock           held while in use
//
// # Files
//
//   - postgres.go: PostgresConfig, Postgres and its methods
//   - postgres_launch.go: running the server until it is ready, ports
//   - postgres_cluster.go: initdb and settings, each with its reason
//   - postgres_home.go: the folder: lock, leftovers, password, log
//   - lock.go: giving a folder up
//   - folder.go: a temporary folder of a demo
//   - postgres_user.go: running as another user
//   - postgres_binaries.go: finding the server programs
//   - postgres_process.go, postgres_watch.go, postgres_linux.go,
//     postgres_notlinux.go: children that end with us
//   - postgres_throwaway.go: a server in a temporary folder or in memory, for tests
//   - kafka*.go: the Kafka broker
package embedded
