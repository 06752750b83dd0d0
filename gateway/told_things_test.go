package gateway_test

import (
	"strings"
	"testing"

	"stafett/access"
	"stafett/fhir"
)

// byText is a bench whose municipality reads texts and no FHIR.
func byText(b *bench) {
	b.edit = strings.NewReplacer(`      - {name: koordinering-fhir, her: "80203", wire: fhir, url: "http://127.0.0.1:8082/", takes: ["*"]}`+"\n", "")
}

// TestInvariant6_AFurtherThingIsNoChange: of what a patient may have several each is told for itself;
// what is taken back is told by its name, and its text is not sent again.
func TestInvariant6_AFurtherThingIsNoChange(t *testing.T) {
	b := newBench(t, byText)
	patient := b.mustPost(asInstitusjon, somePatient)
	if _, err := b.writeBundle(asInstitusjon, ask("Patient/"+patient, "80201")); err != nil {
		t.Fatal(err)
	}
	last := func() string {
		b.receiptAll()
		texts := b.ofType(kommune, "DIALOG_HELSEFAGLIG")
		if len(texts) == 0 {
			t.Fatal("the municipality was told nothing")
		}
		return string(texts[len(texts)-1].Raw)
	}
	about := func(typ, rest string) string {
		return `{"resourceType":"` + typ + `","subject":{"reference":"Patient/` + patient + `"},` + rest + `}`
	}
	has := func(step, text string, want, not []string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: no %q in\n%s", step, w, between([]byte(text), "<Sakstypekodet", "</Notat>"))
			}
		}
		for _, n := range not {
			if strings.Contains(text, n) {
				t.Errorf("%s: %q in\n%s", step, n, between([]byte(text), "<Sakstypekodet", "</Notat>"))
			}
		}
	}
	b.mustPost(asInstitusjon, about("CarePlan", `"status":"active","intent":"plan","title":"Ganglag"`))
	has("the first plan", last(), []string{"Ganglag"}, nil)
	second := b.mustPost(asInstitusjon, about("CarePlan", `"status":"active","intent":"plan","title":"Kosthold"`))
	has("the second plan", last(), []string{"Kosthold"}, []string{"tidligere Ganglag"})
	n := b.mustRead(asInstitusjon, "CarePlan", second)
	n.Set("title", fhir.Str("Kosthold og vekt"))
	b.mustPut(asInstitusjon, n)
	has("the second plan changed", last(), []string{"Kosthold og vekt (tidligere Kosthold)"}, []string{"Ganglag"})

	medicine := b.mustPost(asInstitusjon, about("MedicationStatement", `"status":"active","medicationCodeableConcept":{"text":"Metoprolol"}`))
	has("a medicine of which only the name is known", last(), []string{"Metoprolol"}, nil)
	n = b.mustRead(asInstitusjon, "MedicationStatement", medicine)
	n.Set("status", fhir.Str("entered-in-error"))
	b.mustPut(asInstitusjon, n)
	has("the medicine in error", last(), []string{"Metoprolol (oppgis ikke lenger)"}, nil)

	note := b.mustPost(asInstitusjon, about("Communication", `"status":"completed","payload":[{"contentString":"Pasienten trenger rullestol."}]`))
	has("a text", last(), []string{"rullestol"}, nil)
	n = b.mustRead(asInstitusjon, "Communication", note)
	n.Set("status", fhir.Str("entered-in-error"))
	b.mustPut(asInstitusjon, n)
	text := last()
	has("the text in error", text, []string{"oppgis ikke lenger"}, nil)
	if strings.Count(text, "rullestol") > 1 {
		t.Errorf("what was wrong is told again:\n%s", text)
	}
	b.balanced()
}

func (b *bench) mustPut(c access.Caller, n *fhir.Node) {
	b.t.Helper()
	if _, err := b.g.FHIR.Write(b.t.Context(), c, putWrite(n)); err != nil {
		b.t.Fatal(err)
	}
}

// TestForwarded_SaysWhoseRequestItIs: whom a request is sent on to reads whose it is.
func TestForwarded_SaysWhoseRequestItIs(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.deliver()
	b.mustChange(asInstitusjon, r.task, func(n *fhir.Node) {
		status("rejected", "forwarded")(n)
		n.Set("owner", fhir.Obj("identifier", fhir.Obj("system", "urn:oid:2.16.578.1.12.4.1.2", "value", "80401")))
	})
	b.deliver()
	if !b.leaks(annen, "Solbakken rehabilitering har sendt videre en henvisning fra Dalvik kommune.") {
		t.Error("the next receiver does not read whose request it is")
	}
}

// TestInvariant6_WhatIsSaidWithAnAnswerIsTold: a remark and a reason reach who reads no FHIR.
func TestInvariant6_WhatIsSaidWithAnAnswerIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		status, business string
		says             func(*fhir.Node)
	}{
		"accepted with a note":   {"accepted", "", func(n *fhir.Node) { n.Set("note", fhir.Arr(fhir.Obj("text", "bare hvis pumpen følger med"))) }},
		"declined with a reason": {"rejected", "", func(n *fhir.Node) { n.Set("statusReason", fhir.TextConcept("bare hvis pumpen følger med")) }},
		"deferred with a reason": {"on-hold", "deferred", func(n *fhir.Node) { n.Set("statusReason", fhir.TextConcept("bare hvis pumpen følger med")) }},
	} {
		b := newBench(t, byText)
		r, err := b.writeBundle(asKommune, referralBundle)
		if err != nil {
			t.Fatal(err)
		}
		b.receiptAll()
		b.mustChange(asInstitusjon, r.Entries[4].ID, func(n *fhir.Node) { status(c.status, c.business)(n); c.says(n) })
		b.receiptAll()
		if !b.leaks(kommune, "bare hvis pumpen følger med") {
			t.Errorf("%s: the municipality does not read it", name)
		}
		b.balanced()
	}
}
