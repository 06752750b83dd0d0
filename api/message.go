package api

import (
	"errors"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"

	"stafett/handover"
)

func (a *api) message(c *gin.Context) {
	v, err := a.Desk.Inspect(c, callerOf(c), c.Param("id"))
	reply(c, v, err)
}

// translate is a dry run: POST the message; ?from= and ?to= name wires, ?type= the
// message type to make. Nothing is stored.
func (a *api) translate(c *gin.Context) {
	raw, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, a.MessageBytes))
	if err != nil {
		fail(c, unread(err))
		return
	}
	v, err := a.Desk.DryRun(c, handover.Wire(c.Query("from")), raw, handover.Wire(c.Query("to")), c.Query("type"))
	reply(c, v, err)
}

// unread is the fault of a message that did not come in whole.
func unread(err error) error {
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return &handover.Fault{Kind: handover.FaultTooLarge, Op: "api", Text: "the message is over the limit"}
	}
	return &handover.Fault{Kind: handover.FaultMalformed, Op: "api", Text: "the message broke off", Err: err}
}
