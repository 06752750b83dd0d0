package gateway_test

import (
	"strings"
	"testing"
	"time"

	"stafett/gateway/desk"
	"stafett/handover"
	"stafett/ledger"
)

// nowhere is a municipality that no route leads to.
const nowhere = "1103"

// TestInvariant6_WhatFollowsAParkedAdmissionWaits: a name, an observation and a leave that come while
// the stay's first message is with a named person are told once that person has routed it.
func TestInvariant6_WhatFollowsAParkedAdmissionWaits(t *testing.T) {
	b := newBench(t)
	first := b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1", kommunenummer: nowhere}.String()))
	var after []handover.MessageID
	for _, m := range []string{
		adt{trigger: "A08", id: "M2", visit: "V1", kommunenummer: nowhere, noNeed: true}.String(),
		adt{trigger: "A08", id: "M3", visit: "V1", kommunenummer: nowhere, extra: "AL1|1|DA|J01CE02^Fenoksymetylpenicillin^2.16.578.1.12.4.1.1.7180|SV|Utslett\r"}.String(),
	} {
		a := b.must(b.hl7(strings.Replace(m, "MYRVANG^SOLVEIG", "MYRVANG-LUND^SOLVEIG", 1)))
		if row := b.message(a.Message); row.Disposition != ledger.DispositionMoving {
			t.Fatalf("%s: %s", row.Disposition, row.Detail)
		}
		after = append(after, a.Message)
	}
	if m, err := b.g.Reroute(t.Context(), forSykehus, first.Message, kommune); err != nil || m.Disposition != ledger.DispositionApplied {
		t.Fatalf("%s %s, %v", m.Disposition, m.Detail, err)
	}
	b.receiptAll()
	for _, id := range after {
		if row := b.message(id); row.Disposition != ledger.DispositionApplied || row.Handover == "" {
			t.Errorf("%s: %s", row.Disposition, row.Detail)
		}
	}
	if !b.leaks(kommune, "Myrvang-Lund") || !b.leaks(kommune, "Fenoksymetylpenicillin") {
		t.Error("the municipality is not told of the new name, or of the allergy")
	}
	b.balanced()
}

// TestInvariant2_WhatFollowsAClosedAdmissionIsFeed: what waited for a message that a named person
// closed waits no more, nor does its cancellation.
func TestInvariant2_WhatFollowsAClosedAdmissionIsFeed(t *testing.T) {
	b := newBench(t)
	first := b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1", kommunenummer: nowhere}.String()))
	second := b.must(b.hl7(adt{trigger: "A16", id: "M2", visit: "V1", kommunenummer: nowhere}.String()))
	news := b.must(b.hl7(adt{trigger: "A08", id: "M3", visit: "V1", noNeed: true}.String()))
	undo := b.must(b.hl7(adt{trigger: "A11", id: "M4", visit: "V1"}.String()))
	want := func(d ledger.Disposition) {
		t.Helper()
		b.pass(2 * time.Hour)
		b.watch()
		for _, a := range []handover.MessageID{news.Message, undo.Message} {
			if row := b.message(a); row.Disposition != d {
				t.Errorf("%s: %s", row.Disposition, row.Detail)
			}
		}
	}
	if err := b.g.CloseMessage(t.Context(), forSykehus, first.Message, "registrert to ganger"); err != nil {
		t.Fatal(err)
	}
	want(ledger.DispositionMoving) // the second one is parked still
	if err := b.g.CloseMessage(t.Context(), forSykehus, second.Message, "bor i en annen kommune"); err != nil {
		t.Fatal(err)
	}
	want(ledger.DispositionApplied)
	if n := len(b.all()); n != 0 {
		t.Errorf("%d handovers", n)
	}
	b.balanced()
}

// TestCancellation_WithoutTheFactThatDecides: one that overtakes its original waits for it, whatever
// it says of the patient's needs; where nothing comes it undid nothing.
func TestCancellation_WithoutTheFactThatDecides(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A11", id: "M1", visit: "V1", noNeed: true}.String()))
	b.must(b.hl7(adt{trigger: "A01", id: "M2", visit: "V1"}.String()))
	b.deliver()
	b.state(handover.StateVoided, sykehus)
	alone := b.must(b.hl7(adt{trigger: "A11", id: "M3", visit: "V2", noNeed: true}.String()))
	b.pass(97 * time.Hour)
	b.watch()
	if m := b.message(alone.Message); m.Disposition != ledger.DispositionApplied {
		t.Errorf("%s: %s", m.Disposition, m.Detail)
	}
	b.balanced()
}

