package fhirbundle

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"stafett/fhir"
	"stafett/handover"
)

// fault says what a server's answer means for the transaction that was sent; nil for a receipt.
//
// A 4xx ends the attempts, because the same bytes get the same answer, except 408, 425
// and 429, which say "later", 423 (locked), and 409: our writes name no version, so a
// conflict is contention with another write at the receiver and passes. 412 ends them,
// because a condition that the receiver put up does not pass by itself. 5xx, a redirect
// and anything else is temporary.
func fault(status int, reply, sent []byte) error {
	if status >= 200 && status < 300 {
		return unreceipted(status, fhirReply(reply), sent)
	}
	codes, path := outcome(fhirReply(reply))
	return sendFault(kindOf(status), "the receiver answered with HTTP status "+strconv.Itoa(status)+codes, path)
}

func kindOf(status int) handover.FaultKind {
	switch {
	case status == http.StatusUnauthorized:
		return handover.FaultUnauthenticated
	case status == http.StatusForbidden:
		return handover.FaultForbidden
	case status == http.StatusNotFound:
		return handover.FaultNotFound
	case status == http.StatusGone:
		return handover.FaultGone
	case status == http.StatusPreconditionFailed:
		return handover.FaultPrecondition
	case status == http.StatusRequestEntityTooLarge:
		return handover.FaultTooLarge
	case status == http.StatusMethodNotAllowed, status == http.StatusUnsupportedMediaType, status == http.StatusNotAcceptable:
		return handover.FaultUnsupported
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests,
		status == http.StatusLocked, status == http.StatusConflict, status < 400, status > 499:
		return handover.FaultTemporary
	}
	return handover.FaultInvalid
}

// unreceipted says why a 2xx answer is no receipt; nil for a transaction-response with a good
// entry for each one that was sent (R4 http.html#transaction-response). What else answers
// 200, such as a portal's page, has stored nothing that we know of: that may pass.
func unreceipted(status int, n *fhir.Node, sent []byte) error {
	text := "the receiver answered with HTTP status " + strconv.Itoa(status)
	if codes, path := outcome(n); codes != "" {
		return sendFault(handover.FaultInvalid, text+" and an error"+codes, path)
	}
	if n.ResourceType() != "Bundle" {
		return sendFault(handover.FaultTemporary, text+" and no transaction-response", "")
	}
	entries := n.Each("entry")
	for i, entry := range entries {
		if err := entryFailed(i, entry); err != nil {
			return err
		}
	}
	if n.Str("type") != "transaction-response" || len(entries) != len(fhirReply(sent).Each("entry")) {
		return sendFault(handover.FaultTemporary, text+" and a Bundle that answers another transaction", "")
	}
	return nil
}

// entryFailed says why an entry of a transaction-response is not good; nil when it is.
func entryFailed(i int, entry *fhir.Node) error {
	path := "Bundle.entry[" + strconv.Itoa(i) + "]"
	text, _, _ := strings.Cut(entry.Str("response", "status"), " ")
	status, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return sendFault(handover.FaultTemporary, "the receiver answered for one entry without a status", path)
	case status >= 200 && status < 300, status == http.StatusNotModified:
		return nil
	}
	codes, _ := outcome(entry.At("response", "outcome"))
	return sendFault(kindOf(status), "the receiver answered for one entry with status "+strconv.Itoa(status)+codes, path)
}

// fhirReply parses what is sent or answered; nil when it is not JSON.
func fhirReply(reply []byte) *fhir.Node {
	n, err := fhir.Parse(reply, fhir.DefaultLimits())
	if err != nil {
		return nil
	}
	return n
}

// issueTypes are http://hl7.org/fhir/issue-type (R4). Only these are repeated: a server's
// own text may quote what it was sent.
var issueTypes = []string{"invalid", "structure", "required", "value", "invariant", "security", "login", "unknown",
	"expired", "forbidden", "suppressed", "processing", "not-supported", "duplicate", "multiple-matches", "not-found",
	"deleted", "too-long", "code-invalid", "extension", "too-costly", "business-rule", "conflict", "transient",
	"lock-error", "no-store", "exception", "timeout", "incomplete", "throttled", "informational"}

// outcome returns the codes of an OperationOutcome's errors, as " (required, value)", and
// the first element that they name.
func outcome(n *fhir.Node) (codes, path string) {
	if n.ResourceType() != "OperationOutcome" {
		return "", ""
	}
	var found []string
	for _, issue := range n.Each("issue") {
		code := issue.Str("code")
		if s := issue.Str("severity"); s != "error" && s != "fatal" {
			continue
		}
		if !slices.Contains(issueTypes, code) {
			code = "unknown"
		}
		if !slices.Contains(found, code) {
			found = append(found, code)
		}
		if e := issue.Str("expression"); path == "" && isElementPath(e) {
			path = e
		}
	}
	if len(found) == 0 {
		return "", ""
	}
	return " (" + strings.Join(found, ", ") + ")", path
}

// isElementPath tells Task.input[0].value from an expression, which can hold values.
func isElementPath(s string) bool {
	root, rest, _ := strings.Cut(s, ".")
	root, _, indexed := strings.Cut(root, "[")
	if len(s) > 200 || indexed || !fhir.IsStored(root) {
		return false
	}
	for step := range strings.SplitSeq(rest, ".") {
		name, index, indexed := strings.Cut(step, "[")
		if indexed {
			digits, closed := strings.CutSuffix(index, "]")
			if _, err := strconv.ParseUint(digits, 10, 16); err != nil || !closed {
				return false
			}
		}
		if name == "" && rest != "" || name != "" && (name[0] < 'a' || name[0] > 'z') {
			return false
		}
		for _, c := range []byte(name) {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
				return false
			}
		}
	}
	return true
}
