package api

import (
	"strconv"

	"github.com/gin-gonic/gin"

	"stafett/access"
	"stafett/handover"
)

// StreamVerification is a comparison of an event stream with the ledger.
type StreamVerification struct {
	// Party is whose stream it is; absent for all events.
	Party handover.PartyID `json:"party,omitempty"`
	// Ledger and Stream are the last sequences, Compared is how many events were equal.
	Ledger   int64 `json:"ledger"`
	Stream   int64 `json:"stream"`
	Compared int64 `json:"compared"`
	// Whole is true when there is no finding.
	Whole   bool           `json:"whole"`
	Finding *StreamFinding `json:"finding,omitempty"`
}

// StreamFinding is the first event where a stream departs from the ledger.
type StreamFinding struct {
	Event   int64  `json:"event"`
	Problem string `json:"problem"`
	Detail  string `json:"detail,omitempty"`
}

// verifyEvents answers for a party that asks for itself, and for operators.
func (a *api) verifyEvents(c *gin.Context) {
	caller, party := callerOf(c), handover.PartyID(c.Query("party"))
	from, err := strconv.ParseInt(c.DefaultQuery("from", "1"), 10, 64)
	if err != nil || from < 1 {
		fail(c, &handover.Fault{Kind: handover.FaultInvalid, Op: "api", Path: "from", Text: "a sequence number from 1"})
		return
	}
	if !mayVerify(caller, party) {
		fail(c, &handover.Fault{Kind: handover.FaultForbidden, Op: "api", Text: "ask for your own party"})
		return
	}
	v, err := a.Streams.Compare(c, party, from)
	v.Party, v.Whole = party, v.Finding == nil
	reply(c, v, err)
}

// mayVerify: who works for a party asks for that party only, an operator of the whole for any.
func mayVerify(c access.Caller, party handover.PartyID) bool {
	if c.Party != "" {
		return c.Party == party
	}
	return c.IsOperator()
}
