package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"stafett/api"
	"stafett/gateway/desk"
	"stafett/handover"
)

func parkedCommand() *cobra.Command {
	c := &client{}
	cmd := group("parked", "What waits for a named person, and what to do about it", parkedList(c), parkedHistory(c), parkedShow(c),
		parkedVerb(c, "reprocess ID", "Take a parked message through intake again", "messages", nil),
		parkedVerb(c, "reroute ID PARTY", "Take a parked message through intake again with this receiver", "messages",
			func(arg string) api.Operation { return api.Operation{To: handover.PartyID(arg)} }),
		parkedVerb(c, "corrected ID", "Say that a parked message is about the patient of the handover that it refers to", "messages", nil),
		parkedVerb(c, "another-stay ID", "Say that a parked message is about another stay than the one that it refers to", "messages", nil),
		parkedVerb(c, "resend ID", "Send a parked delivery again", "deliveries", nil),
		parkedReceipt(c), parkedClose(c))
	c.flags(cmd)
	return cmd
}

// parkedLists are both lists of what waits for a named person.
type parkedLists struct {
	Messages   api.List[api.ParkedMessage]  `json:"messages"`
	Deliveries api.List[api.ParkedDelivery] `json:"deliveries"`
}

func (v parkedLists) counted() string {
	return counted(len(v.Messages.Items), "message", "messages") + " and " + counted(len(v.Deliveries.Items), "delivery", "deliveries")
}

// parkedLists reads both lists to their ends.
func (c *client) parkedLists(ctx context.Context, ended string) (v parkedLists, err error) {
	q := func() url.Values { return url.Values{"ended": {ended}} }
	if v.Messages, err = listAll[api.ParkedMessage](ctx, c, "/parked/messages", q()); err != nil {
		return v, err
	}
	v.Deliveries, err = listAll[api.ParkedDelivery](ctx, c, "/parked/deliveries", q())
	return v, err
}

func parkedList(c *client) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List all parked messages and deliveries", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := c.parkedLists(cmd.Context(), "false")
			if err != nil {
				return err
			}
			return c.print(cmd, v, func(out io.Writer) { printParked(out, v) })
		}}
}

func printParked(out io.Writer, v parkedLists) {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, m := range v.Messages.Items {
		fmt.Fprintf(w, "message\t%s\t%s\t%s\t%s\t%s\tuntil %s\n", m.ID, m.Sender, m.Type, m.Reason, m.Contact, m.Deadline.Local().Format(time.DateTime))
	}
	for _, d := range v.Deliveries.Items {
		fmt.Fprintf(w, "delivery\t%s\tto %s\t%s\t%s\t%s\tuntil %s\n", d.ID, d.Receiver, d.Type, d.Error, d.Contact, d.Deadline.Local().Format(time.DateTime))
	}
	w.Flush()
	if len(v.Messages.Items)+len(v.Deliveries.Items) == 0 {
		fmt.Fprintln(out, "nothing is parked")
		return
	}
	fmt.Fprintln(out, v.counted(), "parked")
}

func parkedHistory(c *client) *cobra.Command {
	return &cobra.Command{Use: "history", Short: "List all that was parked and that a named person ended: how, who and when", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := c.parkedLists(cmd.Context(), "true")
			if err != nil {
				return err
			}
			return c.print(cmd, v, func(out io.Writer) { printEnded(out, v) })
		}}
}

func printEnded(out io.Writer, v parkedLists) {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, m := range v.Messages.Items {
		fmt.Fprintf(w, "message\t%s\t%s\t%s\t%s\t%s\n", m.ID, m.Sender, m.Type, m.Reason, m.Ended)
	}
	for _, d := range v.Deliveries.Items {
		fmt.Fprintf(w, "delivery\t%s\tto %s\t%s\t%s\t%s\n", d.ID, d.Receiver, d.Type, d.State, d.Ended)
	}
	w.Flush()
	fmt.Fprintln(out, v.counted(), "ended by a person")
}

func parkedShow(c *client) *cobra.Command {
	cmd := ledgerMessage(c)
	cmd.Use, cmd.Short = "show ID", "What happened to a parked message"
	return cmd
}

