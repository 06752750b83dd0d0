package gateway_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
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

const solbakken = `{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80003"}`

// TestAuthor_HoweverAnotherIsSpelled: another party, and the gateway, are known in whatever spelling
// people and systems read as theirs.
func TestAuthor_HoweverAnotherIsSpelled(t *testing.T) {
	b := newBench(t)
	for name, refused := range map[string]bool{
		`{"identifier":{"system":"URN:OID:2.16.578.1.12.4.1.2","value":"80003"}}`:                                               true,
		`{"identifier":{"system":"2.16.578.1.12.4.1.2","value":"80003"}}`:                                                       true,
		`{"identifier":{"system":"http://hl7.no/fhir/namingsystem/HERID/","value":"80003"}}`:                                    true,
		`{"identifier":{"value":"80003"}}`:                                                                                      true,
		`{"identifier":{"value":"80301"}}`:                                                                                      true,
		`{"identifier":{"value":" 8000` + "\u200b" + `3 "}}`:                                                                    true,
		`{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"HER-id 80003"}}`:                                        true,
		`{"identifier":{"system":"urn:ietf:rfc:3986","value":"urn:oid:2.16.578.1.12.4.1.2.80003"}}`:                             true,
		`{"identifier":{"type":{"coding":[{"code":"HER"}]},"system":"urn:x","value":"80003"}}`:                                  true,
		`{"identifier":{"system":"URN:OID:2.16.578.1.12.4.1.2","value":"80009"}}`:                                               true,
		`{"display":"Solbakken rehabilitering, inntak"}`:                                                                        true,
		`{"display":"SOLBAKKEN  REHABILITERING"}`:                                                                               true,
		`{"display":"Sol` + "\u200b" + `bakken` + "\u00a0" + `rehabilitering"}`:                                                 true,
		`{"display":"Solbakken-rehabilitering (inntaksteam)"}`:                                                                  true,
		`{"display":"Solbakkenrehabilitering"}`:                                                                                 true,
		`{"display":"Solbakken rehabiliterings inntak"}`:                                                                        true,
		`{"display":"S` + "\u043e" + `lbakken rehabilitering"}`:                                                                 true,
		`{"display":"` + "\uff33" + `olbakken rehabilitering"}`:                                                                 true,
		`{"display":"Kari Nordmann, Solbakken rehabilitering"}`:                                                                 true,
		`{"display":"fjordgloett-rehabilitering"}`:                                                                              true,
		`{"display":"Stafett"}`:                                                                                                 true,
		`{"display":"STAFETT, varsling"}`:                                                                                       true,
		`{"display":"Kari Stafett"}`:                                                                                            false,
		`{"display":"Kari Solbakken"}`:                                                                                          false,
		`{"display":"Solbakken legekontor"}`:                                                                                    false,
		`{"display":"Dalvik kommune, legevakt"}`:                                                                                false,
		`{"identifier":{"system":"urn:dalvik:ansatt","value":"80003"}}`:                                                         false,
		`{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.4.4","value":"80003"}}`:                                             false,
		`{"identifier":{"value":"80002"}}`:                                                                                      false,
		`{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80201"},"display":"Dalvik kommune, sykepleietjeneste"}`: false,
	} {
		for _, text := range []string{
			`{"resourceType":"Communication","status":"completed","sender":` + name + `}`,
			`{"resourceType":"Condition","subject":{"display":"x"},"note":[{"text":"x","authorReference":` + name + `}]}`,
		} {
			b.says(asKommune, text, refused)
		}
	}
}

// says has a party write what it may or may not say.
func (b *bench) says(c access.Caller, text string, refused bool) {
	b.t.Helper()
	_, err := b.post(c, text)
	if (err != nil) != refused || err != nil && handover.FaultOf(err).Kind != handover.FaultForbidden {
		b.t.Errorf("%s: %v", text, err)
	}
}

