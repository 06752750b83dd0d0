package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"stafett/gateway/desk"
	"stafett/handover"
)

func parkedCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "parked", Short: "What waits for a named person, and what to do about it"}
	c := &client{}
	c.flags(cmd)
	cmd.AddCommand(parkedList(c), parkedShow(c),
		parkedVerb(c, "reprocess ID", "Take a parked message through intake again", "messages", nil),
		parkedVerb(c, "reroute ID PARTY", "Take a parked message through intake again with this receiver", "messages",
			func(arg string) operation { return operation{To: handover.PartyID(arg)} }),
		parkedVerb(c, "resend ID", "Send a parked delivery again", "deliveries", nil),
		parkedClose(c))
	return cmd
}

func parkedList(c *client) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List parked messages and deliveries", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var v parkedView
			if err := c.call(cmd.Context(), "GET", "/parked", nil, &v); err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			for _, m := range v.Messages {
				fmt.Fprintf(w, "message\t%s\t%s\t%s\t%s\t%s\tuntil %s\n", m.ID, m.Sender, m.Type, m.Reason, m.Contact, m.Deadline.Local().Format(time.DateTime))
			}
			for _, d := range v.Deliveries {
				fmt.Fprintf(w, "delivery\t%s\tto %s\t%s\t%s\t%s\tuntil %s\n", d.ID, d.Receiver, d.Type, d.Error, d.Contact, d.Deadline.Local().Format(time.DateTime))
			}
			w.Flush()
			if len(v.Messages)+len(v.Deliveries) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "nothing is parked")
			}
			return nil
		}}
}

func parkedShow(c *client) *cobra.Command {
	return &cobra.Command{Use: "show ID", Short: "What happened to a parked message", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var v desk.MessageView
			if err := c.call(cmd.Context(), "GET", "/messages/"+escaped(args[0]), nil, &v); err != nil {
				return err
			}
			printMessage(cmd.OutOrStdout(), v)
			return nil
		}}
}

// parkedVerb is a command that posts to /parked/<what>/ID/<verb>.
func parkedVerb(c *client, use, short, what string, in func(arg string) operation) *cobra.Command {
	args := 1
	if in != nil {
		args = 2
	}
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(args)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var o operation
		if in != nil {
			o = in(args[1])
		}
		var v map[string]any
		if err := c.call(cmd.Context(), "POST", "/parked/"+what+"/"+escaped(args[0])+"/"+cmd.Name(), o, &v); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: now %v\n", args[0], v["state"])
		return nil
	}
	return cmd
}

func parkedClose(c *client) *cobra.Command {
	var why string
	var delivery bool
	cmd := &cobra.Command{Use: "close ID --why REASON", Short: "End a parked message (or --delivery) with your reason", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			what := "messages"
			if delivery {
				what = "deliveries"
			}
			var v map[string]any
			if err := c.call(cmd.Context(), "POST", "/parked/"+what+"/"+escaped(args[0])+"/close", operation{Why: why}, &v); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: now %v\n", args[0], v["state"])
			return nil
		}}
	cmd.Flags().StringVar(&why, "why", "", "the reason, for the record")
	cmd.Flags().BoolVar(&delivery, "delivery", false, "the id is a delivery's")
	return cmd
}

func handoverCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "handover", Short: "Handovers: who holds them, and the answers that a person reads"}
	c := &client{}
	c.flags(cmd)
	cmd.AddCommand(handoverList(c), handoverAnswer(c))
	return cmd
}

func handoverList(c *client) *cobra.Command {
	var all, attention bool
	cmd := &cobra.Command{Use: "list", Short: "List open handovers", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var v []desk.HandoverView
			if err := c.call(cmd.Context(), "GET", fmt.Sprintf("/handovers?open=%t&attention=%t", !all, attention), nil, &v); err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			for _, h := range v {
				due := ""
				if !h.Deadline.IsZero() {
					due = "until " + h.Deadline.Local().Format(time.DateTime)
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s -> %s\theld by %s\t%s", h.ID, h.Kind, h.State, h.Sender, h.Receiver, h.Custodian, due)
				for _, a := range h.Attentions {
					fmt.Fprintf(w, "\t! %s", a.Reason)
				}
				fmt.Fprintln(w)
			}
			return w.Flush()
		}}
	cmd.Flags().BoolVar(&all, "all", false, "ended ones too")
	cmd.Flags().BoolVar(&attention, "attention", false, "only those that somebody must look at")
	return cmd
}

func handoverAnswer(c *client) *cobra.Command {
	var b answerBody
	cmd := &cobra.Command{Use: "answer ID EVENT", Short: "Record as a named person what a free-text answer says: accepted, deferred, declined …", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			b.Event = handover.EventName(args[1])
			var v desk.HandoverView
			if err := c.call(cmd.Context(), "POST", "/handovers/"+escaped(args[0])+"/answer", b, &v); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: now %s, held by %s\n", v.ID, v.State, v.Custodian)
			return nil
		}}
	cmd.Flags().StringVar(&b.Day, "day", "", "the promised day, YYYY-MM-DD")
	cmd.Flags().StringVar((*string)(&b.For), "for", "", "the party whose answer it is; the receiver when not given")
	return cmd
}
