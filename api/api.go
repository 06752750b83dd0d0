// Package api is the HTTP API of integrators and operators beside FHIR: what happened to a
// message, a dry run, which handovers are open, what waits for a named person and what that
// person does about it, and whether the record and the event streams are whole.
//
// One style everywhere: JSON with camelCase names, times in RFC 3339, absent instead of
// empty; ids and codes, never content. A list is a [List]. A failed call is a [Problem],
// made in problem.go from one table over all fault kinds; guard.go answers in the same way
// where no route was reached.
//
// The other files are the routes by what they are about: message.go, handover.go, parked.go,
// record.go (the ledger) and stream.go (events). list.go cuts lists into pages.
package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"

	"stafett/access"
	"stafett/gateway/desk"
	"stafett/handover"
	"stafett/ledger"
)

// Options are what the API asks.
type Options struct {
	Desk    Desk
	Index   Index
	Record  ledger.Auditor
	Streams Streams
	// Callers tells who calls.
	Callers access.Authenticator
	// MessageBytes is the largest message that a dry run takes.
	MessageBytes int64
}

// Desk shows what the caller may see, and records what a named person does. What the caller
// may not do is a fault of kind forbidden or not-found.
type Desk interface {
	Inspect(ctx context.Context, c access.Caller, id string) (desk.MessageView, error)
	DryRun(ctx context.Context, from handover.Wire, raw []byte, to handover.Wire, toType string) (desk.Translation, error)
	Handovers(ctx context.Context, c access.Caller, f ledger.HandoverFilter) (ledger.Listing[desk.HandoverView], error)
	// ParkedMessages and ParkedDeliveries are pages behind after, which is opaque.
	ParkedMessages(ctx context.Context, c access.Caller, limit int, after string) (ledger.Listing[ledger.Message], error)
	ParkedDeliveries(ctx context.Context, c access.Caller, limit int, after string) (ledger.Listing[ledger.Delivery], error)
	// ResolvedMessages and ResolvedDeliveries are pages of what a named person ended, Unheard
	// of the applied messages whose content reached nobody.
	ResolvedMessages(ctx context.Context, c access.Caller, limit int, after string) (ledger.Listing[ledger.Message], error)
	ResolvedDeliveries(ctx context.Context, c access.Caller, limit int, after string) (ledger.Listing[ledger.Delivery], error)
	Unheard(ctx context.Context, c access.Caller, limit int, after string) (ledger.Listing[ledger.Message], error)
	Reprocess(ctx context.Context, c access.Caller, id handover.MessageID) (ledger.Message, error)
	Rule(ctx context.Context, c access.Caller, id handover.MessageID, v desk.Verdict) (ledger.Message, error)
	Reroute(ctx context.Context, c access.Caller, id handover.MessageID, to handover.PartyID) (ledger.Message, error)
	CloseMessage(ctx context.Context, c access.Caller, id handover.MessageID, why string) error
	ReceiptMessage(ctx context.Context, c access.Caller, id handover.MessageID, positive bool, why string) error
	Resend(ctx context.Context, c access.Caller, id handover.DeliveryID) (ledger.Delivery, error)
	CloseDelivery(ctx context.Context, c access.Caller, id handover.DeliveryID, why string) error
	RecordAnswer(ctx context.Context, c access.Caller, in desk.Answer) (handover.Handover, error)
}

// Index is what searches read.
type Index interface {
	// Reindex computes every search row anew and returns the number of resources.
	Reindex(ctx context.Context) (int, error)
}

// Streams compares the published events with the ledger.
type Streams interface {
	// Compare walks a party's stream, or with no party all events, from a ledger sequence on.
	// A party that is not known is a fault of kind invalid.
	Compare(ctx context.Context, party handover.PartyID, from int64) (StreamVerification, error)
}

type api struct{ Options }

// Mount puts the routes below r.
func Mount(r gin.IRouter, o Options) {
	a := &api{o}
	r = r.Group("/", a.authenticate)
	r.GET("/messages/:id", a.message)
	r.POST("/translate", a.translate)
	r.GET("/handovers", a.handovers)
	r.POST("/handovers/:id/answer", a.answer)
	r.GET("/parked/messages", a.parkedMessages)
	r.GET("/parked/deliveries", a.parkedDeliveries)
	r.POST("/parked/messages/:id/:verb", a.onMessage)
	r.POST("/parked/deliveries/:id/:verb", a.onDelivery)
	r.GET("/ledger/unheard", a.unheard)
	r.GET("/events/verify", a.verifyEvents)

	// The whole record is for named persons who work for no single party.
	r = r.Group("/", operatorsOfTheWhole)
	r.GET("/ledger/balance", a.balance)
	r.POST("/ledger/verify", a.verify)
	r.GET("/ledger/checkpoint", a.checkpoint)
	r.GET("/ledger/audit", a.audit)
	r.POST("/ledger/reindex", a.reindex)
}

const keyCaller = "caller"

func (a *api) authenticate(c *gin.Context) {
	caller, err := a.Callers.Authenticate(c, access.Bearer(c.GetHeader("Authorization")))
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

func operatorsOfTheWhole(c *gin.Context) {
	if caller := callerOf(c); !caller.IsOperator() || caller.Party != "" {
		fail(c, &handover.Fault{Kind: handover.FaultForbidden, Op: "api", Text: "named persons of the gateway's operator only"})
	}
}

func reply(c *gin.Context, v any, err error) {
	if err != nil {
		fail(c, err)
		return
	}
	c.JSON(http.StatusOK, v)
}

// bodyMax bounds what a call takes as JSON.
const bodyMax = 64 << 10

// body reads the JSON of a call into v; an absent body leaves v as it is. A key that the call
// does not have is a mistake: what was meant by it would not be done.
func body(c *gin.Context, v any) bool {
	raw, err := whole(c, bodyMax)
	if err != nil {
		fail(c, err)
		return false
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return true
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if d.Decode(v) != nil || d.Decode(&struct{}{}) != io.EOF {
		fail(c, &handover.Fault{Kind: handover.FaultMalformed, Op: "api", Text: "the body is not the JSON that this call takes"})
		return false
	}
	return true
}

// whole reads the body of a call of at most limit bytes. It is read to its end before anything
// is made of it, so that its size is what is told of one that is too large.
func whole(c *gin.Context, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, limit))
	var over *http.MaxBytesError
	switch {
	case err == nil:
		return raw, nil
	case errors.As(err, &over):
		return nil, &handover.Fault{Kind: handover.FaultTooLarge, Op: "api", Text: "the body is over the limit"}
	}
	return nil, &handover.Fault{Kind: handover.FaultTemporary, Op: "api", Text: "the body did not arrive whole and in time", Err: err}
}