// TestAuthor_WhateverLeadsToAnother: a body of the caller's own that is another party's, by whatever
// it says of itself or leads to, speaks for nobody here; to name it otherwise is allowed.
func TestAuthor_WhateverLeadsToAnother(t *testing.T) {
	b := newBench(t)
	organization := func(rest string) string { return b.mustPost(asKommune, `{"resourceType":"Organization",`+rest+`}`) }
	ref := func(typ, id string) string { return `{"reference":"` + typ + `/` + id + `"}` }
	theirs := organization(`"name":"De","identifier":[` + solbakken + `]`)
	part := organization(`"name":"Inntak","partOf":` + ref("Organization", theirs))
	own := organization(`"name":"Legevakten","partOf":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80002"}}`)
	foreign := b.mustPost(asInstitusjon, `{"resourceType":"Organization","name":"Inntaket"}`)
	ofUs := b.mustPost(asInstitusjon, `{"resourceType":"Organization","name":"Dalvik kommune"}`)
	posted := func(text string) string { return ref(parse(t, text).ResourceType(), b.mustPost(asKommune, text)) }
	for name, c := range map[string]struct {
		ref     string
		refused bool
	}{
		"part of another":        {ref("Organization", part), true},
		"part of a part":         {ref("Organization", organization(`"name":"x","partOf":`+ref("Organization", part))), true},
		"part by number":         {ref("Organization", organization(`"name":"x","partOf":{"identifier":`+solbakken+`}`)), true},
		"part by name":           {ref("Organization", organization(`"name":"x","partOf":{"display":"Solbakken rehabilitering"}`)), true},
		"alias":                  {ref("Organization", organization(`"name":"x","alias":["y","Solbakken rehabilitering"]`)), true},
		"the gateway":            {ref("Organization", organization(`"name":"Stafett"`)), true},
		"written by another":     {ref("Organization", foreign), true},
		"a service":              {posted(`{"resourceType":"HealthcareService","providedBy":` + ref("Organization", part) + `}`), true},
		"a service's name":       {posted(`{"resourceType":"HealthcareService","name":"Solbakken rehabilitering"}`), true},
		"a role in a service":    {posted(`{"resourceType":"PractitionerRole","healthcareService":[{"display":"x"},` + posted(`{"resourceType":"HealthcareService","providedBy":{"identifier":`+solbakken+`}}`) + `]}`), true},
		"a person's number":      {posted(`{"resourceType":"Practitioner","identifier":[` + solbakken + `]}`), true},
		"a person's name":        {posted(`{"resourceType":"Practitioner","name":[{"text":"Solbakken rehabilitering"}]}`), true},
		"a person's name, parts": {posted(`{"resourceType":"Practitioner","name":[{"given":["Solbakken"],"family":"Rehabilitering"}]}`), true},
		"a relative's name":      {posted(`{"resourceType":"RelatedPerson","patient":{"display":"x"},"name":[{"text":"Solbakken rehabilitering"}]}`), true},
		"a role of that person":  {posted(`{"resourceType":"PractitionerRole","practitioner":` + posted(`{"resourceType":"Practitioner","identifier":[`+solbakken+`]}`) + `}`), true},
		"by another address":     {`{"reference":"HTTPS://Stafett.test/fhir/Organization/` + theirs + `"}`, true},
		"a version":              {`{"reference":"Organization/` + theirs + `/_history/1"}`, true},

		"own":                     {ref("Organization", own), false},
		"own, written by another": {ref("Organization", ofUs), false},
		"own role":                {posted(`{"resourceType":"PractitionerRole","organization":` + ref("Organization", own) + `,"practitioner":{"display":"Kari Solbakken"}}`), false},
		"own service":             {posted(`{"resourceType":"HealthcareService","name":"Hjemmetjenesten","providedBy":{"display":"Dalvik kommune"}}`), false},
		"a person":                {posted(`{"resourceType":"Practitioner","name":[{"given":["Kari"],"family":"Solbakken"}]}`), false},
		"the patient":             {posted(`{"resourceType":"Patient","managingOrganization":` + ref("Organization", theirs) + `,"generalPractitioner":[` + ref("Organization", theirs) + `]}`), false},
	} {
		t.Log(name)
		b.says(asKommune, `{"resourceType":"Communication","status":"completed","sender":`+c.ref+`}`, c.refused)
	}
	b.says(asKommune, `{"resourceType":"Communication","status":"completed","contained":[{"resourceType":"Organization","id":"o","partOf":{"reference":"#p"}},{"resourceType":"Organization","id":"p","identifier":[`+solbakken+`]}],"sender":{"reference":"#o"}}`, true)
	b.says(asKommune, `{"resourceType":"Communication","status":"completed","recipient":[`+ref("Organization", theirs)+`,{"identifier":`+solbakken+`}]}`, false)
	b.says(asKommune, `{"resourceType":"ServiceRequest","status":"active","intent":"order","subject":{"display":"x"},"performer":[`+ref("Organization", theirs)+`]}`, false)
}

