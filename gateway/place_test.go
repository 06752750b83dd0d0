package gateway_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"stafett/adapters"
	"stafett/gateway/desk"
	"stafett/handover"
	"stafett/ledger"
)

const (
	ingrid = "05906500134" // another person, invented: month + 80
	twin   = "12834800126"
)

// about is the message about another person than Solveig.
func about(message, fnr, family, given, born string) string {
	return strings.NewReplacer(solveig, fnr, "MYRVANG", family, "Myrvang", family, "SOLVEIG", given, "Solveig", given,
		"19480312", strings.ReplaceAll(born, "-", ""), "1948-03-12", born).Replace(message)
}

// ready brings one stay to received, and returns the id of the notice that an answer refers to.
func (b *bench) ready(visit string) string {
	b.t.Helper()
	b.must(b.hl7(adt{trigger: "A16", id: "A16" + visit, visit: visit}.String()))
	b.receiptAll()
	klar := b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")
	return klar[len(klar)-1].ID
}

// parkedOn holds a message to parked, and its handover to an attention, with nothing of it told.
func (b *bench) parkedOn(id handover.MessageID, why handover.AttentionReason) {
	b.t.Helper()
	if m := b.message(id); m.Disposition != ledger.DispositionParked || m.Contact == "" || m.Deadline.IsZero() {
		b.t.Fatalf("%s, contact %q", m.Disposition, m.Contact)
	}
	b.attention(why)
}

// leaks reports whether a party was sent a text.
func (b *bench) leaks(p handover.PartyID, texts ...string) bool {
	b.deliver()
	for _, o := range b.out.to(p) {
		for _, text := range texts {
			if strings.Contains(strings.ToLower(string(o.Raw)), strings.ToLower(text)) {
				return true
			}
		}
	}
	return false
}

// TestInvariant9_AnswerAboutAnotherPerson: a note that refers to the right notice and names
// somebody else answers nothing until a named person says whose it is.
func TestInvariant9_AnswerAboutAnotherPerson(t *testing.T) {
	for _, c := range []struct {
		name string
		note func(note string) string
		same bool
	}{
		{"the same", func(n string) string { return n }, true},
		{"the same number, another spelling of the name", func(n string) string { return strings.ReplaceAll(n, "Myrvang", "Myr-Vang") }, true},
		{"no number, the same name and birth date", func(n string) string {
			return cutBetween(n, "<Ident><Id>"+solveig, "</Ident>")
		}, true},
		{"another number, name and birth date", func(n string) string { return about(n, ingrid, "Strand", "Ingrid", "1965-10-05") }, false},
		{"another number, the same family and birth date: a twin", func(n string) string { return about(n, twin, "Myrvang", "Sigrid", "1948-03-12") }, false},
		{"no number, another name", func(n string) string {
			return about(cutBetween(n, "<Ident><Id>"+solveig, "</Ident>"), "", "Strand", "Solveig", "1948-03-12")
		}, false},
		{"no number, another birth date", func(n string) string {
			return about(cutBetween(n, "<Ident><Id>"+solveig, "</Ident>"), "", "Myrvang", "Solveig", "1949-03-12")
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			ref := b.ready("V1")
			a := b.must(b.kith(c.note(notat("n1", ref, "SVAR=KAN_MOTTA;DATO=2026-03-03"))))
			if c.same {
				b.state(handover.StateAccepted, kommune)
				return
			}
			b.parkedOn(a.Message, handover.AttentionChainsMeet)
			b.state(handover.StateReceived, sykehus)
			if b.leaks(sykehus, "kan ta imot", "SVAR=", ingrid, twin, "Strand", "Sigrid") {
				t.Error("the hospital was told of it")
			}
			b.balanced()
		})
	}
}

// cutBetween removes from the first text to the next one, both included.
func cutBetween(s, from, to string) string {
	before, rest, found := strings.Cut(s, from)
	_, after, ended := strings.Cut(rest, to)
	if !found || !ended {
		return s
	}
	return before + after
}