// TestInvariant9_TwoPersonsOnOneStayNumber: once a named person has said that the number is also
// another person's, each one's messages find their own handover.
func TestInvariant9_TwoPersonsOnOneStayNumber(t *testing.T) {
	b := newBench(t)
	child := func(s string) string { return about(s, ingrid, "Strand", "Ingrid", "2026-03-01") }
	b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1"}.String()))
	a := b.must(b.hl7(child(adt{trigger: "A01", id: "M2", visit: "V1"}.String())))
	if m, err := b.g.Rule(t.Context(), forSykehus, a.Message, desk.VerdictAnotherStay); err != nil || m.Disposition != ledger.DispositionApplied {
		t.Fatalf("%s %s, %v", m.Disposition, m.Detail, err)
	}
	of := map[handover.ID]int{}
	for _, raw := range []string{
		adt{trigger: "A16", id: "M3", visit: "V1"}.String(), child(adt{trigger: "A08", id: "M4", visit: "V1"}.String()),
		adt{trigger: "A03", id: "M5", visit: "V1"}.String(), child(adt{trigger: "A16", id: "M6", visit: "V1"}.String()),
	} {
		m := b.message(b.must(b.hl7(raw)).Message)
		if m.Disposition != ledger.DispositionApplied || m.Handover == "" {
			t.Errorf("%s: %s %s", m.ExternalID, m.Disposition, m.Detail)
		}
		of[m.Handover]++
	}
	if len(of) != 2 {
		t.Errorf("the messages went to %v", of)
	}
	for _, h := range b.all() {
		if len(h.Attentions) > 0 && h.Attentions[0].Reason == handover.AttentionChainsMeet {
			t.Error("a named person has said whose it is, and is still asked")
		}
	}
	b.balanced()
}

// TestInvariant9_AnotherStayLeavesTheConversation: the next answer of the same conversation is the
// first patient's.
func TestInvariant9_AnotherStayLeavesTheConversation(t *testing.T) {
	b := newBench(t)
	ref := b.ready("V1")
	other := func(s string) string { return about(s, ingrid, "Strand", "Ingrid", "1965-10-05") }
	b.must(b.hl7(other(adt{trigger: "A16", id: "M2", visit: "V2"}.String())))
	b.receiptAll()
	a := b.must(b.kith(other(notat("n1", ref, yes))))
	if m, err := b.g.Rule(t.Context(), forKommune, a.Message, desk.VerdictAnotherStay); err != nil || m.Disposition != ledger.DispositionApplied {
		t.Fatalf("%s, %v", m.Disposition, err)
	}
	m := b.message(b.must(b.kith(notat("n2", ref, yes))).Message)
	if m.Disposition != ledger.DispositionApplied {
		t.Errorf("%s: %s", m.Disposition, m.Detail)
	}
	for _, h := range b.all() {
		if h.State != handover.StateAccepted {
			t.Errorf("%s is %s", h.ID, h.State)
		}
	}
	b.balanced()
}

// TestInvariant9_TheLastThatMetEndsTheMark: two notes about others raise one mark, and each of them
// is a question of its own.
func TestInvariant9_TheLastThatMetEndsTheMark(t *testing.T) {
	for name, end := range map[string]func(b *bench, id handover.MessageID) error{
		"closed": func(b *bench, id handover.MessageID) error {
			return b.g.CloseMessage(t.Context(), forKommune, id, "feil pasient")
		},
		"another stay, of a person without one": func(b *bench, id handover.MessageID) error {
			_, err := b.g.Rule(t.Context(), forKommune, id, desk.VerdictAnotherStay)
			return err
		},
		"corrected": func(b *bench, id handover.MessageID) error {
			_, err := b.g.Rule(t.Context(), forKommune, id, desk.VerdictCorrected)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			ref := b.ready("V1")
			note := func(id string) handover.MessageID {
				return b.must(b.kith(about(notat(id, ref, "Kommer tilbake til dette."), ingrid, "Strand", "Ingrid", "1965-10-05"))).Message
			}
			first, second := note("n1"), note("n2")
			if err := end(b, first); err != nil {
				t.Fatal(err)
			}
			if !b.hasAttention(handover.AttentionChainsMeet) {
				t.Error("the second note is parked, and nobody is asked")
			}
			if err := end(b, second); err != nil {
				t.Fatal(err)
			}
			if b.hasAttention(handover.AttentionChainsMeet) {
				t.Error("nothing meets the handover any more, and a person is still asked")
			}
			b.balanced()
		})
	}
}