// TestAuthor_WhereverItIsSaid: in every element that says whose words a resource holds.
func TestAuthor_WhereverItIsSaid(t *testing.T) {
	b := newBench(t)
	own := b.mustPost(asKommune, `{"resourceType":"Organization","name":"x","identifier":[`+solbakken+`]}`)
	document := `{"resourceType":"DocumentReference","status":"current","content":[{"attachment":{"title":"x"}}],`
	composition := `{"resourceType":"Composition","status":"final","type":{"text":"x"},"date":"2026-03-02","title":"x",`
	mine := `"author":[{"display":"Kari"}],`
	consent := `{"resourceType":"Consent","status":"active","scope":{"text":"x"},"category":[{"text":"x"}],"patient":{"display":"x"},"policyRule":{"text":"x"},`
	plan := `{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"display":"x"},`
	observation := `{"resourceType":"Observation","status":"final","code":{"text":"x"},`
	answers := `{"resourceType":"QuestionnaireResponse","status":"completed",`
	for _, c := range []struct {
		text    string
		allowed bool
	}{
		{text: `{"resourceType":"CommunicationRequest","status":"active","sender":?}`},
		{text: `{"resourceType":"CommunicationRequest","status":"active","requester":?}`},
		{text: plan + `"author":?}`},
		{text: plan + `"contributor":[{"display":"Kari"},?]}`},
		{text: plan + `"activity":[{"progress":[{"text":"x","authorReference":?}]}]}`},
		{text: document + `"author":[?]}`},
		{text: document + `"authenticator":?}`},
		{text: document + `"custodian":?}`},
		{text: composition + `"author":[?]}`},
		{text: composition + mine + `"custodian":?}`},
		{text: composition + mine + `"attester":[{"mode":"legal","party":?}]}`},
		{text: composition + mine + `"section":[{"title":"x","section":[{"title":"y","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"},"author":[?]}]}]}`},
		{text: answers + `"author":?}`},
		{text: answers + `"source":?}`},
		{text: consent + `"performer":[?]}`},
		{text: consent + `"organization":[?]}`},
		{text: `{"resourceType":"Condition","subject":{"display":"x"},"recorder":?}`},
		{text: `{"resourceType":"MedicationRequest","status":"active","intent":"order","medicationCodeableConcept":{"text":"x"},"subject":{"display":"x"},"requester":?}`},
		{text: observation + `"note":[{"text":"x","authorReference":?}]}`},
		{text: observation + `"contained":[` + document + `"id":"d","author":[?]}],"derivedFrom":[{"reference":"#d"}]}`},
		{text: `{"resourceType":"Provenance","recorded":"2026-03-02T08:00:00Z","target":[{"display":"x"}],"agent":[{"who":?}]}`},
		{text: `{"resourceType":"Provenance","recorded":"2026-03-02T08:00:00Z","target":[{"display":"x"}],"agent":[{"who":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80002"}},"onBehalfOf":?}]}`},
		{text: observation + `"performer":[?]}`, allowed: true},
		{text: document + mine + `"subject":{"display":"x"}}`, allowed: true},
	} {
		for _, who := range []string{`{"identifier":` + solbakken + `}`, `{"reference":"Organization/` + own + `"}`, `{"display":"Solbakken rehabilitering, inntak"}`} {
			b.says(asKommune, strings.ReplaceAll(c.text, "?", who), !c.allowed)
		}
	}
	b.says(asKommune, observation+`"note":[{"text":"x","authorString":"Solbakken rehabilitering, inntak"}]}`, true)
	for _, system := range []string{"URN:STAFETT:mark", "urn:stafett:mark", "Urn:Stafett:mark"} {
		_, err := b.post(asKommune, observation+`"meta":{"tag":[{"system":"`+system+`","code":"x"}]}}`)
		isFault(t, err, handover.FaultInvalid)
	}
}

