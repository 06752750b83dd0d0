// Command stafett is the handover gateway: serve runs it, demo shows it, and the other
// commands ask a running one. It wires the packages together and decides nothing.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // parties' zones must be known on machines without a zone database

	"github.com/spf13/cobra"
)

// exitCode is how a command asks for a status other than 1.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func main() {
	keepToOneself()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := rootCommand()
	if err := root.ExecuteContext(ctx); err != nil {
		var code exitCode
		if errors.As(err, &code) {
			os.Exit(int(code))
		}
		fmt.Fprintln(os.Stderr, "stafett:", err)
		os.Exit(1)
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "stafett",
		Short:         "Handover gateway between hospital, municipality and rehabilitation institution",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(serveCommand(), configCommand(), demoCommand(), translateCommand(), ledgerCommand(), parkedCommand(),
		handoverCommand(), eventsCommand(), benchCommand(), versionCommand())
	return root
}

// group is a command that only holds others. A word that none of them has is a mistake, and
// not a wish for help.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, RunE: func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		var names []string
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				names = append(names, sub.Name())
			}
		}
		return fmt.Errorf("there is no command %s %s%s", cmd.CommandPath(), args[0], meant(args[0], names))
	}}
	cmd.AddCommand(commands...)
	return cmd
}
