package main

import (
	"context"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"github.com/bkledger/bk/api/node"
)

// devServer is what `bk dev` is told.
type devServer struct {
	settings
	stack     stack
	readyFile string
	log       logSettings
}

func newDevCommand(a *app) *cobra.Command {
	d := &devServer{}
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Serve a ledger with a Postgres and a Kafka of its own, for trying it out",
		Long: `Serve a ledger with a Postgres and a Kafka of its own, in a folder. For trying BK out and developing against it; production
has its own Postgres and Kafka (bk serve).

Stop it as you like: started again on the same folder it has all that was booked.`,
		Example: `  bk dev
  bk dev --data /var/tmp/ledger --ready-file ready.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.ended(d.run(cmd.Context(), a)) },
	}
	d.text(cmd, &d.stack.dir, "data", "./data", "folder with everything that is kept; made if missing")
	d.bind(cmd)
	d.text(cmd, &d.readyFile, "ready-file", "", "JSON file with all addresses, there while the server serves")
	d.log.bind(cmd, &d.settings)
	return cmd
}

// bind adds what dev and demo have in common.
func (d *devServer) bind(cmd *cobra.Command) {
	n := &d.stack.node
	d.text(cmd, &n.Listen, "listen", "", "address of the API ("+node.DefaultListen+", another port if that is taken)")
	d.text(cmd, &n.MetricsListen, "metrics-listen", "", "address of metrics and health ("+node.DefaultMetricsListen+", likewise)")
	d.flag(cmd, &n.Pprof, "pprof", "Go profiles on the metrics address")
}

// faults loads the configuration and gives everything that is wrong with it.
func (d *devServer) faults(lookup func(string) (string, bool)) []error {
	errs := d.load(lookup)
	n := d.stack.node.WithDefaults()
	n.Postgres = "postgres://not.yet" // the folder's own, once it is there
	for _, v := range node.Violations(n.Validate()) {
		errs = append(errs, fmt.Errorf("%s: %s", d.origin(fields[v.Field]), v.What))
	}
	return errs
}

func (d *devServer) run(ctx context.Context, a *app) error {
	errs := d.faults(environment)
	if d.stack.dir == "" {
		errs = append(errs, fmt.Errorf("%s: needed: a folder", d.origin("data")))
	}
	if err := configError(errs); err != nil {
		return err
	}
	d.stack.log = d.log.logger(a.err)
	d.stack.readyFile = d.readyFile
	secondSignalKills(ctx)
	return d.stack.run(ctx, func(e endpoints) {
		fmt.Fprintf(a.out, "BK serves in %s\n  API       %s\n  metrics   %s/metrics\n  Postgres  %s\n  Kafka     %s\nCtrl-C stops it.\n",
			d.stack.dir, e.Connect, e.Metrics, e.Postgres, e.Kafka)
	})
}

// freeAddress gives the default address if nobody has it, else one with a free port.
func freeAddress(standard string) string {
	l, err := net.Listen("tcp", standard)
	if err != nil {
		return "127.0.0.1:0"
	}
	l.Close()
	return standard
}
