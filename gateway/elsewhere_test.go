package gateway_test

import (
	"regexp"
	"strings"
	"testing"

	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
)

// withoutStay is a message without PV1.
func withoutStay(message string) string {
	return regexp.MustCompile(`PV1[^\r]*\r`).ReplaceAllString(message, "")
}

// TestInvariant6_AChangedPersonIsToldInEachStay: what a hospital says of a person and not of a stay
// is told in every stay of that person, and so is a merge.
func TestInvariant6_AChangedPersonIsToldInEachStay(t *testing.T) {
	for name, change := range map[string]string{
		"a name":      strings.Replace(adt{trigger: "A31", id: "M9", noNeed: true}.String(), "MYRVANG^", "MYRVANG-LUND^", 1),
		"a merge":     strings.Replace(adt{trigger: "A40", id: "M9", fnr: twin, extra: "MRG|" + solveig + "^^^FNR^FNR\r"}.String(), "MYRVANG^", "MYRVANG-LUND^", 1),
		"by one stay": strings.Replace(adt{trigger: "A08", id: "M9", visit: "V1"}.String(), "MYRVANG^", "MYRVANG-LUND^", 1),
	} {
		b := newBench(t)
		b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1"}.String()))
		b.must(b.hl7(adt{trigger: "A01", id: "M2", visit: "V2"}.String()))
		b.receiptAll()
		if name != "by one stay" {
			change = withoutStay(change)
		}
		m := b.message(b.must(b.hl7(change)).Message)
		if m.Disposition != ledger.DispositionApplied || m.Handover == "" {
			t.Errorf("%s: %s %s", name, m.Disposition, m.Detail)
		}
		b.receiptAll()
		for _, h := range b.all() {
			told := 0
			ds, err := b.store.DeliveriesOfHandover(t.Context(), h.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range ds {
				if d.Receiver == kommune && strings.Contains(string(d.Raw), "Etternavn: MYRVANG-LUND (tidligere MYRVANG)") {
					told++
				}
			}
			if told != 1 {
				t.Errorf("%s: told %d times in a stay", name, told)
			}
		}
		b.balanced()
	}
}

// TestInvariant6_AChangedPersonIsToldInAReferral: a feed that corrects a person whom the hospital has
// referred by FHIR as well.
func TestInvariant6_AChangedPersonIsToldInAReferral(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	b.receiptAll()
	patient := b.mustRead(asSykehus, "Task", string(b.all()[0].ID)).Str("for", "reference")
	if _, err := b.writeBundle(asSykehus, ask(patient, "80301")); err != nil {
		t.Fatal(err)
	}
	b.deliver()
	b.must(b.hl7(strings.Replace(adt{trigger: "A08", id: "M2", visit: "V1"}.String(), "MYRVANG^", "MYRVANG-LUND^", 1)))
	b.receiptAll()
	if n := inBundle(b.lastBundle(institusjon), "Patient", strings.TrimPrefix(patient, "Patient/")); n == nil || !strings.Contains(string(n.JSON()), "MYRVANG-LUND") {
		t.Error("the institution is not told of the new name")
	}
	b.balanced()
}

// TestInvariant9_NumberCorrectedInSteps: what a message leaves out of PID-3 holds, so that another
// number that comes later corrects the one that was told.
func TestInvariant9_NumberCorrectedInSteps(t *testing.T) {
	b := newBench(t)
	numbered := func(a adt, ids string) string { return strings.Replace(a.String(), solveig+"^^^FNR^FNR", ids, 1) }
	const local = "4711^^^FJELLHEIM^PI"
	b.must(b.hl7(numbered(adt{trigger: "A01", id: "M1", visit: "V1"}, solveig+"^^^FNR^FNR~"+local)))
	b.must(b.hl7(numbered(adt{trigger: "A16", id: "M2", visit: "V1"}, solveig+"^^^FNR^FNR~"+local)))
	b.must(b.hl7(numbered(adt{trigger: "A08", id: "M3", visit: "V1"}, local)))
	b.receiptAll()
	if b.leaks(kommune, "oppgis ikke lenger") {
		t.Error("what the message leaves out is told as no longer said")
	}
	b.must(b.hl7(numbered(adt{trigger: "A08", id: "M4", visit: "V1"}, twin+"^^^FNR^FNR~"+local)))
	b.receiptAll()
	if got, want := b.notices(), "INNLAGT N, UTSKRIVNINGSKLAR N, UTSKRIVNINGSKLAR C, INNLAGT C, INNLAGT N, UTSKRIVNINGSKLAR N"; got != want {
		t.Errorf("told %s\nwant %s", got, want)
	}
	b.balanced()
}

// TestForwarded_TheStayGoesOn: what a hospital says of a stay whose handover was sent on is told to
// whom it was sent.
func TestForwarded_TheStayGoesOn(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	b.receiptAll()
	task := string(b.handover().ID)
	b.mustChange(asKommune, task, func(n *fhir.Node) {
		status("rejected", "forwarded")(n)
		n.Set("owner", fhir.LogicalRef("Organization", fhir.SystemHER, "80301", ""))
	})
	b.deliver()
	b.must(b.hl7(strings.Replace(adt{trigger: "A08", id: "M2", visit: "V1"}.String(), "MYRVANG^", "MYRVANG-LUND^", 1)))
	b.deliver()
	if !b.leaks(institusjon, "MYRVANG-LUND") {
		t.Error("the new name is told to nobody")
	}
	m := b.message(b.must(b.hl7(adt{trigger: "A03", id: "M3", visit: "V1"}.String())).Message)
	b.deliver()
	next := b.handoverOf(task).Next.Handover
	if m.Handover != next {
		t.Errorf("the discharge acts on %s", m.Handover)
	}
	if h := b.handoverOf(string(next)); h.Facts.DischargedAt.IsZero() || len(h.Attentions) == 0 || h.Attentions[0].Reason != handover.AttentionDischargedUnaccepted {
		t.Errorf("%+v", h)
	}
	b.balanced()
}

// TestInvariant10_AttachmentsData: the data of an attachment goes with it, and stays.
func TestInvariant10_AttachmentsData(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	binary := b.mustPost(asKommune, `{"resourceType":"Binary","contentType":"text/plain","data":"SGVp"}`)
	doc := b.mustPost(asKommune, `{"resourceType":"DocumentReference","status":"current","subject":{"reference":"Patient/`+r.patient+`"},"content":[{"attachment":{"title":"x","url":"Binary/`+binary+`"}}]}`)
	b.deliver()
	b.mustRead(asInstitusjon, "DocumentReference", doc)
	b.mustRead(asInstitusjon, "Binary", binary)
	if inBundle(b.lastBundle(institusjon), "Binary", binary) == nil {
		t.Error("the data is not sent")
	}
	_, err := b.g.FHIR.Write(t.Context(), asKommune, fhir.Write{Mode: fhir.WriteSingle, Entries: []fhir.WriteEntry{{Method: "DELETE", Type: "Binary", ID: binary}}})
	isFault(t, err, handover.FaultConflict)
	b.balanced()
}

// TestReroute_WhatHoldsGoesAlong: whom a named person routes a stay to is told what holds of it, and
// not only what the message at hand says.
func TestReroute_WhatHoldsGoesAlong(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1", extra: infection("positiv")}.String()))
	b.receiptAll()
	m := b.must(b.hl7(adt{trigger: "A01", id: "M2", visit: "V1", kommunenummer: nowhere}.String()))
	if row, err := b.g.Reroute(t.Context(), forSykehus, m.Message, institusjon); err != nil || row.Disposition != ledger.DispositionApplied {
		t.Fatalf("%s %s, %v", row.Disposition, row.Detail, err)
	}
	b.deliver()
	if !b.leaks(institusjon, "positiv") || !b.leaks(institusjon, "MRSA") {
		t.Error("the infection is told to nobody")
	}
	told := len(b.out.to(kommune))
	m = b.must(b.hl7(adt{trigger: "A01", id: "M3", visit: "V1"}.String()))
	if row, err := b.g.Reroute(t.Context(), forSykehus, m.Message, kommune); err != nil || row.Disposition != ledger.DispositionApplied {
		t.Fatalf("%s %s, %v", row.Disposition, row.Detail, err)
	}
	b.receiptAll()
	var words strings.Builder
	for _, o := range b.out.to(kommune)[told:] {
		words.Write(o.Raw)
	}
	if !strings.Contains(words.String(), "positiv (nytt)") {
		t.Errorf("the municipality does not read of the infection: %s", words.String())
	}
	b.balanced()
}

// TestInvariant9_CorrectedNumberBeginsAConversation: what is told of the right person later refers to
// nothing that was told of the wrong one.
func TestInvariant9_CorrectedNumberBeginsAConversation(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1"}.String()))
	b.must(b.hl7(adt{trigger: "A16", id: "M2", visit: "V1"}.String()))
	b.receiptAll()
	before := map[string]bool{}
	for _, o := range b.out.to(kommune) {
		before[o.ID] = true
	}
	b.must(b.hl7(adt{trigger: "A08", id: "M3", visit: "V1", fnr: twin}.String()))
	b.receiptAll()
	for _, m := range []adt{{trigger: "A16", id: "M4", visit: "V1", fnr: twin, extra: infection("positiv")}, {trigger: "A03", id: "M5", visit: "V1", fnr: twin}} {
		b.must(b.hl7(m.String()))
		b.receiptAll()
	}
	for _, o := range b.out.to(kommune) {
		if strings.Contains(string(o.Raw), twin) && (before[between(o.Raw, "<RefToConversation>", "<")] || before[between(o.Raw, "<RefToParent>", "<")]) {
			t.Errorf("%s refers to what was told of somebody else", o.Type)
		}
	}
	b.balanced()
}