// TestInvariant9_ANamedPersonSaysWhose: corrected applies the message, another-stay does not.
func TestInvariant9_ANamedPersonSaysWhose(t *testing.T) {
	b := newBench(t)
	ref := b.ready("V1")
	a := b.must(b.kith(about(notat("n1", ref, "SVAR=KAN_MOTTA;DATO=2026-03-03"), ingrid, "Strand", "Ingrid", "1965-10-05")))
	if _, err := b.g.Rule(t.Context(), asKommune, a.Message, desk.VerdictCorrected); err == nil {
		t.Error("a party rules")
	}
	m, err := b.g.Rule(t.Context(), forKommune, a.Message, desk.VerdictAnotherStay)
	if err != nil || m.Disposition != ledger.DispositionParked {
		t.Fatalf("%s, %v", m.Disposition, err)
	}
	b.state(handover.StateReceived, sykehus)
	m, err = b.g.Rule(t.Context(), forKommune, a.Message, desk.VerdictCorrected)
	if err != nil || m.Disposition != ledger.DispositionApplied {
		t.Fatalf("%s, %v", m.Disposition, err)
	}
	b.state(handover.StateAccepted, kommune)
	if b.hasAttention(handover.AttentionChainsMeet) {
		t.Error("a person has said whose it is, and is still asked")
	}
	b.balanced()
}

// TestInvariant9_AnotherStayIsItsPatients: what a named person says is about another stay goes to
// the only one that its patient has.
func TestInvariant9_AnotherStayIsItsPatients(t *testing.T) {
	b := newBench(t)
	ref := b.ready("V1")
	other := func(s string) string { return about(s, ingrid, "Strand", "Ingrid", "1965-10-05") }
	b.must(b.hl7(other(adt{trigger: "A16", id: "M2", visit: "V2"}.String())))
	b.receiptAll()
	a := b.must(b.kith(other(notat("n1", ref, yes))))
	if m := b.message(a.Message); m.Disposition != ledger.DispositionParked {
		t.Fatalf("%s", m.Disposition)
	}
	m, err := b.g.Rule(t.Context(), forKommune, a.Message, desk.VerdictAnotherStay)
	if err != nil || m.Disposition != ledger.DispositionApplied {
		t.Fatalf("%s, %v", m.Disposition, err)
	}
	if h := b.inState(handover.StateAccepted); m.Handover != h.ID || h.Custodian != kommune {
		t.Errorf("%+v", h)
	}
	if h := b.inState(handover.StateReceived); len(h.Attentions) != 0 {
		t.Errorf("a person has said that it is another stay's, and is still asked: %+v", h.Attentions)
	}
	b.balanced()
}

// TestInvariant9_11_AddressedToAnother: an answer that is addressed to somebody else, or to its
// own sender, is no answer to this hospital.
func TestInvariant9_11_AddressedToAnother(t *testing.T) {
	for name, receiver := range map[string]string{"another party": "80003", "its own sender": "80002"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			ref := b.ready("V1")
			note := notat("n1", ref, "SVAR=KAN_MOTTA;DATO=2026-03-03")
			before, after, _ := strings.Cut(note, "<Receiver>")
			a := b.must(b.kith(before + "<Receiver>" + strings.Replace(after, "80001", receiver, 1)))
			b.parkedOn(a.Message, handover.AttentionChainsMeet)
			b.state(handover.StateReceived, sykehus)
			b.deliver()
			if n := len(b.ofType(kommune, "APPREC")); n != 0 {
				t.Errorf("%d receipts in the name of one that never saw it", n)
			}
			b.balanced()
		})
	}
}