// TestAuthor_NothingBecomesAnother: what has spoken is not made another party's afterwards; what
// describes another party from the first is kept up to date.
func TestAuthor_NothingBecomesAnother(t *testing.T) {
	b := newBench(t)
	posted := func(text string) *fhir.Node {
		return b.mustRead(asKommune, parse(t, text).ResourceType(), b.mustPost(asKommune, text))
	}
	put := func(n *fhir.Node, rest string) error {
		changed := parse(t, `{"resourceType":"`+n.ResourceType()+`","id":"`+n.ID()+`","meta":{"versionId":"`+n.Str("meta", "versionId")+`"},`+rest+`}`)
		_, err := b.g.FHIR.Write(t.Context(), asKommune, putWrite(changed))
		return err
	}
	theirs := posted(`{"resourceType":"Organization","name":"Solbakken rehabilitering","identifier":[` + solbakken + `]}`)
	own := posted(`{"resourceType":"Organization","name":"Legevakten"}`)
	b.says(asKommune, `{"resourceType":"Communication","status":"completed","sender":{"reference":"Organization/`+own.ID()+`"}}`, false)
	for _, rest := range []string{`"name":"x","identifier":[` + solbakken + `]`, `"name":"Solbakken rehabilitering"`, `"name":"x","alias":["Solbakken rehabilitering"]`,
		`"name":"x","partOf":{"reference":"Organization/` + theirs.ID() + `"}`, `"name":"Stafett"`} {
		isFault(t, put(own, rest), handover.FaultForbidden)
	}
	contained := posted(`{"resourceType":"Communication","status":"completed","contained":[{"resourceType":"Organization","id":"o","name":"x"}],"sender":{"reference":"#o"}}`)
	isFault(t, put(contained, `"status":"completed","contained":[{"resourceType":"Organization","id":"o","name":"Solbakken rehabilitering"}],"sender":{"reference":"#o"}`), handover.FaultForbidden)
	isFault(t, put(posted(`{"resourceType":"HealthcareService","name":"x"}`), `"providedBy":{"reference":"Organization/`+theirs.ID()+`"}`), handover.FaultForbidden)
	isFault(t, put(posted(`{"resourceType":"Practitioner"}`), `"name":[{"text":"Solbakken rehabilitering"}]`), handover.FaultForbidden)
	for n, rest := range map[*fhir.Node]string{own: `"name":"Dalvik kommune, legevakt"`, theirs: `"name":"Solbakken rehabilitering AS","identifier":[` + solbakken + `],"active":true`} {
		if err := put(n, rest); err != nil {
			t.Errorf("%s: %v", rest, err)
		}
	}
}

// TestAuthor_NotesAreKept: neither party of a Task rewrites or drops what was noted in it, and each
// note says whose it is.
func TestAuthor_NotesAreKept(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.deliver()
	add := func(notes ...*fhir.Node) func(*fhir.Node) { return func(n *fhir.Node) { n.Append("note", notes...) } }
	read := func() (out []string) {
		for _, note := range b.mustRead(asKommune, "Task", r.task).Each("note") {
			out = append(out, note.Str("text")+"/"+note.Str("authorString"))
		}
		return out
	}
	b.mustChange(asInstitusjon, r.task, add(fhir.Obj("text", "Trenger rullator.")))
	b.deliver()
	said := b.lastBundle(kommune)
	if note := inBundle(said, "Task", r.task).At("note"); note.Str("authorString") != "Solbakken rehabilitering" {
		t.Errorf("the requester is told %s", note.JSON())
	}
	if words := string(said.JSON()); !strings.Contains(words, "- Merknad: Trenger rullator. (Solbakken rehabilitering) (nytt)") {
		t.Errorf("the words do not say whose the note is: %s", words)
	}
	b.mustChange(asKommune, r.task, add(fhir.Obj("authorString", "Kari Nordmann", "text", "Den er bestilt.")))
	b.mustChange(asKommune, r.task, add(fhir.Obj("text", "Den er levert.")))
	want := []string{"Trenger rullator./Solbakken rehabilitering", "Den er bestilt./Kari Nordmann", "Den er levert./Dalvik kommune"}
	if got := read(); !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
	for name, change := range map[string]func(n *fhir.Node){
		"all dropped":              func(n *fhir.Node) { n.Delete("note") },
		"the other's dropped":      func(n *fhir.Node) { n.Set("note", fhir.Arr(n.Each("note")[1:]...)) },
		"its own dropped":          func(n *fhir.Node) { n.Set("note", fhir.Arr(n.Each("note")[:2]...)) },
		"the other's rewritten":    func(n *fhir.Node) { n.Each("note")[0].Set("text", fhir.Str("Trenger ingenting.")) },
		"its own rewritten":        func(n *fhir.Node) { n.Each("note")[2].Set("text", fhir.Str("x")) },
		"the other's name is gone": func(n *fhir.Node) { n.Each("note")[0].Delete("authorString") },
		"the other's is its own":   func(n *fhir.Node) { n.Each("note")[0].Set("authorString", fhir.Str("Dalvik kommune")) },
		"one twice for another":    func(n *fhir.Node) { n.Set("note", fhir.Arr(n.Each("note")[1], n.Each("note")[1], n.Each("note")[2])) },
	} {
		t.Run(name, func(t *testing.T) { isFault(t, b.change(asKommune, r.task, change), handover.FaultInvalid) })
	}
	b.mustChange(asKommune, r.task, func(n *fhir.Node) {
		notes := n.Each("note")
		slices.Reverse(notes)
		notes[0].Delete("authorString") // as it was sent
		slices.Reverse(notes[1].Members)
		n.Set("note", fhir.Arr(append(notes, fhir.Obj("text", "Ferdig."))...))
	})
	if got := read(); !slices.Equal(got, append(want, "Ferdig./Dalvik kommune")) {
		t.Errorf("after another order: %q", got)
	}
	b.balanced()
}
