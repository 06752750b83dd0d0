package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"stafett/access"
	"stafett/fhir"
	"stafett/handover"
)

// ask is a referral of a stored patient, by its reference.
func ask(patient, owner string) string {
	return `{"resourceType":"Bundle","type":"transaction","entry":[
{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000002","resource":{"resourceType":"ServiceRequest","status":"active","intent":"order","subject":{"reference":"` + patient + `"}},"request":{"method":"POST","url":"ServiceRequest"}},
{"resource":{"resourceType":"Task","status":"requested","intent":"order","for":{"reference":"` + patient + `"},"focus":{"reference":"urn:uuid:00000000-0000-4000-8000-000000000002"},"owner":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"` + owner + `"}}},"request":{"method":"POST","url":"Task"}}]}`
}

const somePatient = `{"resourceType":"Patient","identifier":[{"system":"urn:test","value":"1"}],"name":[{"family":"Prøvesen","given":["Gøril"]}],"birthDate":"1950-01-01"}`

// TestInvariant10_TaskIsForAReadablePatient: whose owner could not read the patient is refused.
func TestInvariant10_TaskIsForAReadablePatient(t *testing.T) {
	b := newBench(t)
	own, others := b.mustPost(asKommune, somePatient), b.mustPost(asSykehus, somePatient)
	for name, patient := range map[string]string{"dangling": "Patient/nobody", "another party's": "Patient/" + others, "elsewhere": "https://other.test/fhir/Patient/1"} {
		_, err := b.writeBundle(asKommune, ask(patient, "80301"))
		isFault(t, err, handover.FaultPatientUnidentified)
		if n := len(b.all()); n != 0 {
			t.Errorf("%s: %d handovers", name, n)
		}
	}
	_, err := b.writeBundle(asKommune, strings.Replace(ask("Patient/"+own, "80301"), `"for":{"reference":"Patient/`+own+`"},`, "", 1))
	isFault(t, err, handover.FaultPatientUnidentified)
	r, err := b.writeBundle(asKommune, ask("Patient/"+own, "80301"))
	if err != nil {
		t.Fatal(err)
	}
	b.deliver()
	b.mustRead(asInstitusjon, "Patient", own)
	if inBundle(b.lastBundle(institusjon), "Patient", own) == nil || r.Entries[1].ID == "" {
		t.Error("the delivery lacks the patient")
	}
	b.balanced()
}

// TestInvariant10_ReceivedPatientIsReferredOn: the next party reads the patient that somebody
// else wrote, and nothing of other patients.
func TestInvariant10_ReceivedPatientIsReferredOn(t *testing.T) {
	b := newBench(t)
	patient := b.mustPost(asInstitusjon, somePatient)
	if _, err := b.writeBundle(asInstitusjon, ask("Patient/"+patient, "80002")); err != nil {
		t.Fatal(err)
	}
	b.deliver()
	r, err := b.writeBundle(asKommune, ask("Patient/"+patient, "80401"))
	if err != nil {
		t.Fatal(err)
	}
	b.deliver()
	fjordgloett := access.Caller{Kind: access.CallerParty, Party: "fjordgloett-rehabilitering"}
	b.mustRead(fjordgloett, "Task", r.Entries[1].ID)
	b.mustRead(fjordgloett, "Patient", patient)
	if inBundle(b.lastBundle(fjordgloett.Party), "Patient", patient) == nil {
		t.Error("the delivery lacks the patient")
	}
	b.balanced()
}