// TestInvariant9_StayNumberOfAnother: a stay number is unique only within its facility, and
// one that is free again is the next patient's.
func TestInvariant9_StayNumberOfAnother(t *testing.T) {
	other := func(m adt) string { return about(m.String(), ingrid, "STRAND", "INGRID", "1965-10-05") }
	twoFacilities := func(b *bench) {
		b.edit = strings.NewReplacer("facilities: [FJELLHEIM]", "facilities: [FJELLHEIM, FJELLHEIM2]")
	}
	t.Run("another facility", func(t *testing.T) {
		b := newBench(t, twoFacilities)
		b.ready("V1")
		b.must(b.hl7(strings.ReplaceAll(other(adt{trigger: "A16", id: "M2", visit: "V1"}), "|FJELLHEIM|", "|FJELLHEIM2|")))
		if n := len(b.all()); n != 2 {
			t.Fatalf("%d handovers", n)
		}
		b.balanced()
	})
	t.Run("an open stay", func(t *testing.T) {
		b := newBench(t)
		b.ready("V1")
		a := b.must(b.hl7(other(adt{trigger: "A03", id: "M2", visit: "V1"})))
		b.parkedOn(a.Message, handover.AttentionChainsMeet)
		b.state(handover.StateReceived, sykehus)
		if b.leaks(kommune, ingrid, "Strand") {
			t.Error("the municipality was told of the stranger")
		}
		if _, err := b.g.Rule(t.Context(), forSykehus, a.Message, desk.VerdictAnotherStay); err != nil {
			t.Fatal(err)
		}
		b.state(handover.StateReceived, sykehus)
		b.balanced()
	})
	t.Run("a closed stay", func(t *testing.T) {
		b := newBench(t)
		b.accepted("V1")
		b.must(b.hl7(adt{trigger: "A03", id: "M3", visit: "V1"}.String()))
		b.receiptAll()
		first := b.inState(handover.StateCompleted)
		encounter := b.mustRead(asSykehus, "Task", string(first.ID)).Str("encounter", "reference")
		b.must(b.hl7(other(adt{trigger: "A01", id: "M4", visit: "V1"})))
		next := b.inState(handover.StateAnnounced)
		if next.Chain == first.Chain {
			t.Error("two patients have one chain")
		}
		if again := b.mustRead(asSykehus, "Task", string(next.ID)).Str("encounter", "reference"); again == encounter {
			t.Error("two patients have one stay")
		}
		b.must(b.hl7(other(adt{trigger: "A16", id: "M5", visit: "V1"})))
		if h := b.inState(handover.StateRequested); h.ID != next.ID {
			t.Error("the second patient's notice is another stay's")
		}
		b.balanced()
	})
}

