package api

import (
	"context"
	"time"

	"github.com/gin-gonic/gin"

	"stafett/access"
	"stafett/gateway/desk"
	"stafett/handover"
	"stafett/ledger"
)

// ParkedMessage is one message that waits for a named person, or that one ended.
type ParkedMessage struct {
	ID         handover.MessageID `json:"id"`
	Sender     handover.PartyID   `json:"sender,omitempty"`
	Wire       handover.Wire      `json:"wire"`
	Type       string             `json:"type,omitempty"`
	ReceivedAt time.Time          `json:"receivedAt"`
	Reason     handover.FaultKind `json:"reason"`
	Detail     string             `json:"detail,omitempty"`
	Contact    string             `json:"contact,omitempty"`
	Deadline   time.Time          `json:"deadline,omitzero"`
	Ended      Ended              `json:"ended,omitzero"`
}

// ParkedDelivery is one outgoing message that waits for a named person, or that one ended.
type ParkedDelivery struct {
	ID       handover.DeliveryID  `json:"id"`
	Receiver handover.PartyID     `json:"receiver"`
	Type     string               `json:"type"`
	State    ledger.DeliveryState `json:"state"`
	Error    string               `json:"error,omitempty"`
	Message  handover.MessageID   `json:"message,omitempty"`
	Handover handover.ID          `json:"handover,omitempty"`
	Contact  string               `json:"contact,omitempty"`
	Deadline time.Time            `json:"deadline,omitzero"`
	Ended    Ended                `json:"ended,omitzero"`
}

// Ended is how a named person ended what was parked.
type Ended struct {
	How    string    `json:"how,omitempty"`
	Person string    `json:"person,omitempty"`
	At     time.Time `json:"at,omitzero"`
}

// String is the end in words, for a person.
func (e Ended) String() string {
	said := e.How
	if e.Person != "" {
		said += ", by " + e.Person
	}
	if !e.At.IsZero() {
		said += ", " + e.At.Local().Format(time.DateTime)
	}
	return said
}

func parkedMessage(m ledger.Message) ParkedMessage {
	return ParkedMessage{m.ID, m.Sender, m.Wire, m.Type, m.ReceivedAt, m.Reason, m.Detail, m.Contact, m.Deadline,
		Ended{m.Resolution, m.Person, m.ResolvedAt}}
}

func parkedDelivery(d ledger.Delivery) ParkedDelivery {
	return ParkedDelivery{d.ID, d.Receiver, d.Type, d.State, d.Error, d.Message, d.Handover, d.Contact, d.Deadline,
		Ended{d.Resolution, d.Person, d.EndedAt}}
}

// parkedMessages lists those that wait, the oldest first, or with ?ended=true those that a
// named person ended, the newest first.
func (a *api) parkedMessages(c *gin.Context) {
	list := a.Desk.ParkedMessages
	if ended, ok := flagOf(c, "ended"); !ok {
		return
	} else if ended {
		list = a.Desk.ResolvedMessages
	}
	replyPage(c, parkedMessage, func(p page) (ledger.Listing[ledger.Message], error) { return list(c, callerOf(c), p.limit, p.after) })
}

// parkedDeliveries is parkedMessages for deliveries.
func (a *api) parkedDeliveries(c *gin.Context) {
	list := a.Desk.ParkedDeliveries
	if ended, ok := flagOf(c, "ended"); !ok {
		return
	} else if ended {
		list = a.Desk.ResolvedDeliveries
	}
	replyPage(c, parkedDelivery, func(p page) (ledger.Listing[ledger.Delivery], error) { return list(c, callerOf(c), p.limit, p.after) })
}

// Operation is the body of what a named person does about something parked.
type Operation struct {
	// Why is the reason to close it, for the record.
	Why string `json:"why,omitempty"`
	// To is the party to reroute it to.
	To handover.PartyID `json:"to,omitempty"`
	// Negative makes the receipt that a person of the receiver gives a negative one.
	Negative bool `json:"negative,omitempty"`
}

// messageVerbs is what a named person can do about a parked message.
var messageVerbs = map[string]func(ctx context.Context, d Desk, c access.Caller, id handover.MessageID, o Operation) error{
	"reprocess": func(ctx context.Context, d Desk, c access.Caller, id handover.MessageID, _ Operation) error {
		_, err := d.Reprocess(ctx, c, id)
		return err
	},
	"reroute": func(ctx context.Context, d Desk, c access.Caller, id handover.MessageID, o Operation) error {
		_, err := d.Reroute(ctx, c, id, o.To)
		return err
	},
	string(desk.VerdictCorrected): func(ctx context.Context, d Desk, c access.Caller, id handover.MessageID, _ Operation) error {
		_, err := d.Rule(ctx, c, id, desk.VerdictCorrected)
		return err
	},
	string(desk.VerdictAnotherStay): func(ctx context.Context, d Desk, c access.Caller, id handover.MessageID, _ Operation) error {
		_, err := d.Rule(ctx, c, id, desk.VerdictAnotherStay)
		return err
	},
	"receipt": func(ctx context.Context, d Desk, c access.Caller, id handover.MessageID, o Operation) error {
		return d.ReceiptMessage(ctx, c, id, !o.Negative, o.Why)
	},
	"close": func(ctx context.Context, d Desk, c access.Caller, id handover.MessageID, o Operation) error {
		return d.CloseMessage(ctx, c, id, o.Why)
	},
}

// onMessage does what the verb says and answers with what became of the message.
func (a *api) onMessage(c *gin.Context) {
	var o Operation
	if !body(c, &o) {
		return
	}
	do, ok := messageVerbs[c.Param("verb")]
	if !ok {
		fail(c, noVerb("reprocess, reroute, corrected, another-stay, receipt or close"))
		return
	}
	if err := do(c, a.Desk, callerOf(c), handover.MessageID(c.Param("id")), o); err != nil {
		fail(c, err)
		return
	}
	a.message(c)
}

func noVerb(verbs string) error {
	return &handover.Fault{Kind: handover.FaultNotFound, Op: "api", Text: "the verbs are " + verbs}
}

// OperatedDelivery is a delivery after a named person's act. A delivery that was refused is
// sent again under another id.
type OperatedDelivery struct {
	ID          handover.DeliveryID  `json:"id"`
	State       ledger.DeliveryState `json:"state"`
	NextAttempt time.Time            `json:"nextAttempt,omitzero"`
}

func (a *api) onDelivery(c *gin.Context) {
	var o Operation
	if !body(c, &o) {
		return
	}
	id, caller := handover.DeliveryID(c.Param("id")), callerOf(c)
	switch c.Param("verb") {
	case "resend":
		d, err := a.Desk.Resend(c, caller, id)
		reply(c, OperatedDelivery{ID: d.ID, State: d.State, NextAttempt: d.NextAttempt}, err)
	case "close":
		err := a.Desk.CloseDelivery(c, caller, id, o.Why)
		reply(c, OperatedDelivery{ID: id, State: ledger.DeliveryClosed}, err)
	default:
		fail(c, noVerb("resend or close"))
	}
}
