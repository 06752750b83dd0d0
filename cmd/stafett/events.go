package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"stafett/api"
	"stafett/events"
	"stafett/handover"
)

func eventsCommand() *cobra.Command {
	return group("events", "Follow events on NATS, and prove that none is missing", eventsTail(), eventsVerify())
}

func eventsTail() *cobra.Command {
	var (
		connect events.Connect
		party   string
		opts    events.TailOptions
	)
	cmd := &cobra.Command{Use: "tail", Short: "Follow a party's events as any subscriber would, one JSON line each", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			password, err := secret(connect.Password)
			if err != nil {
				return err
			}
			opts.Connect, opts.Party = connect, handover.PartyID(party)
			opts.Connect.Password = password
			if opts.Connect.User == "" {
				opts.Connect.User = party
			}
			out := json.NewEncoder(cmd.OutOrStdout())
			out.SetEscapeHTML(false)
			err = events.Tail(cmd.Context(), opts, func(m events.Msg) error {
				return out.Encode(struct {
					Sequence uint64          `json:"sequence"`
					Ledger   int64           `json:"ledger"`
					Subject  string          `json:"subject"`
					Data     json.RawMessage `json:"data"`
				}{m.Sequence, m.Ledger, m.Subject, m.Data})
			})
			if cmd.Context().Err() != nil {
				return nil
			}
			return err
		}}
	f := cmd.Flags()
	f.StringVar(&connect.URL, "nats", "nats://127.0.0.1:4222", "the NATS server's address")
	f.StringVar(&party, "party", "", "the party whose events to follow")
	f.StringVar(&connect.User, "user", "", "the NATS user; the party when not given")
	f.StringVar(&connect.Password, "password", "", "the NATS password: env:NAME, file:PATH or the password")
	f.StringVar(&connect.CredsFile, "creds", "", "a NATS credentials file")
	f.StringVar(&connect.CAFile, "ca", "", "PEM file of who signed the server's certificate")
	f.Uint64Var(&opts.From, "from", 1, "the first sequence wanted: your last one plus one; 0 for new events only")
	f.StringVar(&opts.Subject, "subject", "", "follow this subject only, as in handover.v1.discharge.ready.>")
	f.BoolVar(&opts.Until, "once", false, "end at the last event there is now")
	_ = cmd.MarkFlagRequired("party")
	return cmd
}

func eventsVerify() *cobra.Command {
	c := &client{}
	var party string
	var from int64
	cmd := &cobra.Command{Use: "verify", Short: "Prove that a party's stream holds every event of the ledger; exit 2 when not", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var v api.StreamVerification
			path := fmt.Sprintf("/events/verify?party=%s&from=%d", escaped(party), from)
			if err := c.call(cmd.Context(), "GET", path, nil, &v); err != nil {
				return err
			}
			if err := c.print(cmd, v, func(out io.Writer) { printStream(out, v, from) }); err != nil {
				return err
			}
			return wholeOr2(v.Whole)
		}}
	c.flags(cmd)
	cmd.Flags().StringVar(&party, "party", "", "the party; all events when not given (operators)")
	cmd.Flags().Int64Var(&from, "from", 1, "the first ledger sequence to compare")
	return cmd
}

func printStream(out io.Writer, v api.StreamVerification, from int64) {
	fmt.Fprintf(out, "compared %d events from %d; ledger at %d, stream at %d\n", v.Compared, from, v.Ledger, v.Stream)
	if f := v.Finding; f != nil {
		fmt.Fprintf(out, "NOT WHOLE: event %d is %s: %s\n", f.Event, f.Problem, f.Detail)
		return
	}
	fmt.Fprintln(out, "none is missing")
}

// Compare holds a party's stream, or all events, against the ledger.
func (a *app) Compare(ctx context.Context, party handover.PartyID, from int64) (api.StreamVerification, error) {
	if _, ok := a.dir.Party(party); party != "" && !ok {
		return api.StreamVerification{}, &handover.Fault{Kind: handover.FaultInvalid, Path: "party", Text: "no such party in the directory"}
	}
	cmp, err := a.compareEvents(ctx, party, from)
	v := api.StreamVerification{Ledger: cmp.Ledger, Stream: cmp.Stream, Compared: cmp.Compared}
	if d := cmp.First; d != nil {
		v.Finding = &api.StreamFinding{Event: d.Sequence, Problem: d.Problem, Detail: d.Detail}
	}
	return v, err
}

func (a *app) compareEvents(ctx context.Context, party handover.PartyID, from int64) (events.Comparison, error) {
	if party == "" {
		return events.Compare(ctx, a.ledger, a.bus, from)
	}
	return events.Verify(ctx, a.ledger, a.bus, party, from)
}