// TestRouteAndProtection_AreLookedAtOnEveryMessage: nothing more is sent to a receiver that
// may be wrong, until a named person says where it goes.
func TestRouteAndProtection_AreLookedAtOnEveryMessage(t *testing.T) {
	move := adt{trigger: "A16", id: "M2", visit: "V1", kommunenummer: "9999"}.String()
	protect := strings.Replace(adt{trigger: "A16", id: "M2", visit: "V1"}.String(), "PD1||||||||||||N", "PD1||||||||||||Y", 1)
	unreadable := strings.Replace(protect, "PD1||||||||||||Y", "PD1||||||||||||?", 1)
	for name, message := range map[string]string{"moved": move, "protected": protect, "a protection that cannot be read": unreadable} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1"}.String()))
			b.receiptAll()
			a := b.must(b.hl7(message))
			b.parkedOn(a.Message, handover.AttentionReceiverMayBeWrong)
			b.deliver()
			if n := len(b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")); n != 0 {
				t.Fatal("it was sent on")
			}
			m, err := b.g.Reroute(t.Context(), forSykehus, a.Message, kommune)
			if err != nil || m.Disposition != ledger.DispositionApplied {
				t.Fatalf("%s, %v", m.Disposition, err)
			}
			b.receiptAll()
			if n := len(b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")); n != 1 {
				t.Fatalf("%d notices after a person routed it", n)
			}
			// What the person said holds for the messages that follow.
			b.must(b.hl7(strings.NewReplacer("|M2|", "|M3|", "A16", "A25").Replace(message)))
			if h := b.handover(); h.State != handover.StateAnnounced {
				t.Errorf("%s", h.State)
			}
			b.balanced()
		})
	}
	t.Run("what is left out says nothing", func(t *testing.T) {
		b := newBench(t)
		at := func(trigger, place string) string {
			return strings.Replace(adt{trigger: trigger, id: "M" + trigger, visit: "V1"}.String(), "^9901^NO^H^^9901|", place, 1)
		}
		b.must(b.hl7(at("A01", "^9990^NO^H^^9901|")))
		for i, place := range []string{"^9990^NO^H|", "^^NO^H|", "^9990^NO^H^^9901|"} {
			a := b.must(b.hl7(strings.Replace(at([]string{"A16", "A25", "A16"}[i], place), "|MA", fmt.Sprintf("|M%dA", i), 1)))
			if m := b.message(a.Message); m.Disposition != ledger.DispositionApplied {
				t.Fatalf("%q: %s for %s: %s", place, m.Disposition, m.Reason, m.Detail)
			}
		}
		b.state(handover.StateRequested, sykehus)
		a := b.must(b.hl7(at("A25", "^9991^NO^H|")))
		b.parkedOn(a.Message, handover.AttentionReceiverMayBeWrong)
	})
	t.Run("what begins no handover is not lost at another receiver", func(t *testing.T) {
		for _, trigger := range []string{"A08", "A03"} {
			b := newBench(t)
			b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1"}.String()))
			b.receiptAll()
			a := b.must(b.hl7(adt{trigger: trigger, id: "M2", visit: "V1", kommunenummer: "9999"}.String()))
			if _, err := b.g.Reroute(t.Context(), forSykehus, a.Message, institusjon); err != nil {
				t.Fatal(err)
			}
			b.parkedOn(a.Message, handover.AttentionReceiverMayBeWrong)
			b.balanced()
		}
	})
	t.Run("to another receiver", func(t *testing.T) {
		b := newBench(t)
		b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1"}.String()))
		b.receiptAll()
		a := b.must(b.hl7(move))
		if _, err := b.g.Reroute(t.Context(), forSykehus, a.Message, institusjon); err != nil {
			t.Fatal(err)
		}
		old, next := b.inState(handover.StateWithdrawn), b.inState(handover.StateRequested)
		if old.Receiver != kommune || next.Receiver != institusjon || next.Sender != sykehus {
			t.Fatalf("%+v\n%+v", old, next)
		}
		b.deliver()
		if len(b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")) != 0 || len(b.out.to(institusjon)) == 0 {
			t.Error("the first receiver was told, or the second was not")
		}
		b.balanced()
	})
}

// TestInvariant7_UnreadablePolicyFact: a fact that decides and cannot be read is asked of a
// person; one that is deleted, or of another code system, is none.
func TestInvariant7_UnreadablePolicyFact(t *testing.T) {
	fact := func(value string) string {
		return strings.Replace(adt{trigger: "A01", id: "M1", visit: "V1"}.String(), "99STAFETT||J^Ja", value, 1)
	}
	for _, c := range []struct {
		name, value string
		want        ledger.Disposition
		handovers   int
	}{
		{"yes", "99STAFETT||J^Ja", ledger.DispositionApplied, 1},
		{"no", "99STAFETT||N^Nei", ledger.DispositionApplied, 0},
		{"unreadable", "99STAFETT||KANSKJE", ledger.DispositionParked, 0},
		{"deleted", "99STAFETT||J^Ja||||||D", ledger.DispositionApplied, 0},
		{"of another code system", "99LOKAL||J^Ja", ledger.DispositionApplied, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			a := b.must(b.hl7(fact(c.value)))
			if m := b.message(a.Message); m.Disposition != c.want || len(b.all()) != c.handovers {
				t.Errorf("%s %s, %d handovers", m.Disposition, m.Reason, len(b.all()))
			}
			b.balanced()
		})
	}
}

