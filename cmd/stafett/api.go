package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"stafett/access"
	"stafett/gateway"
	"stafett/gateway/desk"
	"stafett/handover"
	"stafett/ledger"
)

// api is what integrators and operators ask over HTTP beside FHIR: what happened to a
// message, a dry run, and what a named person can do about what is parked.
type api struct {
	gateway *gateway.Gateway
	ledger  ledger.Auditor
	auth    access.Authenticator
	limit   int64
}

const keyCaller = "caller"

func (a *api) mount(r gin.IRouter) {
	r = r.Group("/", a.authenticate)
	r.GET("/messages/:id", a.message)
	r.POST("/translate", a.translate)
	r.GET("/handovers", a.handovers)
	r.POST("/handovers/:id/answer", a.answer)
	r.GET("/parked", a.parked)
	r.POST("/parked/messages/:id/:verb", a.onMessage)
	r.POST("/parked/deliveries/:id/:verb", a.onDelivery)
	r.GET("/ledger/balance", a.balance)
	r.POST("/ledger/verify", a.verify)
	r.GET("/ledger/checkpoint", a.checkpoint)
	r.POST("/ledger/reindex", a.reindex)
}

func (a *api) authenticate(c *gin.Context) {
	caller, err := a.auth.Authenticate(c, access.Bearer(c.GetHeader("Authorization")))
	if err != nil {
		c.Header("WWW-Authenticate", `Bearer realm="stafett"`)
		fail(c, err)
		return
	}
	c.Set(keyCaller, caller)
}

func callerOf(c *gin.Context) access.Caller {
	caller, _ := c.Get(keyCaller)
	out, _ := caller.(access.Caller)
	return out
}

// problem is the answer when a call fails (RFC 9457).
type problem struct {
	Title       string               `json:"title"`
	Status      int                  `json:"status"`
	Detail      string               `json:"detail,omitempty"`
	Allowed     []handover.EventName `json:"allowed,omitempty"`
	Correlation string               `json:"correlation"`
}

// statuses is this API's table of fault kinds; an unlisted one is temporary outward.
var statuses = map[handover.FaultKind]int{
	handover.FaultTemporary: http.StatusServiceUnavailable, handover.FaultOverload: http.StatusTooManyRequests,
	handover.FaultTooLarge: http.StatusRequestEntityTooLarge, handover.FaultMalformed: http.StatusBadRequest,
	handover.FaultUnsupported: http.StatusUnprocessableEntity, handover.FaultInvalid: http.StatusUnprocessableEntity,
	handover.FaultBadMessageID: http.StatusUnprocessableEntity, handover.FaultPatientUnidentified: http.StatusUnprocessableEntity,
	handover.FaultSenderUnknown: http.StatusForbidden, handover.FaultReceiverUnknown: http.StatusUnprocessableEntity,
	handover.FaultServiceUnknown: http.StatusUnprocessableEntity, handover.FaultNoRoute: http.StatusUnprocessableEntity,
	handover.FaultUnauthenticated: http.StatusUnauthorized, handover.FaultForbidden: http.StatusForbidden,
	handover.FaultNotFound: http.StatusNotFound, handover.FaultGone: http.StatusGone,
	handover.FaultConflict: http.StatusConflict, handover.FaultPrecondition: http.StatusPreconditionFailed,
	handover.FaultIllegal: http.StatusUnprocessableEntity, handover.FaultUnmapped: http.StatusUnprocessableEntity,
	handover.FaultAmbiguous: http.StatusUnprocessableEntity, handover.FaultUnknown: http.StatusServiceUnavailable,
}

func fail(c *gin.Context, err error) {
	f := handover.FaultOf(err)
	p := problem{Title: string(f.Kind), Status: statuses[f.Kind], Detail: f.Text, Allowed: f.Allowed, Correlation: uuid.NewString()}
	if f.Path != "" {
		p.Detail += " at " + f.Path
	}
	if f.Kind == handover.FaultUnknown {
		p.Title, p.Detail = string(handover.FaultTemporary), "try again later"
	}
	_ = c.Error(err).SetMeta(p.Correlation)
	c.Header("Content-Type", "application/problem+json")
	c.AbortWithStatusJSON(p.Status, p)
}

