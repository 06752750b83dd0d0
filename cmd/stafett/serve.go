package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
)

func serveCommand() *cobra.Command {
	var config string
	cmd := &cobra.Command{Use: "serve --config FILE", Short: "Run the gateway", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(configOf(config))
			if err != nil {
				return err
			}
			log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: cfg.Log}))
			a, err := startApp(cmd.Context(), cfg, log)
			if err != nil {
				return err
			}
			log.Info("ready", "http", a.httpAddr, "mllp", a.mllpAddr, "nats", a.bus.ClientURL())
			fmt.Fprintf(cmd.OutOrStdout(), "ready http=%s mllp=%v nats=%s\n", a.httpAddr, a.mllpAddr, a.bus.ClientURL())
			select {
			case <-cmd.Context().Done():
				log.Info("stopping")
				return a.shutdown()
			case err := <-a.failed:
				_ = a.shutdown()
				return err
			}
		}}
	cmd.Flags().StringVar(&config, "config", "", "the configuration file; else STAFETT_CONFIG, else stafett.yaml")
	return cmd
}