// byKITH takes what the hospital's messages became as messages of a hospital that speaks
// KITH, in a gateway of their own.
func byKITH(t *testing.T) (b *bench, notices map[string]string) {
	t.Helper()
	source := newBench(t)
	source.accepted("V1")
	source.must(source.hl7(adt{trigger: "A03", id: "M3", visit: "V1"}.String()))
	source.receiptAll()
	notices = map[string]string{}
	for _, o := range source.out.to(kommune) {
		if strings.HasPrefix(o.Type, "LOG_") {
			notices[o.Type] = string(o.Raw)
		}
	}
	return newBench(t, func(b *bench) {
		b.edit = strings.NewReplacer(`application: EPJ, facility: FJELLHEIM}`, `application: EPJ, facility: FJELLHEIM}
      - {name: epj, her: "80102", wire: kith, url: "http://127.0.0.1:8084/", takes: [APPREC, DIALOG_HELSEFAGLIG]}`)
	}), notices
}

// bySykehus sends a KITH message of the hospital.
func (b *bench) bySykehus(raw string) adapters.Answer {
	b.t.Helper()
	return b.g.Take(b.t.Context(), adapters.Inbound{Wire: handover.WireKITH, Caller: sykehus, Raw: []byte(raw)})
}

// TestHospitalByKITH_StartsByConversation: each notice of a hospital without stay numbers
// reaches the municipality, the first one begins the handover, and the others find it.
func TestHospitalByKITH_StartsByConversation(t *testing.T) {
	for _, order := range [][]string{
		{"LOG_INNLAGT", "LOG_UTSKRIVNINGSKLAR", "LOG_UTSKREVET"},
		{"LOG_UTSKRIVNINGSKLAR", "LOG_UTSKREVET"},
		{"LOG_UTSKREVET"},
	} {
		t.Run(strings.Join(order, " "), func(t *testing.T) {
			b, notices := byKITH(t)
			for _, typ := range order {
				a := b.must(b.bySykehus(notices[typ]))
				if m := b.message(a.Message); m.Disposition != ledger.DispositionApplied || m.Handover != b.handover().ID {
					t.Fatalf("%s: %s %s %s", typ, m.Disposition, m.Reason, m.Detail)
				}
				b.receiptAll()
				if n := len(b.ofType(kommune, typ)); n != 1 {
					t.Fatalf("%s: the municipality was sent %d", typ, n)
				}
			}
			if n := len(b.ofType(sykehus, "APPREC")); n != len(order) {
				t.Errorf("%d receipts for %d messages", n, len(order))
			}
			if h := b.handover(); h.Facts.DischargedAt.IsZero() || !b.hasAttention(handover.AttentionDischargedUnaccepted) {
				t.Errorf("%+v", h)
			}
			b.balanced()
		})
	}
}

// TestHospitalByKITH_ReadyTakenBack: a ready notice with status C says not ready after all.
func TestHospitalByKITH_ReadyTakenBack(t *testing.T) {
	b, notices := byKITH(t)
	klar := notices["LOG_UTSKRIVNINGSKLAR"]
	b.must(b.bySykehus(klar))
	b.receiptAll()
	id := between([]byte(klar), "<MsgId>", "<")
	cancelled := strings.NewReplacer(`Forsendelsesstatus V="N"`, `Forsendelsesstatus V="C"`,
		"<MsgId>"+id+"</MsgId>", "<MsgId>"+uuidOf("cancelled")+"</MsgId>").Replace(klar)
	a := b.must(b.bySykehus(cancelled))
	if m := b.message(a.Message); m.Disposition != ledger.DispositionApplied {
		t.Fatalf("%s %s", m.Disposition, m.Detail)
	}
	b.state(handover.StateAnnounced, sykehus)
	b.receiptAll()
	var told []string
	for _, o := range b.out.to(kommune) {
		told = append(told, o.Type+" "+between(o.Raw, `Forsendelsesstatus V="`, `"`))
	}
	if got := fmt.Sprint(told); got != "[LOG_UTSKRIVNINGSKLAR N LOG_AVMELDING N]" {
		t.Errorf("the municipality was told %s", got)
	}
	b.balanced()
}

