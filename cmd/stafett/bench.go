package main

import (
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"stafett/bench"
	"stafett/demo"
)

func benchCommand() *cobra.Command {
	var o bench.Options
	var readers bool
	cmd := &cobra.Command{Use: "bench", Short: "Load a gateway on this machine with ready-for-discharge messages over MLLP",
		Long: "bench starts a gateway as a process of its own on embedded defaults, sends it ADT^A16 messages over MLLP for --seconds " +
			"and prints rates, latencies, lag, rows and memory. Without --whole the receiver is away, so that intake alone is measured; " +
			"with it the municipality takes and receipts every message.", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Prepare = func(folder, municipality string) (bench.Gateway, error) {
				return prepareBench(folder, municipality, readers, o.Whole)
			}
			return bench.Run(cmd.Context(), cmd.OutOrStdout(), o)
		}}
	cmd.Flags().IntVar(&o.Seconds, "seconds", 60, "how long the load lasts")
	cmd.Flags().IntVar(&o.Connections, "connections", 32, "MLLP connections, each with one message in hand")
	cmd.Flags().IntVar(&o.Rate, "rate", 0, "messages a second to offer; 0 for as many as are answered")
	cmd.Flags().BoolVar(&o.Whole, "whole", false, "measure the whole path: delivered, receipted, events")
	cmd.Flags().BoolVar(&readers, "readers", false, "give each of the three parties its own event stream, as when all of them subscribe")
	cmd.Flags().BoolVar(&o.Keep, "keep", false, "keep the folder")
	return cmd
}

// prepareBench writes a sandbox's configuration, for this program to serve.
func prepareBench(folder, municipality string, readers, whole bool) (bench.Gateway, error) {
	box := demo.NewSandbox(folder)
	box.Hospital, box.Municipality, box.MunicipalityFHIR, box.Institution = municipality, municipality, municipality, municipality
	c, err := sandboxConfig(box)
	if err != nil {
		return bench.Gateway{}, err
	}
	if !readers {
		c.Events.Readers = nil
	}
	if !whole {
		// The receiver stays away: trying it again and again is not what is measured.
		c.Delivery.RetryMin, c.Delivery.RetryMax = 30*time.Minute, time.Hour
	}
	raw, err := yaml.Marshal(c)
	if err != nil {
		return bench.Gateway{}, err
	}
	path := filepath.Join(folder, "stafett.yaml")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		return bench.Gateway{}, err
	}
	self, err := os.Executable()
	return bench.Gateway{Command: []string{self, "serve", "--config", path}, MunicipalityToken: box.Tokens[demo.MunicipalityID],
		OperatorToken: box.Operator, Ledger: c.Ledger.SQLite}, err
}
