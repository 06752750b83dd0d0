package gateway_test

import (
	"errors"
	"net/http"
	"testing"

	"stafett/conformance"
	"stafett/fhir"
	"stafett/handover"
)

// created is a create of one resource, alone or in a transaction.
func created(mode fhir.WriteMode, n *fhir.Node) fhir.Write {
	return fhir.Write{Mode: mode, Raw: n.JSON(), Entries: []fhir.WriteEntry{{Method: http.MethodPost, Type: n.ResourceType(), Resource: n}}}
}

// TestAuthor_NobodyRecordsForAnother: an identifier of another party is no author's own, also
// beside a reference to what the caller wrote (invariant 11).
func TestAuthor_NobodyRecordsForAnother(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	target := `{"resourceType":"Provenance","recorded":"2026-03-02T08:00:00Z","target":[{"reference":"ServiceRequest/` + r.request + `"}],"agent":[{"who":`
	for _, c := range []struct {
		who  string
		kind handover.FaultKind
	}{
		{`{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80002"}}`, ""},
		{`{"reference":"Patient/` + r.patient + `"}`, ""},
		{`{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80301"}}`, handover.FaultForbidden},
		{`{"reference":"Patient/` + r.patient + `","identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80301"}}`, handover.FaultForbidden},
		{`{"display":"Institusjonen"}`, handover.FaultForbidden},
	} {
		for _, mode := range []fhir.WriteMode{fhir.WriteSingle, fhir.WriteBatch, fhir.WriteTransaction} {
			result, err := b.g.FHIR.Write(t.Context(), asKommune, created(mode, parse(t, target+c.who+`}]}`)))
			if mode == fhir.WriteBatch && err == nil {
				err = result.Entries[0].Fault
			}
			if (err == nil) != (c.kind == "") || err != nil && handover.FaultOf(err).Kind != c.kind {
				t.Errorf("%s %s: %v, want %q", mode, c.who, err, c.kind)
			}
		}
	}
}

// TestWrite_NamesEveryDeviation: a sender mends all of a resource at once.
func TestWrite_NamesEveryDeviation(t *testing.T) {
	b := newBench(t)
	_, err := b.g.FHIR.Write(t.Context(), asKommune, created(fhir.WriteTransaction, parse(t, `{"resourceType":"Task"}`)))
	var all *conformance.Error
	if !errors.As(err, &all) || len(all.Issues) != 2 || all.Issues[1].Path != "Bundle.entry[0].resource: Task.intent" {
		t.Errorf("%v: %+v", err, all)
	}
}

// TestAuthor_NobodySpeaksForAnotherParty: neither in a Communication nor in a request.
func TestAuthor_NobodySpeaksForAnotherParty(t *testing.T) {
	b := newBench(t)
	identified := func(her string) string {
		return `"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"` + her + `"}`
	}
	own := b.mustPost(asKommune, `{"resourceType":"Organization","name":"Vi",`+identified("80002")[:13]+`[`+identified("80002")[13:]+`]}`)
	another := b.mustPost(asKommune, `{"resourceType":"Organization","name":"De",`+identified("80003")[:13]+`[`+identified("80003")[13:]+`]}`)
	named := b.mustPost(asKommune, `{"resourceType":"Organization","name":"Solbakken rehabilitering"}`)
	role := b.mustPost(asKommune, `{"resourceType":"PractitionerRole","organization":{"reference":"Organization/`+another+`"}}`)
	contained := `"contained":[{"resourceType":"Organization","id":"o","name":"De",` + identified("80003")[:13] + `[` + identified("80003")[13:] + `]}],`
	for name, refused := range map[string]bool{
		`{` + identified("80002") + `}`:                                       false,
		`{` + identified("80003") + `}`:                                       true,
		`{"display":"Kari Nordmann"}`:                                         false,
		`{"display":"Solbakken rehabilitering"}`:                              true,
		`{` + identified("80002") + `,"display":"solbakken rehabilitering "}`: true,
		`{"reference":"Organization/` + own + `"}`:                            false,
		`{"reference":"Organization/` + another + `"}`:                        true,
		`{"reference":"Organization/` + named + `"}`:                          true,
		`{"reference":"PractitionerRole/` + role + `"}`:                       true,
		`{"reference":"#o"}`:                                                  true,
	} {
		for _, text := range []string{
			`{"resourceType":"Communication",` + contained + `"status":"completed","sender":` + name + `}`,
			`{"resourceType":"ServiceRequest",` + contained + `"status":"active","intent":"order","subject":{"display":"x"},"requester":` + name + `}`,
			`{"resourceType":"Condition",` + contained + `"subject":{"display":"x"},"note":[{"text":"x","authorReference":` + name + `},{"text":"y","authorString":"Kari"}]}`,
		} {
			if _, err := b.post(asKommune, text); (err != nil) != refused {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
