package rest

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"stafett/fhir"
	"stafett/handover"
)

// body reads the request's body within the limits of one body and of all together. What
// it takes from the latter is given back when the request has been answered.
func (r *request) body(limit int) ([]byte, error) {
	const op = "rest.body"
	want := r.ContentLength
	if want > int64(limit) {
		return nil, tooLarge(op, nil)
	}
	if want < 0 {
		want = int64(limit) // chunked: how much is not known before it is there
	}
	if !r.api.InFlight.TryAcquire(want) {
		return nil, &handover.Fault{Kind: handover.FaultOverload, Op: op}
	}
	r.release = append(r.release, func() { r.api.InFlight.Release(want) })
	raw, err := io.ReadAll(http.MaxBytesReader(r.c.Writer, r.Body, int64(limit)))
	if err == nil {
		return raw, nil
	}
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return nil, tooLarge(op, err)
	}
	return nil, &handover.Fault{Kind: handover.FaultTemporary, Op: op, Text: "the body did not arrive whole and in time", Err: err}
}

func tooLarge(op string, err error) error {
	return &handover.Fault{Kind: handover.FaultTooLarge, Op: op, Text: "the body is larger than what is taken", Err: err}
}

// resource parses a body as one resource.
func (a *api) resource(raw []byte) (*fhir.Node, error) {
	const op = "rest.resource"
	n, err := fhir.Parse(raw, a.Limits)
	var p *fhir.ParseError
	switch {
	case errors.As(err, &p):
		kind := handover.FaultMalformed
		if p.TooLarge {
			kind = handover.FaultTooLarge
		}
		return nil, &handover.Fault{Kind: kind, Op: op, Text: p.Text, Path: shownPath(p.Path), Line: p.Line, Column: p.Column}
	case err != nil:
		return nil, &handover.Fault{Kind: handover.FaultMalformed, Op: op, Text: "not JSON", Err: err}
	case n.Kind != fhir.KindObject || n.ResourceType() == "":
		return nil, &handover.Fault{Kind: handover.FaultMalformed, Op: op, Text: "a resource with its resourceType is expected", Line: n.Line, Column: n.Column}
	}
	return n, nil
}

// shownPath leaves out a path that holds a long run of digits in a name: no element of
// FHIR's does, but a sender can put a number there, and paths are logged.
func shownPath(path string) string {
	run, inIndex := 0, false
	for i := range len(path) {
		switch c := path[i]; {
		case c == '[' || c == ']':
			run, inIndex = 0, c == '['
		case c >= '0' && c <= '9' && !inIndex:
			if run++; run > 4 {
				return ""
			}
		default:
			run = 0
		}
	}
	return path
}

// identity is the id by which a repeated write is known: that of the Bundle, which
// outlives a proxy that numbers requests anew, else X-Request-Id.
func (r *request) identity(bundle *fhir.Node) (string, error) {
	id := r.Header.Get("X-Request-Id")
	path := "X-Request-Id"
	if v := bundle.Str("identifier", "value"); v != "" {
		id, path = v, "Bundle.identifier"
		if s := bundle.Str("identifier", "system"); s != "" {
			id = s + "|" + v
		}
	}
	if id == "" {
		return "", nil
	}
	echo := path == "X-Request-Id"
	const op = "rest.identity"
	if len(id) > 256 || strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", &handover.Fault{Kind: handover.FaultBadMessageID, Op: op, Path: path, Text: "up to 256 visible ASCII characters identify a request"}
	}
	if holdsNationalNumber(id) {
		return "", &handover.Fault{Kind: handover.FaultBadMessageID, Op: op, Path: path, Text: "an id must not hold a national number"}
	}
	if echo {
		r.c.Writer.Header().Set("X-Request-Id", id)
	}
	return id, nil
}

// holdsNationalNumber reports whether id holds eleven digits in a row, no more, that are
// a fødselsnummer, D-number or the like by their check digits. Ids are logged and become
// part of events, so a caller must not put a person's number there. An identifier that is
// a UUID is passed by: there such digits are chance.
func holdsNationalNumber(id string) bool {
	if isUUID(strings.TrimPrefix(id, "urn:uuid:")) {
		return false
	}
	for start := 0; start < len(id); {
		end := start
		for end < len(id) && id[end] >= '0' && id[end] <= '9' {
			end++
		}
		if end-start == 11 && checkDigits(id[start:end]) {
			return true
		}
		start = end + 1
	}
	return false
}

// checkDigits verifies the two check digits that all Norwegian eleven-digit personal
// numbers have (HIS 1001:2010 section 4.1).
func checkDigits(n string) bool {
	rest := func(weights ...int) int {
		sum := 0
		for i, w := range weights {
			sum += w * int(n[i]-'0')
		}
		return (11 - sum%11) % 11
	}
	return rest(3, 7, 6, 1, 8, 9, 4, 5, 2) == int(n[9]-'0') && rest(5, 4, 3, 2, 7, 6, 5, 4, 3, 2) == int(n[10]-'0')
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}
