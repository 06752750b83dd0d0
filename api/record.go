package api

import (
	"context"
	"time"

	"github.com/gin-gonic/gin"

	"stafett/handover"
	"stafett/ledger"
)

// Balance accounts for every message that was received.
type Balance struct {
	Received  int64 `json:"received"`
	Delivered int64 `json:"delivered"`
	Applied   int64 `json:"applied"`
	Repeated  int64 `json:"repeated"`
	Refused   int64 `json:"refused"`
	Parked    int64 `json:"parked"`
	Closed    int64 `json:"closed"`
	Moving    int64 `json:"moving"`
	// Holds says that the sum is right and neither of the lists has anything.
	Holds bool `json:"holds"`
	// Unaccounted are messages without a next step, which break invariant 2.
	Unaccounted []handover.MessageID `json:"unaccounted,omitempty"`
	// OpenHandoversWithoutDeadline break invariant 4.
	OpenHandoversWithoutDeadline []handover.ID `json:"openHandoversWithoutDeadline,omitempty"`
}

// BalanceOf is the ledger's balance as it is told.
func BalanceOf(b ledger.Balance) Balance {
	return Balance{Received: b.Received, Delivered: b.Delivered, Applied: b.Applied, Repeated: b.Repeated, Refused: b.Refused,
		Parked: b.Parked, Closed: b.Closed, Moving: b.Moving, Holds: b.Holds(), Unaccounted: b.Unaccounted, OpenHandoversWithoutDeadline: b.OpenHandoversWithoutDeadline}
}

func (a *api) balance(c *gin.Context) {
	b, err := a.Record.Balance(c)
	reply(c, BalanceOf(b), err)
}

// Verification is the outcome of walking the chain and every row that it covers.
type Verification struct {
	Entries int64 `json:"entries"`
	Events  int64 `json:"events"`
	// Erased rows lost their content by law; their digests still chain.
	Erased int64           `json:"erased"`
	Head   handover.Digest `json:"head"`
	// Whole is true when there is no finding.
	Whole   bool     `json:"whole"`
	Finding *Finding `json:"finding,omitempty"`
}

// Finding is the first place where the record is not whole.
type Finding struct {
	Entry int64 `json:"entry"`
	// Problem is removed, reordered, changed or cut-off.
	Problem string `json:"problem"`
	Detail  string `json:"detail,omitempty"`
}

// VerificationOf is the ledger's verification as it is told.
func VerificationOf(v ledger.Verification) Verification {
	out := Verification{Entries: v.Entries, Events: v.Events, Erased: v.Erased, Head: v.Head, Whole: v.Finding == nil}
	if f := v.Finding; f != nil {
		out.Finding = &Finding{Entry: f.Entry, Problem: f.Problem, Detail: f.Detail}
	}
	return out
}

// verify takes a checkpoint that was kept outside as its body, or none.
func (a *api) verify(c *gin.Context) {
	var against ledger.Checkpoint
	if !body(c, &against) {
		return
	}
	cp := &against
	switch {
	case against == ledger.Checkpoint{}:
		cp = nil
	case against.Head == "":
		fail(c, &handover.Fault{Kind: handover.FaultInvalid, Op: "api", Path: "head", Text: "a checkpoint has the head that it was kept for"})
		return
	}
	v, err := a.Record.Verify(c, cp)
	reply(c, VerificationOf(v), err)
}

func (a *api) checkpoint(c *gin.Context) {
	v, err := a.Record.Head(c)
	reply(c, v, err)
}

// Audited is one line of the record: who did what, and what came of it.
type Audited struct {
	At          time.Time              `json:"at"`
	Action      ledger.AuditAction     `json:"action"`
	Party       handover.PartyID       `json:"party,omitempty"`
	Person      string                 `json:"person,omitempty"`
	Message     handover.MessageID     `json:"message,omitempty"`
	Handover    handover.ID            `json:"handover,omitempty"`
	Delivery    handover.DeliveryID    `json:"delivery,omitempty"`
	Resource    string                 `json:"resource,omitempty"`
	Outcome     string                 `json:"outcome,omitempty"`
	Detail      string                 `json:"detail,omitempty"`
	Correlation handover.CorrelationID `json:"correlation,omitempty"`
}

// audit lists the record's lines, oldest first, of one ?message= (our id or its sender's) or
// one ?handover=. What no line names is not found: an empty list would say that nobody did
// anything.
func (a *api) audit(c *gin.Context) {
	f := ledger.AuditFilter{Message: handover.MessageID(c.Query("message")), Handover: handover.ID(c.Query("handover"))}
	if (f.Message == "") == (f.Handover == "") {
		fail(c, &handover.Fault{Kind: handover.FaultInvalid, Op: "api", Path: "message", Text: "name one message or one handover"})
		return
	}
	if f.Message != "" {
		m, err := a.Desk.Inspect(c, callerOf(c), string(f.Message))
		if err != nil {
			fail(c, err)
			return
		}
		f.Message = m.ID
	}
	told := func(l ledger.Audit) Audited { return Audited(l) }
	replyPage(c, told, func(p page) (ledger.Listing[ledger.Audit], error) {
		f.Limit, f.After = p.limit, p.after
		l, err := a.Record.AuditOf(c, f)
		if err == nil && l.Total == 0 {
			err = &handover.Fault{Kind: handover.FaultNotFound, Op: "api", Text: "no line of the record names it"}
		}
		return l, err
	})
}

// UnheardMessage is an applied message whose content reached nobody.
type UnheardMessage struct {
	ID         handover.MessageID `json:"id"`
	Sender     handover.PartyID   `json:"sender,omitempty"`
	Wire       handover.Wire      `json:"wire"`
	Type       string             `json:"type,omitempty"`
	ReceivedAt time.Time          `json:"receivedAt"`
	Handover   handover.ID        `json:"handover,omitempty"`
	// Why is a code of a closed list.
	Why string `json:"why"`
}

// unheard lists them for named persons, the oldest first.
func (a *api) unheard(c *gin.Context) {
	told := func(m ledger.Message) UnheardMessage {
		return UnheardMessage{m.ID, m.Sender, m.Wire, m.Type, m.ReceivedAt, m.Handover, m.Unheard}
	}
	replyPage(c, told, func(p page) (ledger.Listing[ledger.Message], error) {
		return a.Desk.Unheard(c, callerOf(c), p.limit, p.after)
	})
}

// Reindexed is what computing the search rows anew has gone through.
type Reindexed struct {
	Resources int `json:"resources"`
}

// reindex goes on when its caller goes away: a half is no use.
func (a *api) reindex(c *gin.Context) {
	n, err := a.Index.Reindex(context.WithoutCancel(c))
	reply(c, Reindexed{n}, err)
}
