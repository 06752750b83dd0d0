package rest

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"stafett/conformance"
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
	room := r.api.InFlight.Share()
	if !room.TryGrow(int(want)) {
		return nil, &handover.Fault{Kind: handover.FaultOverload, Op: op}
	}
	r.release = append(r.release, room.Release)
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
		return nil, &handover.Fault{Kind: kind, Op: op, Text: p.Text, Path: conformance.ShownPath(p.Path), Line: p.Line, Column: p.Column}
	case err != nil:
		return nil, &handover.Fault{Kind: handover.FaultMalformed, Op: op, Text: "not JSON", Err: err}
	case n.Kind != fhir.KindObject || n.ResourceType() == "":
		return nil, &handover.Fault{Kind: handover.FaultMalformed, Op: op, Text: "a resource with its resourceType is expected", Line: n.Line, Column: n.Column}
	}
	return n, nil
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
	if fhir.HoldsNationalNumber(id) {
		return "", &handover.Fault{Kind: handover.FaultBadMessageID, Op: op, Path: path, Text: "an id must not hold a national number"}
	}
	if echo {
		r.c.Writer.Header().Set("X-Request-Id", id)
	}
	return id, nil
}