// TestInvariant10_HeldResourcesStay: what an open handover holds is not deleted and does not
// become another patient's; a correction is told.
func TestInvariant10_HeldResourcesStay(t *testing.T) {
	b := newBench(t)
	patient := b.mustPost(asKommune, somePatient)
	r, err := b.writeBundle(asKommune, ask("Patient/"+patient, "80301"))
	if err != nil {
		t.Fatal(err)
	}
	b.deliver()
	remove := func(typ, id string) error {
		_, err := b.g.FHIR.Write(t.Context(), asKommune, fhir.Write{Mode: fhir.WriteSingle, Entries: []fhir.WriteEntry{{Method: http.MethodDelete, Type: typ, ID: id}}})
		return err
	}
	isFault(t, remove("Patient", patient), handover.FaultConflict)
	isFault(t, remove("ServiceRequest", r.Entries[0].ID), handover.FaultConflict)
	put := func(typ, id string, change func(*fhir.Node)) error {
		n := b.mustRead(asKommune, typ, id)
		change(n)
		_, err := b.g.FHIR.Write(t.Context(), asKommune, putWrite(n))
		return err
	}
	isFault(t, put("Patient", patient, func(n *fhir.Node) {
		n.Set("name", fhir.Arr(fhir.Obj("family", "Annen")))
		n.Set("birthDate", fhir.Str("1970-01-01"))
		n.Delete("identifier")
	}), handover.FaultConflict)
	isFault(t, put("ServiceRequest", r.Entries[0].ID, func(n *fhir.Node) {
		n.Set("subject", fhir.Obj("reference", "Patient/"+b.mustPost(asKommune, somePatient)))
	}), handover.FaultConflict)
	told := len(b.out.to(institusjon))
	if err := put("Patient", patient, func(n *fhir.Node) { n.Set("name", fhir.Arr(fhir.Obj("family", "Prøvesen-Nord"))) }); err != nil {
		t.Fatal(err)
	}
	b.deliver()
	if len(b.out.to(institusjon)) == told {
		t.Error("a corrected name is not told")
	}
	b.mustChange(asKommune, r.Entries[1].ID, status("cancelled", ""))
	b.deliver()
	if err := remove("ServiceRequest", r.Entries[0].ID); err != nil {
		t.Errorf("after the end: %v", err)
	}
	b.balanced()
}