// TestReroute_OfWhatIsOld: an old message does not take a stay away from whom its sender's later
// ones led to.
func TestReroute_OfWhatIsOld(t *testing.T) {
	b := newBench(t)
	old := b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1", kommunenummer: nowhere}.String()))
	b.must(b.hl7(adt{trigger: "A01", id: "M2", visit: "V1"}.String()))
	m, err := b.g.Reroute(t.Context(), forSykehus, old.Message, institusjon)
	if err != nil || m.Disposition != ledger.DispositionParked {
		t.Errorf("%s, %v", m.Disposition, err)
	}
	b.state(handover.StateAnnounced, sykehus)
	b.balanced()
}

// TestReroute_OfWhatIsOldToTheSame: an old message that is routed to whom later ones led to changes
// nothing that they said.
func TestReroute_OfWhatIsOldToTheSame(t *testing.T) {
	b := newBench(t)
	old := b.must(b.hl7(strings.Replace(adt{trigger: "A01", id: "M1", visit: "V1", kommunenummer: nowhere, extra: infection("gammel")}.String(), "MYRVANG^", "GAMMEL^", 1)))
	b.pass(time.Minute)
	b.must(b.hl7(adt{trigger: "A01", id: "M2", visit: "V1", extra: infection("ny")}.String()))
	b.must(b.hl7(adt{trigger: "A16", id: "M3", visit: "V1"}.String()))
	b.receiptAll()
	if m, err := b.g.Reroute(t.Context(), forSykehus, old.Message, kommune); err != nil || m.Disposition == ledger.DispositionMoving {
		t.Errorf("%s, %v", m.Disposition, err)
	}
	b.receiptAll()
	if b.leaks(kommune, "GAMMEL") {
		t.Error("what was said before is told as new")
	}
	b.must(b.hl7(adt{trigger: "A08", id: "M4", visit: "V1"}.String()))
	b.state(handover.StateReceived, sykehus)
	if b.hasAttention(handover.AttentionReceiverMayBeWrong) {
		t.Error("the old place of residence is taken for a new one")
	}
	b.balanced()
}

// TestInvariant2_ARulingIsRemembered: a message that is about another stay and has no route yet can be
// routed by a further act.
func TestInvariant2_ARulingIsRemembered(t *testing.T) {
	b := newBench(t)
	other := func(s string) string { return about(s, ingrid, "Strand", "Ingrid", "1965-10-05") }
	first := b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1", kommunenummer: nowhere}.String()))
	second := b.must(b.hl7(other(adt{trigger: "A01", id: "M2", visit: "V1", kommunenummer: nowhere}.String())))
	if _, err := b.g.Reroute(t.Context(), forSykehus, first.Message, kommune); err != nil {
		t.Fatal(err)
	}
	for _, rule := range []func() (ledger.Message, error){
		func() (ledger.Message, error) { return b.g.Reroute(t.Context(), forSykehus, second.Message, kommune) },
		func() (ledger.Message, error) {
			return b.g.Rule(t.Context(), forSykehus, second.Message, desk.VerdictAnotherStay)
		},
	} {
		if m, err := rule(); err != nil || m.Disposition != ledger.DispositionParked {
			t.Fatalf("%s %s, %v", m.Disposition, m.Detail, err)
		}
	}
	m, err := b.g.Reroute(t.Context(), forSykehus, second.Message, kommune)
	if err != nil || m.Disposition != ledger.DispositionApplied {
		t.Errorf("%s %s, %v", m.Disposition, m.Detail, err)
	}
	if n := len(b.all()); n != 2 {
		t.Errorf("%d handovers", n)
	}
	b.balanced()
}