// TestTold_WhatAMessageLeavesOutStillHolds: of the patient too.
func TestTold_WhatAMessageLeavesOutStillHolds(t *testing.T) {
	b := newBench(t)
	b.ready("V1")
	without := strings.Replace(adt{trigger: "A03", id: "M2", visit: "V1"}.String(), "Storgata 1^^Dalvik^^9901^NO^H^^9901", "", 1)
	b.must(b.hl7(without))
	b.receiptAll()
	task := b.mustRead(asSykehus, "Task", string(b.handover().ID))
	_, id, _ := strings.Cut(task.Str("for", "reference"), "/")
	if b.mustRead(asSykehus, "Patient", id).At("address").Str("postalCode") != "9901" {
		t.Error("the address is gone")
	}
	if b.leaks(kommune, "fjernet") {
		t.Error("the municipality is told that something is gone")
	}
	b.balanced()
}

// TestRouteAndProtection_HoldUntilAPersonAnswers: what a later message leaves out does not take
// back what an earlier one said of protection or residence.
func TestRouteAndProtection_HoldUntilAPersonAnswers(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1"}.String()))
	b.receiptAll()
	protect := b.must(b.hl7(strings.Replace(adt{trigger: "A08", id: "M2", visit: "V1"}.String(), "PD1||||||||||||N", "PD1||||||||||||Y", 1)))
	later := b.must(b.hl7(strings.Replace(adt{trigger: "A16", id: "M3", visit: "V1"}.String(), "PD1||||||||||||N\r", "", 1)))
	for _, a := range []adapters.Answer{protect, later} {
		b.parkedOn(a.Message, handover.AttentionReceiverMayBeWrong)
	}
	if _, err := b.g.Reroute(t.Context(), forSykehus, protect.Message, kommune); err != nil {
		t.Fatal(err)
	}
	if b.hasAttention(handover.AttentionReceiverMayBeWrong) {
		t.Error("a person has answered, and it is still asked")
	}
	if m, err := b.g.Reprocess(t.Context(), forSykehus, later.Message); err != nil || m.Disposition != ledger.DispositionApplied {
		t.Fatalf("%s, %v", m.Disposition, err)
	}
	b.balanced()
}

// TestRouteAndProtection_RememberedWithoutAHandover: what was said of the person before anything
// began is known when it does, and holds until it is said otherwise.
func TestRouteAndProtection_RememberedWithoutAHandover(t *testing.T) {
	said := func(a adt, flag string) string {
		return strings.Replace(a.String(), "PD1||||||||||||N\r", flag, 1)
	}
	const protect, open, nothing = "PD1||||||||||||Y\r", "PD1||||||||||||N\r", ""
	for name, first := range map[string]adt{
		"a parked admission":        {trigger: "A01", id: "M1", visit: "V1"},
		"another stay":              {trigger: "A01", id: "M1", visit: "V0"},
		"an update of no stay":      {trigger: "A08", id: "M1", visit: "V0"},
		"an admission to be undone": {trigger: "A11", id: "M1", visit: "V1"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.must(b.hl7(said(first, protect)))
			next := b.must(b.hl7(said(adt{trigger: "A16", id: "M2", visit: "V1"}, nothing)))
			if m := b.message(next.Message); m.Disposition != ledger.DispositionParked || m.Reason != handover.FaultNoRoute {
				t.Fatalf("%s for %s", m.Disposition, m.Reason)
			}
			b.deliver()
			if n := len(b.out.to(kommune)); n != 0 {
				t.Fatalf("the municipality was sent %d", n)
			}
			b.must(b.hl7(said(adt{trigger: "A16", id: "M3", visit: "V2"}, open)))
			b.must(b.hl7(said(adt{trigger: "A16", id: "M4", visit: "V3"}, nothing)))
			b.deliver()
			if n := len(b.all()); n != 2 {
				t.Errorf("%d handovers after the protection was ended", n)
			}
			b.balanced()
		})
	}
	b := newBench(t)
	first := b.must(b.hl7(said(adt{trigger: "A01", id: "M1", visit: "V1"}, protect)))
	if _, err := b.g.Reroute(t.Context(), forSykehus, first.Message, kommune); err != nil {
		t.Fatal(err)
	}
	b.must(b.hl7(said(adt{trigger: "A16", id: "M2", visit: "V1"}, nothing)))
	b.state(handover.StateRequested, sykehus)
}