// TestInvariant10_HeldPatientIsNotTurnedStepByStep: a Patient whom a holder was told of does not
// become another by changes each of which is small.
func TestInvariant10_HeldPatientIsNotTurnedStepByStep(t *testing.T) {
	b := newBench(t)
	patient := b.mustPost(asKommune, `{"resourceType":"Patient","name":[{"family":"Prøvesen","given":["Gøril"]}],"birthDate":"1950-01-01"}`)
	if _, err := b.writeBundle(asKommune, ask("Patient/"+patient, "80301")); err != nil {
		t.Fatal(err)
	}
	b.deliver()
	put := func(change func(*fhir.Node)) error {
		n := b.mustRead(asKommune, "Patient", patient)
		change(n)
		_, err := b.g.FHIR.Write(t.Context(), asKommune, putWrite(n))
		return err
	}
	for i, change := range []func(*fhir.Node){
		func(n *fhir.Node) { n.Set("telecom", fhir.Arr(fhir.Obj("value", "70000000"))) },
		func(n *fhir.Node) {
			n.Set("name", fhir.Arr(fhir.Obj("family", "Prøvesen-Nord", "given", []*fhir.Node{fhir.Str("Gøril")})))
		},
		func(n *fhir.Node) { n.Set("birthDate", fhir.Str("1950-01-02")) },
	} {
		if err := put(change); (err != nil) != (i == 2) {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	if err := put(func(n *fhir.Node) {
		n.Set("identifier", fhir.Arr(fhir.Obj("system", fhir.SystemFNR, "value", solveig)))
	}); err != nil {
		t.Fatal(err)
	}
	if b.hasAttention(handover.AttentionChainsMeet) {
		t.Error("a first number is looked at")
	}
	// Under one number it is one person; that it is not whom the holder was told of is looked at.
	if err := put(func(n *fhir.Node) {
		n.Set("name", fhir.Arr(fhir.Obj("family", "Annen", "given", []*fhir.Node{fhir.Str("Per")})))
		n.Set("birthDate", fhir.Str("1971-02-03"))
	}); err != nil {
		t.Fatal(err)
	}
	if !b.hasAttention(handover.AttentionChainsMeet) {
		t.Error("nobody looks at it")
	}
	isFault(t, put(func(n *fhir.Node) { n.Delete("identifier"); n.Set("birthDate", fhir.Str("1972-02-03")) }), handover.FaultConflict)
	b.balanced()
}

// TestConditionalCreate_OneOfMany: of concurrent creates under one condition one is stored.
func TestConditionalCreate_OneOfMany(t *testing.T) {
	b := newBench(t)
	for round := range 5 {
		query := fmt.Sprintf("identifier=urn:round|%d", round)
		var wg sync.WaitGroup
		var mu sync.Mutex
		created, ids := 0, map[string]bool{}
		for range 24 {
			wg.Go(func() {
				n := parse(t, fmt.Sprintf(`{"resourceType":"Patient","identifier":[{"system":"urn:round","value":"%d"}]}`, round))
				r, err := b.g.FHIR.Write(t.Context(), asKommune, fhir.Write{Mode: fhir.WriteSingle, Raw: n.JSON(), Entries: []fhir.WriteEntry{{Method: http.MethodPost, Type: "Patient", IfNoneExist: query, Resource: n}}})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
					return
				}
				ids[r.Entries[0].ID] = true
				if r.Entries[0].Created {
					created++
				}
			})
		}
		wg.Wait()
		if created != 1 || len(ids) != 1 {
			t.Fatalf("round %d: %d created, %d ids", round, created, len(ids))
		}
	}
}

// TestWrite_WhatNobodyElseReadsIsSaid: a resource about a patient of no open handover.
func TestWrite_WhatNobodyElseReadsIsSaid(t *testing.T) {
	b := newBench(t)
	patient := b.mustPost(asKommune, somePatient)
	observation := `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/` + patient + `"}}`
	r, err := b.post(asKommune, observation)
	if err != nil || r.Entries[0].Notice == "" {
		t.Fatalf("%+v, %v", r.Entries, err)
	}
	if _, err := b.writeBundle(asKommune, ask("Patient/"+patient, "80301")); err != nil {
		t.Fatal(err)
	}
	if r, err = b.post(asKommune, observation); err != nil || r.Entries[0].Notice != "" {
		t.Fatalf("%+v, %v", r.Entries, err)
	}
	b.mustRead(asInstitusjon, "Observation", r.Entries[0].ID)
	b.balanced()
}

// TestInvariant10_WhoGivesCareSaysNotWhichHandover: an observation that names first who made it
// goes where its patient is; who gives care in two handovers is told changed in both.
func TestInvariant10_WhoGivesCareSaysNotWhichHandover(t *testing.T) {
	b := newBench(t)
	doctor := b.mustPost(asKommune, `{"resourceType":"Practitioner","name":[{"family":"Lege"}]}`)
	var patients []string
	owners := map[string]access.Caller{"80301": asInstitusjon, "80401": {Kind: access.CallerParty, Party: "fjordgloett-rehabilitering"}}
	for i, owner := range []string{"80301", "80401"} {
		patient := b.mustPost(asKommune, strings.Replace(somePatient, `"1"`, fmt.Sprintf(`"%d"`, i), 1))
		patients = append(patients, patient)
		request := strings.Replace(ask("Patient/"+patient, owner), `"intent":"order","subject"`, `"intent":"order","requester":{"reference":"Practitioner/`+doctor+`"},"subject"`, 1)
		if _, err := b.writeBundle(asKommune, request); err != nil {
			t.Fatal(err)
		}
		b.deliver()
	}
	seen := b.mustPost(asKommune, `{"resourceType":"Observation","status":"final","code":{"text":"FIM"},"performer":[{"reference":"Practitioner/`+doctor+`"}],"subject":{"reference":"Patient/`+patients[0]+`"}}`)
	b.deliver()
	b.mustRead(owners["80301"], "Observation", seen)
	if inBundle(b.lastBundle(owners["80301"].Party), "Observation", seen) == nil {
		t.Error("the patient's receiver is not told")
	}
	if b.read(owners["80401"], "Observation", seen) != nil {
		t.Error("another patient's receiver reads it")
	}
	n := b.mustRead(asKommune, "Practitioner", doctor)
	n.Set("name", fhir.Arr(fhir.Obj("family", "Doktor")))
	if _, err := b.g.FHIR.Write(t.Context(), asKommune, putWrite(n)); err != nil {
		t.Fatal(err)
	}
	b.deliver()
	for _, owner := range owners {
		if n := inBundle(b.lastBundle(owner.Party), "Practitioner", doctor); n == nil || !strings.Contains(string(n.JSON()), "Doktor") {
			t.Errorf("%s is not told who it is now", owner.Party)
		}
	}
	b.balanced()
}

// TestInvariant10_WhoGivesCareNowIsToldWithTheRole: a role that is given to another is told with who
// that is, written with it or before it.
func TestInvariant10_WhoGivesCareNowIsToldWithTheRole(t *testing.T) {
	b := newBench(t)
	role := b.mustPost(asKommune, `{"resourceType":"PractitionerRole","practitioner":{"reference":"Practitioner/`+
		b.mustPost(asKommune, `{"resourceType":"Practitioner","name":[{"family":"Lege"}]}`)+`"}}`)
	for i, owner := range []string{"80301", "80401"} {
		patient := b.mustPost(asKommune, strings.Replace(somePatient, `"1"`, fmt.Sprintf(`"%d"`, i), 1))
		request := strings.Replace(ask("Patient/"+patient, owner), `"intent":"order","subject"`, `"intent":"order","performer":[{"reference":"PractitionerRole/`+role+`"}],"subject"`, 1)
		if _, err := b.writeBundle(asKommune, request); err != nil {
			t.Fatal(err)
		}
	}
	b.deliver()
	stored := b.mustPost(asKommune, `{"resourceType":"Practitioner","name":[{"family":"Vikar"}]}`)
	n := b.mustRead(asKommune, "PractitionerRole", role)
	n.Set("practitioner", fhir.Obj("reference", "Practitioner/"+stored))
	b.mustPut(asKommune, n)
	b.deliver()
	isTold := func(doctor string) {
		t.Helper()
		for _, c := range []access.Caller{asInstitusjon, asAnnen} {
			if inBundle(b.lastBundle(c.Party), "Practitioner", doctor) == nil || b.read(c, "Practitioner", doctor) == nil {
				t.Errorf("%s does not know who has the role", c.Party)
			}
		}
	}
	isTold(stored)
	r, err := b.writeBundle(asKommune, `{"resourceType":"Bundle","type":"transaction","entry":[
{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000009","resource":{"resourceType":"Practitioner","name":[{"family":"Ny"}]},"request":{"method":"POST","url":"Practitioner"}},
{"resource":{"resourceType":"PractitionerRole","id":"`+role+`","practitioner":{"reference":"urn:uuid:00000000-0000-4000-8000-000000000009"}},"request":{"method":"PUT","url":"PractitionerRole/`+role+`"}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	b.deliver()
	isTold(r.Entries[0].ID)
	b.balanced()
}

// TestInvariant10_LinkedPatientIsNotShown: a Patient that the handover's Patient names is another's.
func TestInvariant10_LinkedPatientIsNotShown(t *testing.T) {
	b := newBench(t)
	stranger := b.mustPost(asKommune, `{"resourceType":"Patient","identifier":[{"system":"urn:test","value":"9"}],"name":[{"family":"Annen","given":["Per"]}],"birthDate":"1971-02-03"}`)
	patient := b.mustPost(asKommune, somePatient)
	if _, err := b.writeBundle(asKommune, ask("Patient/"+patient, "80301")); err != nil {
		t.Fatal(err)
	}
	b.deliver()
	n := b.mustRead(asKommune, "Patient", patient)
	n.Set("link", fhir.Arr(fhir.Obj("other", fhir.Obj("reference", "Patient/"+stranger), "type", "seealso")))
	_, err := b.g.FHIR.Write(t.Context(), asKommune, putWrite(n))
	b.deliver()
	if b.read(asInstitusjon, "Patient", stranger) != nil || inBundle(b.lastBundle(institusjon), "Patient", stranger) != nil {
		t.Errorf("the stranger is shown (%v)", err)
	}
}

// TestAuthor_NoteInTheOthersName: neither party of a Task writes a note as the other one.
func TestAuthor_NoteInTheOthersName(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.deliver()
	for c, name := range map[access.Caller]string{asInstitusjon: "Dalvik kommune", asKommune: "Solbakken rehabilitering"} {
		isFault(t, b.change(c, r.task, func(n *fhir.Node) {
			n.Set("note", fhir.Arr(fhir.Obj("text", "x", "authorString", name)))
		}), handover.FaultForbidden)
	}
}

// TestDied_ByFHIR: a Patient who is written as dead ends the handovers that have it, and both
// parties know.
func TestDied_ByFHIR(t *testing.T) {
	for element, value := range map[string]*fhir.Node{"deceasedBoolean": fhir.Bool(true), "deceasedDateTime": fhir.Str("2026-03-02T08:00:00+01:00")} {
		b := newBench(t)
		r := b.refer()
		b.deliver()
		n := b.mustRead(asKommune, "Patient", r.patient)
		n.Set(element, value)
		if _, err := b.g.FHIR.Write(t.Context(), asKommune, putWrite(n)); err != nil {
			t.Fatal(err)
		}
		b.deliver()
		b.stateOf(r.task, handover.StateWithdrawn, kommune)
		if task := inBundle(b.lastBundle(institusjon), "Task", r.task); task.Str("status") != "cancelled" {
			t.Errorf("%s: the receiver last read %s", element, task.JSON())
		}
		b.balanced()
	}
}

// TestInvariant10_AnotherPatientInTheTransaction: is not shown to those of the handover written into.
func TestInvariant10_AnotherPatientInTheTransaction(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.deliver()
	_, err := b.writeBundle(asKommune, `{"resourceType":"Bundle","type":"transaction","entry":[
{"resource":{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/`+r.patient+`"},"basedOn":[{"reference":"ServiceRequest/`+r.request+`"}]},"request":{"method":"POST","url":"Observation"}},
{"resource":{"resourceType":"Patient","name":[{"family":"Annen","given":["Per"]}],"birthDate":"1971-02-03"},"request":{"method":"POST","url":"Patient"}}]}`)
	isFault(t, err, handover.FaultUnsupported)
}

// TestInvariant9_CorrectedByFHIRInSteps: another national number is looked at however it came, and
// so is a Patient who says that another replaces it; one of whom nothing is left is refused.
func TestInvariant9_CorrectedByFHIRInSteps(t *testing.T) {
	numbers := func(values ...string) func(*fhir.Node) {
		return func(n *fhir.Node) {
			var ids []*fhir.Node
			for _, v := range values {
				ids = append(ids, fhir.Obj("system", fhir.SystemFNR, "value", v))
			}
			n.Set("identifier", fhir.Arr(ids...))
		}
	}
	for name, steps := range map[string][]func(*fhir.Node){
		"dropped, then another": {func(n *fhir.Node) { n.Delete("identifier") }, numbers(twin)},
		"one beside the other":  {numbers(solveig, twin), numbers(twin)},
		"replaced": {func(n *fhir.Node) {
			n.Set("link", fhir.Arr(fhir.Obj("other", fhir.Obj("display", "Annen"), "type", "replaced-by")))
		}},
	} {
		b := newBench(t)
		r := b.refer()
		for i, step := range steps {
			if b.hasAttention(handover.AttentionChainsMeet) {
				t.Errorf("%s: looked at before step %d", name, i+1)
			}
			n := b.mustRead(asKommune, "Patient", r.patient)
			step(n)
			if _, err := b.g.FHIR.Write(t.Context(), asKommune, putWrite(n)); err != nil {
				t.Fatal(err)
			}
		}
		if !b.hasAttention(handover.AttentionChainsMeet) {
			t.Errorf("%s: nobody looks at it", name)
		}
		n := b.mustRead(asKommune, "Patient", r.patient)
		for _, element := range []string{"identifier", "name", "birthDate", "gender", "_birthDate"} {
			n.Delete(element)
		}
		_, err := b.g.FHIR.Write(t.Context(), asKommune, putWrite(n))
		isFault(t, err, handover.FaultConflict)
		b.balanced()
	}
}

// TestInvariant9_OneOfSeveralHandoversIsMeant: what is written about a patient of several open
// handovers says which one, or is refused; what is based on a request is that request's alone.
func TestInvariant9_OneOfSeveralHandoversIsMeant(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	observed := func(patient, more string) string {
		return `{"resourceType":"Observation","status":"final","code":{"text":"FIM"},"subject":{"reference":"Patient/` + patient + `"}` + more + `}`
	}
	request := b.mustPost(asKommune, `{"resourceType":"ServiceRequest","status":"active","intent":"order","subject":{"reference":"Patient/`+r.patient+`"}}`)
	own, err := b.post(asKommune, observed(r.patient, `,"basedOn":[{"reference":"ServiceRequest/`+request+`"}]`))
	if err != nil || own.Entries[0].Notice == "" || b.read(asInstitusjon, "ServiceRequest", request) != nil {
		t.Errorf("%+v, %v", own.Entries, err)
	}
	if _, err := b.writeBundle(asKommune, ask("Patient/"+r.patient, "80401")); err != nil {
		t.Fatal(err)
	}
	_, err = b.post(asKommune, observed(r.patient, ""))
	isFault(t, err, handover.FaultUnsupported)
	based := b.mustPost(asKommune, observed(r.patient, `,"basedOn":[{"reference":"ServiceRequest/`+r.request+`"}]`))
	b.mustRead(asInstitusjon, "Observation", based)
	if b.read(asAnnen, "Observation", based) != nil {
		t.Error("the other handover's receiver reads it")
	}
	stranger := b.mustPost(asKommune, strings.Replace(somePatient, `"1"`, `"7"`, 1))
	if _, err := b.writeBundle(asKommune, ask("Patient/"+stranger, "80401")); err != nil {
		t.Fatal(err)
	}
	another := b.mustPost(asKommune, strings.Replace(somePatient, `"1"`, `"8"`, 1))
	if _, err := b.writeBundle(asKommune, ask("Patient/"+another, "80301")); err != nil {
		t.Fatal(err)
	}
	_, err = b.writeBundle(asKommune, `{"resourceType":"Bundle","type":"transaction","entry":[
{"resource":`+observed(stranger, "")+`,"request":{"method":"POST","url":"Observation"}},
{"resource":`+observed(another, "")+`,"request":{"method":"POST","url":"Observation"}}]}`)
	isFault(t, err, handover.FaultUnsupported)
	b.balanced()
}

// TestWrite_AboutWhomNobodySaysIsSaid: an observation without a subject reaches nobody, also where it
// names who gives care in a handover.
func TestWrite_AboutWhomNobodySaysIsSaid(t *testing.T) {
	b := newBench(t)
	doctor := b.mustPost(asKommune, `{"resourceType":"Practitioner","name":[{"family":"Lege"}]}`)
	r, err := b.post(asKommune, `{"resourceType":"Observation","status":"final","code":{"text":"FIM"},"performer":[{"reference":"Practitioner/`+doctor+`"}]}`)
	if err != nil || r.Entries[0].Notice == "" {
		t.Errorf("%+v, %v", r.Entries, err)
	}
}

// TestInvariant10_ContextMakesNothingAPart: who is shown another handover's request as context is told
// nothing more of it; what refers to several handovers at once, or is moved to another, is refused.
func TestInvariant10_ContextMakesNothingAPart(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	if _, err := b.writeBundle(asKommune, ask("Patient/"+r.patient, "80401")); err != nil {
		t.Fatal(err)
	}
	b.deliver()
	second := string(b.all()[0].ID)
	if second == r.task {
		second = string(b.all()[1].ID)
	}
	other, _ := strings.CutPrefix(b.mustRead(asKommune, "Task", second).Str("focus", "reference"), "ServiceRequest/")
	observed := func(rest string) string {
		return `{"resourceType":"Observation","status":"final","code":{"text":"FIM"},"subject":{"reference":"Patient/` + r.patient + `"}` + rest + `}`
	}
	based := func(ids ...string) string {
		return `,"basedOn":[{"reference":"ServiceRequest/` + strings.Join(ids, `"},{"reference":"ServiceRequest/`) + `"}]`
	}
	_, err := b.post(asKommune, observed(based(other, r.request)))
	isFault(t, err, handover.FaultUnsupported)
	first := b.mustPost(asKommune, observed(based(r.request)))
	n := b.mustRead(asKommune, "Observation", first)
	n.Get("basedOn").Items[0].Set("reference", fhir.Str("ServiceRequest/"+other))
	_, err = b.g.FHIR.Write(t.Context(), asKommune, putWrite(n))
	isFault(t, err, handover.FaultUnsupported)

	// The institution refers on with a request of its own, which is based on the one that it has.
	own := b.mustPost(asInstitusjon, `{"resourceType":"ServiceRequest","status":"active","intent":"order","subject":{"reference":"Patient/`+r.patient+`"},"basedOn":[{"reference":"ServiceRequest/`+r.request+`"}]}`)
	b.mustPost(asInstitusjon, `{"resourceType":"Task","status":"requested","intent":"order","for":{"reference":"Patient/`+r.patient+`"},"focus":{"reference":"ServiceRequest/`+own+`"},"owner":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80401"}}}`)
	b.deliver()
	answer := b.mustPost(asInstitusjon, observed(based(r.request)))
	b.mustRead(asKommune, "Observation", answer)
	if b.read(asAnnen, "Observation", answer) != nil {
		t.Error("who was shown the request reads what answers it")
	}
	b.balanced()
}

// TestInvariant10_NothingOfAnotherPatientByReference: however it is referred to.
func TestInvariant10_NothingOfAnotherPatientByReference(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	stranger := b.mustPost(asKommune, `{"resourceType":"Patient","name":[{"family":"Annen","given":["Per"]}],"birthDate":"1971-02-03"}`)
	hidden := b.mustPost(asKommune, `{"resourceType":"Observation","status":"final","code":{"text":"HIV"},"subject":{"reference":"Patient/`+stranger+`"}}`)
	mine := `"subject":{"reference":"Patient/` + r.patient + `"}`
	for name, text := range map[string]string{
		"a member":   `{"resourceType":"Observation","status":"final","code":{"text":"x"},` + mine + `,"hasMember":[{"reference":"Observation/` + hidden + `"}]}`,
		"a reason":   `{"resourceType":"CarePlan","status":"active","intent":"plan",` + mine + `,"addresses":[{"reference":"Observation/` + hidden + `"}]}`,
		"a document": `{"resourceType":"DocumentReference","status":"current","content":[{"attachment":{"title":"x"}}],` + mine + `,"context":{"related":[{"reference":"Observation/` + hidden + `"}]}}`,
		"a Task": `{"resourceType":"Task","status":"requested","intent":"order","for":{"reference":"Patient/` + r.patient + `"},"focus":{"reference":"ServiceRequest/` + r.request +
			`"},"input":[{"type":{"text":"x"},"valueReference":{"reference":"Observation/` + hidden + `"}}],"owner":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80401"}}}`,
	} {
		if _, err := b.post(asKommune, text); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if b.read(asInstitusjon, "Observation", hidden) != nil {
		t.Error("the stranger's observation is shown")
	}
	b.balanced()
}
