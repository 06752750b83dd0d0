package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"stafett/api"
	"stafett/gateway/desk"
)

func ledgerCommand() *cobra.Command {
	c := &client{}
	cmd := group("ledger", "Ask the record: one message, the balance, the chain",
		ledgerMessage(c), ledgerBalance(c), ledgerVerify(c), ledgerCheckpoint(c), ledgerAudit(c), ledgerUnheard(c), ledgerReindex(c))
	backup := ledgerBackup(c)
	c.flags(cmd)
	cmd.PersistentFlags().StringVar(&c.config, "config", "", "ask the store of this configuration itself (for SQLite no gateway may run on it)")
	for _, sub := range cmd.Commands() {
		sub.RunE = c.onStore(sub.RunE)
	}
	cmd.AddCommand(backup)
	return cmd
}

func ledgerMessage(c *client) *cobra.Command {
	return &cobra.Command{Use: "message ID", Short: "What happened to one message, by its id here or the sender's own", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var v desk.MessageView
			if err := c.call(cmd.Context(), "GET", "/messages/"+escaped(args[0]), nil, &v); err != nil {
				return err
			}
			return c.print(cmd, v, func(out io.Writer) { printMessage(out, v) })
		}}
}

func printMessage(out io.Writer, v desk.MessageView) {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	row := func(name string, value any) {
		if s := fmt.Sprint(value); s != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, s)
		}
	}
	row("message", v.ID)
	row("from", v.Sender)
	row("what", fmt.Sprintf("%s %s", v.Wire, v.Type))
	row("received", v.ReceivedAt.Local().Format(time.DateTime))
	row("state", v.State)
	row("reason", strings.TrimSpace(string(v.Reason)+" "+v.Detail))
	row("contact", v.Contact)
	row("resolved", strings.TrimSpace(v.Resolution+" "+v.Person))
	if h := v.Handover; h != nil {
		row("handover", fmt.Sprintf("%s %s, %s, held by %s", h.Kind, h.ID, h.State, h.Custodian))
		for _, a := range h.Attentions {
			row("attention", fmt.Sprintf("%s since %s", a.Reason, a.RaisedAt.Local().Format(time.DateTime)))
		}
	}
	for _, d := range v.Deliveries {
		row("sent on", fmt.Sprintf("%s to %s: %s, %d attempts %s", d.Type, d.Receiver, d.State, d.Attempts, d.Error))
	}
	for _, a := range v.Audit {
		row(a.At.Local().Format(time.DateTime), strings.Join(strings.Fields(fmt.Sprint(a.Action, " ", a.Outcome, " ", a.Detail, " ", a.Person)), " "))
	}
	w.Flush()
	printReport(out, v.Report)
}

func printReport(out io.Writer, raw json.RawMessage) {
	var r struct {
		Fates []struct{ Path, Fate, Reason, Target string }
	}
	if json.Unmarshal(raw, &r) != nil || len(r.Fates) == 0 {
		return
	}
	count := map[string]int{}
	for _, f := range r.Fates {
		count[f.Fate]++
	}
	fmt.Fprintf(out, "\nelements: %d mapped, %d carried along, %d ignored\n", count["mapped"], count["carried"], count["ignored"])
	for _, f := range r.Fates {
		if f.Fate != "mapped" {
			fmt.Fprintf(out, "  %-8s %s  %s\n", f.Fate, f.Path, f.Reason)
		}
	}
}

func ledgerBalance(c *client) *cobra.Command {
	return &cobra.Command{Use: "balance", Short: "Prove that every received message is accounted for; exit 2 when not", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var b api.Balance
			err := c.call(cmd.Context(), "GET", "/ledger/balance", nil, &b)
			if err == nil {
				err = c.print(cmd, b, func(out io.Writer) { printBalance(out, b) })
			}
			if err != nil {
				return err
			}
			return wholeOr2(b.Holds)
		}}
}

func printBalance(out io.Writer, b api.Balance) {
	fmt.Fprintf(out, "received %d = delivered %d + applied %d + repeated %d + refused %d + parked %d + closed %d + moving %d\n",
		b.Received, b.Delivered, b.Applied, b.Repeated, b.Refused, b.Parked, b.Closed, b.Moving)
	for _, id := range b.Unaccounted {
		fmt.Fprintf(out, "no next step:  message %s\n", id)
	}
	for _, id := range b.OpenHandoversWithoutDeadline {
		fmt.Fprintf(out, "no deadline:   handover %s\n", id)
	}
	if b.Holds {
		fmt.Fprintln(out, "the balance holds")
	} else {
		fmt.Fprintln(out, "THE BALANCE DOES NOT HOLD")
	}
}

func ledgerAudit(c *client) *cobra.Command {
	var of, through string
	cmd := &cobra.Command{Use: "audit --message ID | --handover ID", Short: "Who did what about one message or one handover", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := listAll[api.Audited](cmd.Context(), c, "/ledger/audit", url.Values{"message": {of}, "handover": {through}})
			if err != nil {
				return err
			}
			return c.print(cmd, v, func(out io.Writer) { printAudit(out, v.Items) })
		}}
	cmd.Flags().StringVar(&of, "message", "", "the message, by its id here")
	cmd.Flags().StringVar(&through, "handover", "", "the handover")
	return cmd
}

func printAudit(out io.Writer, lines []api.Audited) {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, l := range lines {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", l.At.Local().Format(time.DateTime), l.Action, l.Outcome, l.Detail,
			strings.TrimSpace(string(l.Party)+" "+l.Person))
	}
	w.Flush()
}

func ledgerUnheard(c *client) *cobra.Command {
	return &cobra.Command{Use: "unheard", Short: "List the messages that were applied and whose content reached nobody, and why", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := listAll[api.UnheardMessage](cmd.Context(), c, "/ledger/unheard", url.Values{})
			if err != nil {
				return err
			}
			return c.print(cmd, v, func(out io.Writer) { printUnheard(out, v.Items) })
		}}
}

func printUnheard(out io.Writer, list []api.UnheardMessage) {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, m := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s %s\t%s\n", m.ReceivedAt.Local().Format(time.DateTime), m.ID, m.Sender, m.Wire, m.Type, m.Why)
	}
	w.Flush()
	fmt.Fprintln(out, counted(len(list), "message", "messages"), "heard by nobody")
}

func ledgerReindex(c *client) *cobra.Command {
	return &cobra.Command{Use: "reindex", Short: "Compute the search rows of every resource anew", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var v api.Reindexed
			if err := c.call(cmd.Context(), "POST", "/ledger/reindex", nil, &v); err != nil {
				return err
			}
			return c.print(cmd, v, func(out io.Writer) { fmt.Fprintf(out, "%d resources indexed\n", v.Resources) })
		}}
}
