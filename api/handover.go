package api

import (
	"time"

	"github.com/gin-gonic/gin"

	"stafett/gateway/desk"
	"stafett/handover"
	"stafett/ledger"
)

// handovers lists those that the caller takes part in, newest first: ?open=true,
// ?attention=true and ?chain= narrow it.
func (a *api) handovers(c *gin.Context) {
	f := ledger.HandoverFilter{Chain: handover.ChainID(c.Query("chain"))}
	for name, to := range map[string]*bool{"open": &f.OpenOnly, "attention": &f.Attention} {
		var ok bool
		if *to, ok = flagOf(c, name); !ok {
			return
		}
	}
	same := func(h desk.HandoverView) desk.HandoverView { return h }
	replyPage(c, same, func(p page) (ledger.Listing[desk.HandoverView], error) {
		f.Limit, f.After = p.limit, p.after
		return a.Desk.Handovers(c, callerOf(c), f)
	})
}

// Answer is what a named person reads out of a free text: the body of
// POST /handovers/{id}/answer.
type Answer struct {
	Event handover.EventName `json:"event"`
	// Day is the promised one, YYYY-MM-DD.
	Day string `json:"day,omitempty"`
	// For is the party whose answer it is; when absent the receiver, of next-named the sender.
	For handover.PartyID `json:"for,omitempty"`
	// Next is what finished and next-named name: the handover that follows, or why there is none.
	Next      handover.Next            `json:"next,omitzero"`
	Attention handover.AttentionReason `json:"attention,omitempty"`
}

func (a *api) answer(c *gin.Context) {
	var b Answer
	if !body(c, &b) {
		return
	}
	in := desk.Answer{Handover: handover.ID(c.Param("id")), Event: b.Event, For: b.For, Next: b.Next, Attention: b.Attention}
	if b.Day != "" {
		day, err := time.ParseInLocation(time.DateOnly, b.Day, handover.Calendar{}.Location())
		if err != nil {
			fail(c, &handover.Fault{Kind: handover.FaultInvalid, Op: "api", Path: "day", Text: "a day is YYYY-MM-DD"})
			return
		}
		in.Day = day
	}
	h, err := a.Desk.RecordAnswer(c, callerOf(c), in)
	reply(c, desk.ViewOf(h), err)
}
