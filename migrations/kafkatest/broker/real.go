package broker

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bkledger/bk/migrations/child"
)

// apache formats an Apache Kafka node below dir, from the jars in home: one process that is broker and controller.
func (b *Broker) apache(ctx context.Context, home, dir string) error {
	java, err := exec.LookPath("java")
	if err != nil {
		return fmt.Errorf("Apache Kafka needs Java 17 or later: %w", err)
	}
	if jars, _ := filepath.Glob(filepath.Join(home, "kafka_*.jar")); len(jars) == 0 {
		return fmt.Errorf("there is no kafka_*.jar in %s; .ci/kafka/fetch fetches it", home)
	}
	port, err := child.FreePort()
	if err != nil {
		return err
	}
	controller, err := child.FreePort()
	if err != nil {
		return err
	}
	if port == controller {
		return errors.New("one free port for broker and controller")
	}
	properties, logging := filepath.Join(dir, "server.properties"), filepath.Join(dir, "log4j2.properties")
	if err := os.WriteFile(properties, realProperties(port, controller, filepath.Join(dir, "data")), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(logging, []byte(realLogging), 0o600); err != nil {
		return err
	}
	run := func(args ...string) *exec.Cmd {
		// Small, quick to start, and sparing with threads: tests and the crash loop share two cores with it.
		flags := []string{"-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Djava.awt.headless=true",
			"-Dlog4j2.configurationFile=" + logging, "-cp", filepath.Join(home, "*")}
		return exec.Command(java, append(flags, args...)...)
	}
	id := make([]byte, 16)
	rand.Read(id)
	format := run("kafka.tools.StorageTool", "format", "--cluster-id="+base64.RawURLEncoding.EncodeToString(id), "--config", properties)
	var out bytes.Buffer
	format.Stdout, format.Stderr = &out, &out
	if err := format.Run(); err != nil {
		return fmt.Errorf("formatting Apache Kafka's storage: %w\n%s", err, strings.TrimSpace(out.String()))
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	b.addr = fmt.Sprintf("127.0.0.1:%d", port)
	b.command = func() *exec.Cmd { return run("kafka.Kafka", properties) }
	return nil
}

func realProperties(port, controller int, data string) []byte {
	return fmt.Appendf(nil, `
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
listeners=PLAINTEXT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=PLAINTEXT://127.0.0.1:%[1]d
controller.listener.names=CONTROLLER
log.dirs=%[3]s

# One node: every internal topic has one replica, and few partitions, each of which would cost files and time.
num.partitions=1
default.replication.factor=1
min.insync.replicas=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1

# Who uses it names its topics, and don't wait for members that might join.
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000

# A killed broker comes back as a new incarnation, which the controller takes only when the old one's session is over.
broker.heartbeat.interval.ms=200
broker.session.timeout.ms=1000

num.network.threads=2
num.io.threads=2
background.threads=2
num.recovery.threads.per.data.dir=1
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=4194304
`, port, controller, data)
}

const realLogging = `
status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{HH:mm:ss.SSS} %p %c{1}: %m%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
logger.server.name=kafka.server
logger.server.level=info
logger.core.name=org.apache.kafka.server
logger.core.level=warn
`