func (a *api) message(c *gin.Context) {
	v, err := a.gateway.Inspect(c, callerOf(c), c.Param("id"))
	reply(c, v, err)
}

func reply(c *gin.Context, v any, err error) {
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, v)
}

// translate is a dry run: POST the message; ?from= and ?to= name wires, ?type= the
// message type to make. Nothing is stored.
func (a *api) translate(c *gin.Context) {
	raw, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, a.limit))
	if err != nil {
		fail(c, &handover.Fault{Kind: handover.FaultTooLarge, Text: "the message is over the limit"})
		return
	}
	v, err := a.gateway.Translate(c, handover.Wire(c.Query("from")), raw, handover.Wire(c.Query("to")), c.Query("type"))
	reply(c, v, err)
}

func (a *api) handovers(c *gin.Context) {
	f := ledger.HandoverFilter{OpenOnly: c.Query("open") == "true", Attention: c.Query("attention") == "true",
		Chain: handover.ChainID(c.Query("chain")), Limit: 1000}
	v, err := a.gateway.Handovers(c, callerOf(c), f)
	reply(c, v.Items, err)
}

// answerBody is what a named person reads out of a free text.
type answerBody struct {
	Event     handover.EventName       `json:"event"`
	Day       string                   `json:"day,omitempty"` // YYYY-MM-DD
	For       handover.PartyID         `json:"for,omitempty"`
	Next      handover.Next            `json:"next,omitzero"`
	Attention handover.AttentionReason `json:"attention,omitempty"`
}

func (a *api) answer(c *gin.Context) {
	var b answerBody
	if !body(c, &b) {
		return
	}
	in := desk.Answer{Handover: handover.ID(c.Param("id")), Event: b.Event, For: b.For, Next: b.Next, Attention: b.Attention}
	if b.Day != "" {
		day, err := time.ParseInLocation(time.DateOnly, b.Day, handover.Calendar{}.Location())
		if err != nil {
			fail(c, &handover.Fault{Kind: handover.FaultInvalid, Path: "day", Text: "a day is YYYY-MM-DD"})
			return
		}
		in.Day = day
	}
	h, err := a.gateway.RecordAnswer(c, callerOf(c), in)
	reply(c, desk.ViewOf(h), err)
}

func body(c *gin.Context, v any) bool {
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, 64<<10)
	if err := c.ShouldBindJSON(v); err != nil && !errors.Is(err, io.EOF) {
		fail(c, &handover.Fault{Kind: handover.FaultMalformed, Text: "the body is not the JSON that this call takes"})
		return false
	}
	return true
}

// parkedView lists what waits for a named person, without content.
type parkedView struct {
	Messages   []parkedMessage  `json:"messages"`
	Deliveries []parkedDelivery `json:"deliveries"`
}

type parkedMessage struct {
	ID         handover.MessageID `json:"id"`
	Sender     handover.PartyID   `json:"sender,omitempty"`
	Wire       handover.Wire      `json:"wire"`
	Type       string             `json:"type"`
	ReceivedAt time.Time          `json:"receivedAt"`
	Reason     handover.FaultKind `json:"reason"`
	Detail     string             `json:"detail"`
	Contact    string             `json:"contact"`
	Deadline   time.Time          `json:"deadline"`
}

type parkedDelivery struct {
	ID       handover.DeliveryID  `json:"id"`
	Receiver handover.PartyID     `json:"receiver"`
	Type     string               `json:"type"`
	State    ledger.DeliveryState `json:"state"`
	Error    string               `json:"error"`
	Message  handover.MessageID   `json:"message,omitempty"`
	Handover handover.ID          `json:"handover,omitempty"`
	Contact  string               `json:"contact"`
	Deadline time.Time            `json:"deadline"`
}