// parkedVerb is a command that posts to /parked/<what>/ID/<verb>.
func parkedVerb(c *client, use, short, what string, in func(arg string) api.Operation) *cobra.Command {
	args := 1
	if in != nil {
		args = 2
	}
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(args)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var o api.Operation
		if in != nil {
			o = in(args[1])
		}
		return c.operate(cmd, what, args[0], cmd.Name(), o)
	}
	return cmd
}

// operate does one thing about something parked and prints what became of it.
func (c *client) operate(cmd *cobra.Command, what, id, verb string, o api.Operation) error {
	var v map[string]any
	if err := c.call(cmd.Context(), "POST", "/parked/"+what+"/"+escaped(id)+"/"+verb, o, &v); err != nil {
		return err
	}
	return c.print(cmd, v, func(out io.Writer) { fmt.Fprintf(out, "%s: now %v\n", id, v["state"]) })
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
			return c.operate(cmd, what, args[0], "close", api.Operation{Why: why})
		}}
	cmd.Flags().StringVar(&why, "why", "", "the reason, for the record")
	cmd.Flags().BoolVar(&delivery, "delivery", false, "the id is a delivery's")
	return cmd
}

func parkedReceipt(c *client) *cobra.Command {
	var o api.Operation
	cmd := &cobra.Command{Use: "receipt ID --why REASON", Short: "End a parked KITH message with its receiver's receipt, as a person of the receiver", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.operate(cmd, "messages", args[0], "receipt", o)
		}}
	cmd.Flags().StringVar(&o.Why, "why", "", "the reason, for the record, and for the sender of a refused message")
	cmd.Flags().BoolVar(&o.Negative, "negative", false, "refuse the message")
	return cmd
}

func handoverCommand() *cobra.Command {
	c := &client{}
	cmd := group("handover", "Handovers: who holds them, and the answers that a person reads", handoverList(c), handoverAnswer(c))
	c.flags(cmd)
	return cmd
}

func handoverList(c *client) *cobra.Command {
	var all, attention bool
	cmd := &cobra.Command{Use: "list", Short: "List open handovers", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := url.Values{"open": {strconv.FormatBool(!all)}, "attention": {strconv.FormatBool(attention)}}
			v, err := listAll[desk.HandoverView](cmd.Context(), c, "/handovers", q)
			if err != nil {
				return err
			}
			return c.print(cmd, v, func(out io.Writer) { printHandovers(out, v.Items) })
		}}
	cmd.Flags().BoolVar(&all, "all", false, "ended ones too")
	cmd.Flags().BoolVar(&attention, "attention", false, "only those that somebody must look at")
	return cmd
}

func printHandovers(out io.Writer, list []desk.HandoverView) {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, h := range list {
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
	w.Flush()
	fmt.Fprintln(out, counted(len(list), "handover", "handovers"))
}

func handoverAnswer(c *client) *cobra.Command {
	var b api.Answer
	var next string
	cmd := &cobra.Command{Use: "answer ID EVENT", Short: "Record as a named person what a party says: accepted, deferred, declined, next-named …", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			b.Event, b.Next = handover.EventName(args[1]), nextOf(next)
			var v desk.HandoverView
			if err := c.call(cmd.Context(), "POST", "/handovers/"+escaped(args[0])+"/answer", b, &v); err != nil {
				return err
			}
			return c.print(cmd, v, func(out io.Writer) { fmt.Fprintf(out, "%s: now %s, held by %s\n", v.ID, v.State, v.Custodian) })
		}}
	cmd.Flags().StringVar(&b.Day, "day", "", "the promised day, YYYY-MM-DD")
	cmd.Flags().StringVar((*string)(&b.For), "for", "", "the party whose answer it is; when not given the receiver, of next-named the sender")
	cmd.Flags().StringVar(&next, "next", "", "what follows: a handover, or why none does ("+reasonsForNone()+")")
	return cmd
}

// nextOf reads what follows: a reason why nothing does, else a handover.
func nextOf(s string) handover.Next {
	if r := handover.NoneReason(s); slices.Contains(handover.NoneReasons(), r) {
		return handover.Next{None: r}
	}
	return handover.Next{Handover: handover.ID(s)}
}

func reasonsForNone() string {
	var out []string
	for _, r := range handover.NoneReasons() {
		out = append(out, string(r))
	}
	return strings.Join(out, ", ")
}
