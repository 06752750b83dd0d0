package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"stafett/handover"
)

// Problem is the answer when a call fails, as application/problem+json (RFC 9457).
type Problem struct {
	// Type is urn:stafett:fault: and the kind.
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail says what is wrong this time.
	Detail string             `json:"detail,omitempty"`
	Kind   handover.FaultKind `json:"kind"`
	// Path is the parameter or element at fault.
	Path string `json:"path,omitempty"`
	// Allowed lists the events that would have been legal.
	Allowed []handover.EventName `json:"allowed,omitempty"`
	// Correlation stands also in the log.
	Correlation handover.CorrelationID `json:"correlation"`
}

// ProblemType is the media type of a failed call's answer.
const ProblemType = "application/problem+json"

// CorrelationHeader carries a problem's correlation id too.
const CorrelationHeader = "X-Correlation-ID"

// answers is the one table from fault kinds to this API's answers.
var answers = map[handover.FaultKind]struct {
	status int
	title  string
}{
	handover.FaultTemporary:           {http.StatusServiceUnavailable, "not possible now"},
	handover.FaultOverload:            {http.StatusTooManyRequests, "too much at once"},
	handover.FaultTooLarge:            {http.StatusRequestEntityTooLarge, "too large"},
	handover.FaultMalformed:           {http.StatusBadRequest, "not readable"},
	handover.FaultUnsupported:         {http.StatusUnprocessableEntity, "not supported"},
	handover.FaultInvalid:             {http.StatusUnprocessableEntity, "not valid"},
	handover.FaultBadMessageID:        {http.StatusUnprocessableEntity, "no usable message id"},
	handover.FaultPatientUnidentified: {http.StatusUnprocessableEntity, "patient not sufficiently identified"},
	handover.FaultSenderUnknown:       {http.StatusForbidden, "sender unknown"},
	handover.FaultReceiverUnknown:     {http.StatusUnprocessableEntity, "receiver unknown"},
	handover.FaultServiceUnknown:      {http.StatusUnprocessableEntity, "service unknown"},
	handover.FaultNoRoute:             {http.StatusUnprocessableEntity, "no route to a receiver"},
	handover.FaultUnauthenticated:     {http.StatusUnauthorized, "caller unknown"},
	handover.FaultForbidden:           {http.StatusForbidden, "not for this caller"},
	handover.FaultNotFound:            {http.StatusNotFound, "not found"},
	handover.FaultGone:                {http.StatusGone, "deleted"},
	handover.FaultConflict:            {http.StatusConflict, "in conflict with the present state"},
	handover.FaultPrecondition:        {http.StatusPreconditionFailed, "precondition failed"},
	handover.FaultIllegal:             {http.StatusUnprocessableEntity, "event not allowed in this state"},
	handover.FaultUnmapped:            {http.StatusUnprocessableEntity, "no mapping"},
	handover.FaultAmbiguous:           {http.StatusUnprocessableEntity, "more than one could be meant"},
	handover.FaultUnknown:             {http.StatusServiceUnavailable, "not possible now"},
}

// problemOf tells err to the caller. An unknown error is temporary outward and its detail
// is withheld, because it may hold anything.
func problemOf(err error) Problem {
	f := handover.FaultOf(err)
	if _, listed := answers[f.Kind]; !listed || f.Kind == handover.FaultUnknown {
		f = &handover.Fault{Kind: handover.FaultTemporary, Text: "try again later"}
	}
	a := answers[f.Kind]
	return Problem{Type: "urn:stafett:fault:" + string(f.Kind), Title: a.title, Status: a.status, Detail: f.Text, Kind: f.Kind,
		Path: f.Path, Allowed: f.Allowed, Correlation: handover.CorrelationID(uuid.NewString())}
}

// fail answers with err. The error is left in the context with its correlation id, for who
// writes the log.
func fail(c *gin.Context, err error) { failAs(c, problemOf(err), err) }

func failAs(c *gin.Context, p Problem, err error) {
	_ = c.Error(err).SetMeta(p.Correlation)
	c.Header("Content-Type", ProblemType)
	c.Header(CorrelationHeader, string(p.Correlation))
	c.AbortWithStatusJSON(p.Status, p)
}

// Nowhere is the fault of a path that nothing is served at.
func Nowhere() error {
	return &handover.Fault{Kind: handover.FaultNotFound, Op: "api.NotFound", Text: "nothing is served here"}
}

// NotFound answers a path that nothing is served at.
func NotFound(c *gin.Context) { fail(c, Nowhere()) }

// MethodNotAllowed answers a method that a path does not take; the engine has set Allow.
func MethodNotAllowed(c *gin.Context) {
	allow := strings.Split(c.Writer.Header().Get("Allow"), ", ")
	slices.Sort(allow)
	err := &handover.Fault{Kind: handover.FaultUnsupported, Op: "api.MethodNotAllowed", Text: "the methods here are " + strings.Join(allow, ", ")}
	p := problemOf(err)
	p.Status, p.Title = http.StatusMethodNotAllowed, "method not allowed"
	failAs(c, p, err)
}

// String is the problem in words, for a person.
func (p Problem) String() string {
	said := p.Title
	if p.Detail != "" {
		said += ": " + p.Detail
	}
	if p.Path != "" {
		said += " at " + p.Path
	}
	said += " (" + string(p.Kind) + ", correlation " + string(p.Correlation) + ")"
	if len(p.Allowed) > 0 {
		events := make([]string, len(p.Allowed))
		for i, e := range p.Allowed {
			events[i] = string(e)
		}
		said += "; allowed now: " + strings.Join(events, ", ")
	}
	return said
}