func (a *api) parked(c *gin.Context) {
	ms, err1 := a.gateway.ParkedMessages(c, callerOf(c), 0, "")
	ds, err2 := a.gateway.ParkedDeliveries(c, callerOf(c), 0, "")
	v := parkedView{Messages: []parkedMessage{}, Deliveries: []parkedDelivery{}}
	for _, m := range ms.Items {
		v.Messages = append(v.Messages, parkedMessage{m.ID, m.Sender, m.Wire, m.Type, m.ReceivedAt, m.Reason, m.Detail, m.Contact, m.Deadline})
	}
	for _, d := range ds.Items {
		v.Deliveries = append(v.Deliveries, parkedDelivery{d.ID, d.Receiver, d.Type, d.State, d.Error, d.Message, d.Handover, d.Contact, d.Deadline})
	}
	reply(c, v, errors.Join(err1, err2))
}

// operation is the body of what a named person does: the reason to close, the party to reroute to.
type operation struct {
	Why string           `json:"why,omitempty"`
	To  handover.PartyID `json:"to,omitempty"`
}

func (a *api) onMessage(c *gin.Context) {
	var o operation
	if !body(c, &o) {
		return
	}
	id, caller := handover.MessageID(c.Param("id")), callerOf(c)
	var err error
	switch c.Param("verb") {
	case "reprocess":
		_, err = a.gateway.Reprocess(c, caller, id)
	case "reroute":
		_, err = a.gateway.Reroute(c, caller, id, o.To)
	case "close":
		err = a.gateway.CloseMessage(c, caller, id, o.Why)
	default:
		err = noVerb("reprocess, reroute or close")
	}
	if err != nil {
		fail(c, err)
		return
	}
	a.message(c)
}

func noVerb(verbs string) error {
	return &handover.Fault{Kind: handover.FaultNotFound, Text: "the verbs are " + verbs}
}

func (a *api) onDelivery(c *gin.Context) {
	var o operation
	if !body(c, &o) {
		return
	}
	id, caller := handover.DeliveryID(c.Param("id")), callerOf(c)
	switch c.Param("verb") {
	case "resend":
		d, err := a.gateway.Resend(c, caller, id)
		reply(c, gin.H{"id": d.ID, "state": d.State, "nextAttempt": d.NextAttempt}, err)
	case "close":
		err := a.gateway.CloseDelivery(c, caller, id, o.Why)
		reply(c, gin.H{"id": id, "state": ledger.DeliveryClosed}, err)
	default:
		fail(c, noVerb("resend or close"))
	}
}

// forOperators: the whole record is for named persons who work for no single party.
func forOperators(c *gin.Context) bool {
	caller := callerOf(c)
	if caller.IsOperator() && caller.Party == "" {
		return true
	}
	fail(c, &handover.Fault{Kind: handover.FaultForbidden, Text: "named persons of the gateway's operator only"})
	return false
}

func (a *api) balance(c *gin.Context) {
	if !forOperators(c) {
		return
	}
	b, err := a.ledger.Balance(c)
	reply(c, balanceView{b, b.Holds()}, err)
}

type balanceView struct {
	ledger.Balance
	Holds bool
}

func (a *api) verify(c *gin.Context) {
	if !forOperators(c) {
		return
	}
	var against ledger.Checkpoint
	if !body(c, &against) {
		return
	}
	cp := &against
	if against.Head == "" {
		cp = nil
	}
	v, err := a.ledger.Verify(c, cp)
	reply(c, v, err)
}

func (a *api) checkpoint(c *gin.Context) {
	if !forOperators(c) {
		return
	}
	v, err := a.ledger.Head(c)
	reply(c, v, err)
}

func (a *api) reindex(c *gin.Context) {
	if !forOperators(c) {
		return
	}
	n, err := a.gateway.FHIR.Reindex(context.WithoutCancel(c))
	reply(c, gin.H{"resources": n}, err)
}
