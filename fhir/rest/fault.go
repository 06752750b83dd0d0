package rest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"stafett/conformance"
	"stafett/fhir"
	"stafett/handover"
)

// verdict is how a fault is told over HTTP: the status, and the issue type of
// http://hl7.org/fhir/issue-type.
type verdict struct {
	status int
	code   string
}

// verdicts is the one table from faults to FHIR answers (R4 3.1.0.1.9 and each
// interaction's status codes).
var verdicts = map[handover.FaultKind]verdict{
	handover.FaultTemporary:           {http.StatusServiceUnavailable, "transient"},
	handover.FaultOverload:            {http.StatusTooManyRequests, "throttled"},
	handover.FaultTooLarge:            {http.StatusRequestEntityTooLarge, "too-long"},
	handover.FaultMalformed:           {http.StatusBadRequest, "structure"},
	handover.FaultUnsupported:         {http.StatusBadRequest, "not-supported"},
	handover.FaultInvalid:             {http.StatusUnprocessableEntity, "invalid"},
	handover.FaultBadMessageID:        {http.StatusBadRequest, "value"},
	handover.FaultPatientUnidentified: {http.StatusUnprocessableEntity, "business-rule"},
	handover.FaultSenderUnknown:       {http.StatusForbidden, "forbidden"},
	handover.FaultReceiverUnknown:     {http.StatusUnprocessableEntity, "not-found"},
	handover.FaultServiceUnknown:      {http.StatusUnprocessableEntity, "not-found"},
	handover.FaultNoRoute:             {http.StatusUnprocessableEntity, "business-rule"},
	handover.FaultUnauthenticated:     {http.StatusUnauthorized, "login"},
	handover.FaultForbidden:           {http.StatusForbidden, "forbidden"},
	handover.FaultNotFound:            {http.StatusNotFound, "not-found"},
	handover.FaultGone:                {http.StatusGone, "deleted"},
	handover.FaultConflict:            {http.StatusConflict, "conflict"},
	handover.FaultPrecondition:        {http.StatusPreconditionFailed, "conflict"},
	handover.FaultIllegal:             {http.StatusUnprocessableEntity, "business-rule"},
	handover.FaultUnmapped:            {http.StatusUnprocessableEntity, "not-supported"},
	handover.FaultAmbiguous:           {http.StatusUnprocessableEntity, "multiple-matches"},
	handover.FaultUnknown:             {http.StatusServiceUnavailable, "transient"},
}

// Status returns the HTTP status and the issue type by which kind is told; a kind that
// has none is told as unknown.
func Status(kind handover.FaultKind) (status int, issueCode string) {
	v, ok := verdicts[kind]
	if !ok {
		v = verdicts[handover.FaultUnknown]
	}
	return v.status, v.code
}

// wireError is a fault whose answer HTTP or FHIR fixes more closely than its kind does.
type wireError struct {
	verdict
	*handover.Fault
	header http.Header
	// issues tell the caller more than the fault, which is what is logged.
	issues []fhir.Issue
}

// Unwrap returns the fault, not its cause.
func (e *wireError) Unwrap() error { return e.Fault }

func wireFault(status int, code string, kind handover.FaultKind, text, path string) error {
	return &wireError{verdict: verdict{status, code}, Fault: &handover.Fault{Kind: kind, Op: "rest", Text: text, Path: path}}
}

// texts are what a caller is told when a fault says nothing itself, or must not.
var texts = map[handover.FaultKind]string{
	handover.FaultTemporary:       "This could not be done now; nothing was stored. Try again.",
	handover.FaultOverload:        "The gateway is at its limit; nothing was stored. Try again later.",
	handover.FaultUnauthenticated: "A valid bearer token is needed.",
	handover.FaultNotFound:        "No such resource.",
	handover.FaultGone:            "The resource was deleted.",
	handover.FaultConflict:        "The resource was changed in the meantime.",
	handover.FaultUnknown:         "This could not be done now. Try again, and quote the correlation id if it persists.",
}

// verdictOf returns how err is answered, with the fault in it.
func verdictOf(err error) (verdict, *handover.Fault) {
	f := handover.FaultOf(err)
	var w *wireError
	if errors.As(err, &w) {
		return w.verdict, f
	}
	status, code := Status(f.Kind)
	return verdict{status, code}, f
}

// outcomeOf tells err to the caller as an OperationOutcome.
func outcomeOf(err error, correlation handover.CorrelationID) *fhir.Node {
	var w *wireError
	if errors.As(err, &w) && len(w.issues) > 0 {
		return issues(fhir.OperationOutcome(w.issues...), correlation)
	}
	var invalid *conformance.Error
	if errors.As(err, &invalid) {
		return fhir.OperationOutcome(deviations(err, invalid.Issues, correlation)...)
	}
	return fhir.OperationOutcome(issueOf(err, correlation))
}

// deviationsMax is how many deviations of one write are told.
const deviationsMax = 20

// deviations tells each deviation from R4 as an issue like that of err, whose fault is the first.
func deviations(err error, all []conformance.Issue, correlation handover.CorrelationID) []fhir.Issue {
	out := []fhir.Issue{issueOf(err, correlation)}
	for _, d := range all[min(1, len(all)):min(deviationsMax, len(all))] {
		issue := d.Outcome()
		issue.Code = out[0].Code
		if d.Line > 0 {
			issue.Diagnostics = fmt.Sprintf("line %d, column %d", d.Line, d.Column)
		}
		out = append(out, issue)
	}
	return out
}

// issues adds the correlation id to an outcome.
func issues(o *fhir.Node, correlation handover.CorrelationID) *fhir.Node {
	o = o.Clone()
	o.Append("issue", fhir.Obj("severity", "information", "code", "informational",
		"diagnostics", "correlation id "+string(correlation)))
	return o
}

// issueOf tells err to the caller. The detail of an unknown error is withheld: it may
// hold anything.
func issueOf(err error, correlation handover.CorrelationID) fhir.Issue {
	v, f := verdictOf(err)
	issue := fhir.Issue{Severity: "error", Code: v.code, Details: f.Text}
	if f.Kind == handover.FaultUnknown || f.Text == "" {
		issue.Details = texts[f.Kind]
	}
	if issue.Details == "" {
		issue.Details = string(f.Kind)
	}
	var more []string
	if f.Kind != handover.FaultUnknown {
		if f.Path != "" {
			issue.Expression = []string{f.Path}
		}
		if f.Line > 0 {
			more = append(more, fmt.Sprintf("line %d, column %d", f.Line, f.Column))
		}
	}
	if f.Kind == handover.FaultIllegal {
		more = append(more, allowedEvents(f.Allowed))
	}
	if correlation != "" {
		more = append(more, "correlation id "+string(correlation))
	}
	issue.Diagnostics = strings.Join(more, "; ")
	return issue
}

func allowedEvents(events []handover.EventName) string {
	if len(events) == 0 {
		return "no event is allowed now"
	}
	names := make([]string, len(events))
	for i, e := range events {
		names[i] = string(e)
	}
	return "allowed events: " + strings.Join(names, ", ")
}

// hidden shows what is forbidden as not found, so that a reader cannot tell what exists.
func hidden(err error) error {
	if handover.FaultOf(err).Kind == handover.FaultForbidden {
		return &handover.Fault{Kind: handover.FaultNotFound, Op: "rest", Err: err}
	}
	if f := handover.FaultOf(err); f.Kind == handover.FaultNotFound {
		// One text for both, whatever the Reader says.
		return &handover.Fault{Kind: handover.FaultNotFound, Op: f.Op, Err: f.Err}
	}
	return err
}
