package api

import (
	"strconv"

	"github.com/gin-gonic/gin"

	"stafett/handover"
	"stafett/ledger"
)

// List is every list of this API. A list is never cut off without saying so: while there is
// more, Next is what the call takes as after to go on.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"` // opaque
	Total int    `json:"total"`          // in the whole list
}

// pageDefault and pageMax are how many items a page has when limit does not say, and at most.
const (
	pageDefault = 100
	pageMax     = 1000
)

// page is what a caller asks of a list: limit and after in the query.
type page struct {
	limit int
	after string
}

func pageOf(c *gin.Context) (page, error) {
	p := page{limit: pageDefault, after: c.Query("after")}
	if s := c.Query("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > pageMax {
			return p, &handover.Fault{Kind: handover.FaultInvalid, Op: "api", Path: "limit", Text: "a number from 1 to " + strconv.Itoa(pageMax)}
		}
		p.limit = n
	}
	return p, nil
}

// flagOf reads a query parameter that is true or false; false when it is absent. It has
// answered when it is not ok.
func flagOf(c *gin.Context, name string) (value, ok bool) {
	value, err := strconv.ParseBool(c.DefaultQuery(name, "false"))
	if err != nil {
		fail(c, &handover.Fault{Kind: handover.FaultInvalid, Op: "api", Path: name, Text: "true or false"})
	}
	return value, err == nil
}

// replyPage answers with the page that the caller asks for of a list of the desk's, each of
// its items told as a V.
func replyPage[T, V any](c *gin.Context, told func(T) V, list func(p page) (ledger.Listing[T], error)) {
	p, err := pageOf(c)
	if err != nil {
		fail(c, err)
		return
	}
	l, err := list(p)
	out := List[V]{Items: make([]V, len(l.Items)), Next: l.Next, Total: l.Total}
	for i, item := range l.Items {
		out.Items[i] = told(item)
	}
	reply(c, out, err)
}