// TestRouteAndProtection_HoldWhateverWasSaidBefore: what waited ends no protection; what was said on
// another stay, or of a number that was merged, is looked at on an open handover too.
func TestRouteAndProtection_HoldWhateverWasSaidBefore(t *testing.T) {
	said := func(a adt, flag string) string {
		return strings.Replace(a.String(), "PD1||||||||||||N\r", flag, 1)
	}
	const protect, open, nothing, prior = "PD1||||||||||||Y\r", "PD1||||||||||||N\r", "", "77001^^^FJELLHEIM^PI"
	own := func(s string) string { return strings.Replace(s, solveig+"^^^FNR^FNR", prior, 1) }
	for name, before := range map[string][]string{
		"what waited":   {said(adt{trigger: "A11", id: "M1", visit: "V9"}, open), said(adt{trigger: "A08", id: "M2", visit: "V0"}, protect)},
		"another stay":  {said(adt{trigger: "A01", id: "M1", visit: "V1"}, open), said(adt{trigger: "A08", id: "M2", visit: "V0"}, protect)},
		"merged number": {own(said(adt{trigger: "A08", id: "M1", visit: "V0"}, protect)), strings.Replace(said(adt{trigger: "A40", id: "M2", extra: "MRG|" + prior + "\r"}, nothing), "|V1|", "||", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			for _, m := range before {
				b.must(b.hl7(m))
				b.pass(2 * time.Minute)
				b.watch()
				b.deliver()
			}
			told := len(b.out.to(kommune))
			a := b.must(b.hl7(said(adt{trigger: "A16", id: "M3", visit: "V1"}, nothing)))
			b.deliver()
			if m := b.message(a.Message); m.Disposition != ledger.DispositionParked || len(b.out.to(kommune)) != told {
				t.Fatalf("%s, and the municipality was sent %d more", m.Disposition, len(b.out.to(kommune))-told)
			}
			if name != "another stay" {
				return
			}
			h := b.handover()
			if _, err := b.g.RecordAnswer(t.Context(), forSykehus, desk.Answer{Handover: h.ID,
				Event: handover.EventAttentionResolved, Attention: handover.AttentionReceiverMayBeWrong}); err != nil {
				t.Fatal(err)
			}
			b.must(b.hl7(said(adt{trigger: "A16", id: "M4", visit: "V1"}, nothing)))
			b.state(handover.StateRequested, sykehus)
			b.balanced()
		})
	}
}

// TestCancellation_OvertakesItsOriginal: also on a stay whose admission began nothing.
func TestCancellation_OvertakesItsOriginal(t *testing.T) {
	for _, fed := range []bool{false, true} {
		b := newBench(t)
		if fed {
			b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1", noNeed: true}.String()))
		}
		b.must(b.hl7(adt{trigger: "A25", id: "M2", visit: "V1"}.String()))
		b.must(b.hl7(adt{trigger: "A16", id: "M3", visit: "V1"}.String()))
		for range 3 {
			b.pass(2 * time.Minute)
			b.watch()
		}
		b.deliver()
		b.state(handover.StateAnnounced, sykehus)
		b.balanced()
	}
}

// TestCancellation_OfAnAdmissionThatBeganNothing: it waits for nothing, and takes nothing back of
// the admission that comes after it.
func TestCancellation_OfAnAdmissionThatBeganNothing(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1", noNeed: true}.String()))
	if n := len(b.all()); n != 0 {
		t.Fatalf("%d handovers", n)
	}
	undo := b.must(b.hl7(adt{trigger: "A11", id: "M2", visit: "V1"}.String()))
	if m := b.message(undo.Message); m.Disposition != ledger.DispositionApplied {
		t.Fatalf("%s: %s", m.Disposition, m.Detail)
	}
	b.must(b.hl7(adt{trigger: "A01", id: "M3", visit: "V1"}.String()))
	b.state(handover.StateAnnounced, sykehus)
	b.balanced()
}

