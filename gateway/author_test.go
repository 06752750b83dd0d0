package gateway_test

import (
	"errors"
	"net/http"
	"testing"

	"stafett/access"
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

// TestAuthor_NobodySpeaksForAnotherParty: wherever a resource says who speaks in it, and however that
// leads to another party or to the gateway (invariant 11).
func TestAuthor_NobodySpeaksForAnotherParty(t *testing.T) {
	b := newBench(t)
	identified := func(her string) string {
		return `"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"` + her + `"}`
	}
	listed := func(system, her string) string {
		return `"identifier":[{"system":"` + system + `","value":"` + her + `"}]`
	}
	const her = "urn:oid:2.16.578.1.12.4.1.2"
	post := func(text string) string {
		n := parse(t, text)
		return n.ResourceType() + "/" + b.mustPost(asKommune, text)
	}
	own := post(`{"resourceType":"Organization","name":"Vi",` + listed(her, "80002") + `}`)
	another := post(`{"resourceType":"Organization","name":"De",` + listed(her, "80003") + `}`)
	contained := `"contained":[{"resourceType":"Organization","id":"o","name":"De",` + listed(her, "80003") + `}],`
	who := map[string]bool{
		`{` + identified("80002") + `}`:                                            false,
		`{` + identified("80003") + `}`:                                            true,
		`{"identifier":{"system":"URN:OID:2.16.578.1.12.4.1.2","value":"80 003"}}`: true,
		`{"identifier":{"system":"2.16.578.1.12.4.1.2","value":"80003"}}`:          true,
		`{"identifier":{"value":"80003"}}`:                                         true,
		`{"identifier":{"system":"urn:dalvik:ansatt","value":"80003"}}`:            false,
		`{"display":"Kari Nordmann"}`:                                              false,
		`{"display":"Kari Nordmann, Dalvik kommune"}`:                              false,
		`{"display":"Solbakken rehabilitering"}`:                                   true,
		`{"display":"Solbakken  Rehabilitering, inntak"}`:                          true,
		`{"display":"Lege Kari ved Solbakken rehabilitering"}`:                     true,
		`{"display":"Solbakken\u200b rehabi\u00adlitering"}`:                       true,
		`{"display":"Solbakken"}`:                                                  false,
		`{"display":"Stafett"}`:                                                    true,
		`{` + identified("80009") + `}`:                                            true,
		`{` + identified("80002") + `,"display":"solbakken rehabilitering "}`:      true,
		`{"reference":"` + own + `"}`:                                              false,
		`{"reference":"` + another + `"}`:                                          true,
		`{"reference":"#o"}`:                                                       true,
		`{"reference":"` + post(`{"resourceType":"Organization","name":"Solbakken rehabilitering"}`) + `"}`:                    true,
		`{"reference":"` + post(`{"resourceType":"Organization","name":"Bakken","alias":["Solbakken rehabilitering"]}`) + `"}`: true,
		`{"reference":"` + post(`{"resourceType":"Organization","name":"Inntak","partOf":{"reference":"`+another+`"}}`) + `"}`: true,
		`{"reference":"` + post(`{"resourceType":"Organization","name":"Inntak","partOf":{"reference":"`+own+`"}}`) + `"}`:     false,
		`{"reference":"` + post(`{"resourceType":"PractitionerRole","organization":{"reference":"`+another+`"}}`) + `"}`:       true,
		`{"reference":"` + post(`{"resourceType":"HealthcareService","providedBy":{"reference":"`+another+`"}}`) + `"}`:        true,
		`{"reference":"` + post(`{"resourceType":"Practitioner","name":[{"family":"Solbakken rehabilitering"}]}`) + `"}`:       true,
		`{"reference":"` + post(`{"resourceType":"Practitioner",`+listed(her, "80301")+`}`) + `"}`:                             true,
		`{"reference":"` + post(`{"resourceType":"Practitioner","name":[{"family":"Nordmann","given":["Kari"]}]}`) + `"}`:      false,
	}
	for name, refused := range who {
		for _, text := range []string{
			`{"resourceType":"Communication",` + contained + `"status":"completed","sender":` + name + `}`,
			`{"resourceType":"ServiceRequest",` + contained + `"status":"active","intent":"order","subject":{"display":"x"},"requester":` + name + `}`,
			`{"resourceType":"CommunicationRequest",` + contained + `"status":"active","requester":` + name + `}`,
			`{"resourceType":"CarePlan",` + contained + `"status":"active","intent":"plan","subject":{"display":"x"},"author":` + name + `}`,
			`{"resourceType":"DocumentReference",` + contained + `"status":"current","content":[{"attachment":{"title":"x"}}],"author":[{"display":"Kari"},` + name + `]}`,
			`{"resourceType":"QuestionnaireResponse",` + contained + `"status":"completed","author":` + name + `}`,
			`{"resourceType":"Condition",` + contained + `"subject":{"display":"x"},"note":[{"text":"x","authorReference":` + name + `},{"text":"y","authorString":"Kari"}]}`,
		} {
			if _, err := b.post(asKommune, text); (err != nil) != refused {
				t.Errorf("%s in %s: %v", name, parse(t, text).ResourceType(), err)
			}
		}
	}
	b.balanced()
}

// TestAuthor_WhoHasSpokenStaysWhoItIs: what was said by one's own organisation is not turned into
// another's words afterwards; another party is described as it is.
func TestAuthor_WhoHasSpokenStaysWhoItIs(t *testing.T) {
	b := newBench(t)
	own := b.mustPost(asKommune, `{"resourceType":"Organization","name":"Vi"}`)
	for element, value := range map[string]*fhir.Node{
		"name":       fhir.Str("Solbakken rehabilitering"),
		"identifier": fhir.Arr(fhir.Identifier(fhir.SystemHER, "80003")),
		"partOf":     fhir.LogicalRef("Organization", fhir.SystemHER, "80003", ""),
	} {
		n := b.mustRead(asKommune, "Organization", own)
		n.Set(element, value)
		_, err := b.g.FHIR.Write(t.Context(), asKommune, putWrite(n))
		isFault(t, err, handover.FaultForbidden)
	}
	n := b.mustRead(asKommune, "Organization", own)
	n.Set("name", fhir.Str("Tildelingskontoret, Dalvik kommune"))
	b.mustPut(asKommune, n)
	other := b.mustPost(asKommune, `{"resourceType":"Organization","name":"Solbakken rehabilitering"}`)
	n = b.mustRead(asKommune, "Organization", other)
	n.Set("identifier", fhir.Arr(fhir.Identifier(fhir.SystemHER, "80003")))
	b.mustPut(asKommune, n)
	agent := `{"resourceType":"Provenance","recorded":"2026-03-02T08:00:00Z","target":[{"reference":"Organization/` + own + `"}],"agent":[{"who":{"reference":"Organization/`
	if _, err := b.post(asKommune, agent+other+`"}}]}`); err == nil {
		t.Error("an agent by an organisation that bears another party's number is taken")
	}
	b.mustPost(asKommune, agent+own+`"}}]}`)
	for _, system := range []string{"urn:stafett:x", "URN:STAFETT:x", " urn:Stafett:x"} {
		if _, err := b.post(asKommune, `{"resourceType":"Organization","name":"x","meta":{"tag":[{"system":"`+system+`","code":"y"}]}}`); err == nil {
			t.Errorf("a tag of %q is taken", system)
		}
	}
}

// TestAuthor_NotesOfATaskAreKept: each party adds its own, under its name, and changes none.
func TestAuthor_NotesOfATaskAreKept(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.deliver()
	add := func(text string) func(*fhir.Node) {
		return func(n *fhir.Node) { n.Set("note", fhir.Arr(append(n.Each("note"), fhir.Obj("text", text))...)) }
	}
	b.mustChange(asKommune, r.task, add("Ring pårørende."))
	b.mustChange(asInstitusjon, r.task, add("Ringt."))
	notes := b.mustRead(asKommune, "Task", r.task).Each("note")
	if len(notes) != 2 || notes[0].Str("authorString") != "Dalvik kommune" || notes[1].Str("authorString") != "Solbakken rehabilitering" {
		t.Fatalf("%v", notes)
	}
	for name, change := range map[string]func(*fhir.Node){
		"dropped":     func(n *fhir.Node) { n.Delete("note") },
		"one dropped": func(n *fhir.Node) { n.Get("note").Items = n.Get("note").Items[1:] },
		"rewritten":   func(n *fhir.Node) { n.Get("note").Items[0].Set("text", fhir.Str("Ikke ring.")) },
	} {
		for _, c := range []access.Caller{asInstitusjon, asKommune} {
			if err := b.change(c, r.task, change); err == nil {
				t.Errorf("%s by %s", name, c.Party)
			}
		}
	}
	// A client that keeps its own copy need not know by whom the gateway says that its notes are.
	b.mustChange(asKommune, r.task, func(n *fhir.Node) { n.Get("note").Items[0].Delete("authorString") })
	if notes := b.mustRead(asKommune, "Task", r.task).Each("note"); len(notes) != 2 || notes[0].Str("authorString") != "Dalvik kommune" {
		t.Errorf("%v", notes)
	}
	b.balanced()
}
