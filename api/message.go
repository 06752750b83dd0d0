package api

import (
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
	raw, err := whole(c, a.MessageBytes)
	if err != nil {
		fail(c, err)
		return
	}
	v, err := a.Desk.DryRun(c, handover.Wire(c.Query("from")), raw, handover.Wire(c.Query("to")), c.Query("type"))
	reply(c, v, err)
}