// TestInvariant3_TwoAnswersAreNone: wherever in a message the second one stands.
func TestInvariant3_TwoAnswersAreNone(t *testing.T) {
	for name, text := range map[string]string{
		"in one text":   "SVAR=KAN_MOTTA;DATO=2026-03-03\nSVAR=KAN_IKKE_MOTTA;DATO=UKJENT",
		"in the remark": "SVAR=KAN_MOTTA;DATO=2026-03-03</TekstNotatInnhold><Merknad>SVAR=KAN_IKKE_MOTTA;DATO=UKJENT</Merknad><!--",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			note := strings.Replace(notat("n1", b.ready("V1"), text), "<!--</TekstNotatInnhold>", "", 1)
			b.must(b.kith(note))
			b.state(handover.StateReceived, sykehus)
			b.attention(handover.AttentionAnswerNeedsReading)
			b.balanced()
		})
	}
}

// TestInvariant7_DeadAndThenNot: what was told of a death is not taken back by itself, and a
// person is asked.
func TestInvariant7_DeadAndThenNot(t *testing.T) {
	b := newBench(t)
	b.ready("V1")
	b.must(b.hl7(dead(adt{trigger: "A03", id: "M2", visit: "V1"})))
	a := b.must(b.hl7(adt{trigger: "A03", id: "M3", visit: "V1"}.String()))
	if m := b.message(a.Message); m.Disposition != ledger.DispositionParked || m.Contact == "" {
		t.Errorf("%s %q", m.Disposition, m.Contact)
	}
	b.balanced()
}

// TestInvariant10_NothingOfAnotherPatient: a resource that is written into a handover and
// names another patient is refused, whatever it is based on.
func TestInvariant10_NothingOfAnotherPatient(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.deliver()
	stranger := b.mustPost(asInstitusjon, somePatient)
	for name, resource := range map[string]string{
		"subject": `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/` + stranger + `"},"basedOn":[{"reference":"ServiceRequest/` + r.request + `"}]}`,
		"focus":   `{"resourceType":"Observation","status":"final","code":{"text":"x"},"focus":[{"reference":"Patient/` + stranger + `"}],"basedOn":[{"reference":"ServiceRequest/` + r.request + `"}]}`,
	} {
		if _, err := b.post(asInstitusjon, resource); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	own := b.mustPost(asInstitusjon, `{"resourceType":"Patient","identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"12034800241"}],"name":[{"family":"Myrvang","given":["Solveig"]}],"birthDate":"1948-03-12"}`)
	b.mustPost(asInstitusjon, `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/`+own+`"},"basedOn":[{"reference":"ServiceRequest/`+r.request+`"}]}`)
	b.balanced()
}

// TestCancellation_OfParkedMessages: what was parked of a stay that was taken back since begins it
// no more.
func TestCancellation_OfParkedMessages(t *testing.T) {
	b := newBench(t)
	nowhere := func(trigger, id string) string {
		return strings.Replace(adt{trigger: trigger, id: id, visit: "V1", kommunenummer: "9999"}.String(), "^^9901^NO^H^^9999", "^^9999^NO^H^^9999", 1)
	}
	admitted, ready := b.must(b.hl7(nowhere("A01", "M1"))), b.must(b.hl7(nowhere("A16", "M2")))
	b.must(b.hl7(nowhere("A11", "M3")))
	if _, err := b.g.Reroute(t.Context(), forSykehus, admitted.Message, kommune); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		b.pass(2 * time.Minute)
		b.watch()
		b.deliver()
	}
	b.inState(handover.StateVoided)
	m, err := b.g.Reroute(t.Context(), forSykehus, ready.Message, kommune)
	if err != nil || m.Disposition != ledger.DispositionParked || len(b.all()) != 1 {
		t.Fatalf("%s, %v, %d handovers", m.Disposition, err, len(b.all()))
	}
	b.balanced()
}
