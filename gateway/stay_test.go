package gateway_test

import (
	"strings"
	"testing"

	"stafett/adapters"
	"stafett/gateway/desk"
	"stafett/handover"
	"stafett/ledger"
)

// all are the handovers there are, newest first or not.
func (b *bench) all() []handover.Handover {
	b.t.Helper()
	hs, err := b.store.Handovers(b.t.Context(), ledger.HandoverFilter{})
	if err != nil {
		b.t.Fatal(err)
	}
	return hs.Items
}

// inState is the only handover in a state.
func (b *bench) inState(s handover.State) handover.Handover {
	b.t.Helper()
	var found []handover.Handover
	for _, h := range b.all() {
		if h.State == s {
			found = append(found, h)
		}
	}
	if len(found) != 1 {
		b.t.Fatalf("%d handovers are %s, of %d", len(found), s, len(b.all()))
	}
	return found[0]
}

// dead is the same message with the patient's death in PID-29 and PID-30.
func dead(m adt) string {
	return strings.Replace(m.String(), "70000000\r", "70000000"+strings.Repeat("|", 16)+"20260302080000|Y\r", 1)
}

// accepted brings one stay to accepted, receipted by the municipality.
func (b *bench) accepted(visit string) string {
	b.t.Helper()
	b.must(b.hl7(adt{trigger: "A01", id: "A01" + visit, visit: visit}.String()))
	b.must(b.hl7(adt{trigger: "A16", id: "A16" + visit, visit: visit}.String()))
	b.receiptAll()
	klar := b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")
	ref := klar[len(klar)-1].ID
	b.must(b.kith(notat("yes"+visit, ref, "SVAR=KAN_MOTTA;DATO=2026-03-03")))
	return ref
}

func TestStay_Readmitted(t *testing.T) {
	b := newBench(t)
	ref := b.accepted("V1")
	b.must(b.hl7(adt{trigger: "A03", id: "M3", visit: "V1"}.String()))
	b.deliver()
	old := b.handover()
	if old.State != handover.StateInProgress {
		t.Fatalf("%s", old.State)
	}
	a := b.must(b.hl7(adt{trigger: "A01", id: "M4", visit: "V2"}.String()))
	ended, next := b.inState(handover.StateCompleted), b.inState(handover.StateAnnounced)
	if ended.ID != old.ID || ended.Next.Handover != next.ID || next.Chain != old.Chain || next.Custodian != sykehus || next.Receiver != kommune {
		t.Fatalf("ended %+v\nnext %+v", ended, next)
	}
	if ended.Custodian != sykehus {
		t.Fatalf("the ended one is held by %s", ended.Custodian) // invariant 3: all of a chain name one
	}
	if m := b.message(a.Message); m.Handover != next.ID {
		t.Error("the message is not the new stay's")
	}
	b.deliver()
	if n := len(b.ofType(kommune, "LOG_INNLAGT")); n != 2 {
		t.Errorf("%d LOG_INNLAGT", n)
	}
	// The new stay goes its own way; what is late for the old one reopens nothing.
	b.must(b.hl7(adt{trigger: "A16", id: "M5", visit: "V2"}.String()))
	b.inState(handover.StateRequested)
	b.must(b.hl7(adt{trigger: "A01", id: "M6", visit: "V1"}.String()))
	b.must(b.kith(notat("late", ref, "SVAR=KAN_MOTTA;DATO=2026-03-03")))
	if h := b.inState(handover.StateRequested); h.Custodian != sykehus {
		t.Fatalf("an answer to the earlier stay moved the new one to %s", h.Custodian)
	}
	b.receiptAll()
	b.balanced()
}

func TestStay_Died(t *testing.T) {
	tests := []struct {
		name    string
		reach   func(b *bench)
		custody handover.PartyID
	}{
		{"announced", func(b *bench) { b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1"}.String())) }, sykehus},
		{"requested", func(b *bench) { b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String())) }, sykehus},
		{"accepted", func(b *bench) { b.accepted("V1") }, kommune},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			tt.reach(b)
			b.receiptAll()
			before := len(b.out.to(kommune))
			b.must(b.hl7(dead(adt{trigger: "A03", id: "M9", visit: "V1"})))
			b.state(handover.StateWithdrawn, tt.custody)
			h := b.handover()
			if h.Next.None != handover.NoneDied || h.Facts.DiedAt.IsZero() || !h.NextDue().IsZero() {
				t.Fatalf("%+v", h)
			}
			b.deliver()
			if n := len(b.out.to(kommune)); n != before+1 {
				t.Fatalf("the municipality was told %d times", n-before)
			}
			if ds, err := b.store.ParkedDeliveries(t.Context(), ledger.ParkedFilter{}); err != nil || ds.Total != 0 {
				t.Fatalf("parked: %+v %v", ds, err)
			}
			b.receiptAll()
			b.balanced()
		})
	}
}

// TestStay_DiedWithoutAHandover: a feed tells of every patient.
func TestStay_DiedWithoutAHandover(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(dead(adt{trigger: "A03", id: "M1", visit: "V1", noNeed: true})))
	if len(b.all()) != 0 {
		t.Fatal("a handover of the dead")
	}
	b.balanced()
}

// TestStay_AnswerWithTwoOpenChainsIsParked: who of the two is meant only a person can say.
func TestStay_AnswerWithTwoOpenChainsIsParked(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	b.must(b.hl7(adt{trigger: "A16", id: "M2", visit: "V2"}.String()))
	b.deliver()
	a := b.must(b.kith(strings.Replace(notat("n1", uuidOf("x"), "SVAR=KAN_MOTTA;DATO=2026-03-03"), "<ConversationRef>", "<ConversationRef>", 1)))
	if m := b.message(a.Message); m.Disposition != ledger.DispositionParked || m.Reason != handover.FaultAmbiguous {
		t.Fatalf("%s for %s", m.Disposition, m.Reason)
	}
	for _, h := range b.all() {
		if h.Custodian != sykehus {
			t.Fatal("custody moved")
		}
	}
	// With the reference it is clear.
	b.must(b.kith(notat("n2", b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[1].ID, "SVAR=KAN_MOTTA;DATO=2026-03-03")))
	b.inState(handover.StateAccepted)
	b.balanced()
}

// TestStay_WithoutNationalNumber: name, birth date and sex identify enough (DOMAIN 3.3).
func TestStay_WithoutNationalNumber(t *testing.T) {
	b := newBench(t)
	numberless := func(m adt) string { return strings.Replace(m.String(), solveig+"^^^FNR^FNR", "", 1) }
	b.must(b.hl7(numberless(adt{trigger: "A01", id: "M1", visit: "V1"})))
	b.must(b.hl7(numberless(adt{trigger: "A16", id: "M2", visit: "V1"})))
	b.state(handover.StateRequested, sykehus)
	b.receiptAll()
	klar := b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")
	if len(klar) != 1 || !strings.Contains(strings.ToLower(string(klar[0].Raw)), "myrvang") {
		t.Fatalf("%d sent", len(klar))
	}
	b.must(b.kith(notat("n1", klar[0].ID, "SVAR=KAN_MOTTA;DATO=2026-03-03")))
	b.state(handover.StateAccepted, kommune)
	// Two patients without a number are two patients.
	b.must(b.hl7(strings.Replace(numberless(adt{trigger: "A01", id: "M3", visit: "V2"}), "MYRVANG", "HAUGLAND", 1)))
	patients := map[string]bool{}
	for _, h := range b.all() {
		patients[b.mustRead(asSykehus, "Task", string(h.ID)).Str("for", "reference")] = true
	}
	if len(patients) != 2 {
		t.Fatalf("%d patients", len(patients))
	}
	b.balanced()
}

// TestStay_IllegalOnTheWireIsReadAndParked: never answered negatively, attention to both.
func TestInvariant7_IllegalEventIsParkedWithAttention(t *testing.T) {
	b := newBench(t)
	b.accepted("V1")
	b.must(b.hl7(adt{trigger: "A03", id: "M3", visit: "V1"}.String()))
	b.state(handover.StateInProgress, kommune)
	a := b.must(b.hl7(adt{trigger: "A25", id: "M4", visit: "V1"}.String()))
	m := b.message(a.Message)
	if m.Disposition != ledger.DispositionParked || m.Reason != handover.FaultIllegal || !strings.Contains(string(a.Bytes), "MSA|AA|M4") {
		t.Fatalf("%s for %s, answered %q", m.Disposition, m.Reason, a.Bytes)
	}
	b.state(handover.StateInProgress, kommune)
	if at := b.attention(handover.AttentionIllegalEvent); len(at.Parties) != 2 {
		t.Fatalf("attention at %v", at.Parties)
	}
	b.receiptAll()
	b.balanced()
}

// TestStay_SameNumbersAtTwoSenders: a stay number is its sender's own, and so are stable ids.
func TestStay_AnotherPartysMessageFindsNothing(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	b.deliver()
	klar := b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[0]
	// An outsider quotes the conversation of others.
	a := b.g.Take(t.Context(), adapters.Inbound{Wire: handover.WireKITH, Caller: institusjon, Raw: []byte(strings.Replace(notat("n1", klar.ID, "SVAR=KAN_MOTTA;DATO=2026-03-03"), "<Id>80002</Id>", "<Id>80003</Id>", 1))})
	if a.Outcome == adapters.OutcomeStored && b.message(a.Message).Disposition != ledger.DispositionParked {
		t.Fatalf("%s %s", a.Outcome, b.message(a.Message).Disposition)
	}
	// And one that says it is the municipality.
	a = b.g.Take(t.Context(), adapters.Inbound{Wire: handover.WireKITH, Caller: institusjon, Raw: []byte(notat("n2", klar.ID, "SVAR=KAN_MOTTA;DATO=2026-03-03"))})
	if a.Outcome != adapters.OutcomeRefused {
		t.Fatalf("%s", a.Outcome)
	}
	a = b.g.Take(t.Context(), adapters.Inbound{Wire: handover.WireKITH, Caller: institusjon, Raw: []byte(appRec(klar, "1"))})
	if a.Outcome != adapters.OutcomeRefused {
		t.Fatalf("a receipt of others: %s", a.Outcome)
	}
	b.state(handover.StateRequested, sykehus)
	b.balanced()
}

// TestStay_DischargedWhileRetracted: a discharge after the municipality took its yes back is one
// without acceptance: both are alerted, all receipts end nothing, and a named person settles it.
func TestStay_DischargedWhileRetracted(t *testing.T) {
	b := newBench(t)
	ref := b.accepted("V1")
	b.receiptAll()
	b.must(b.kith(notat("no", ref, "SVAR=KAN_IKKE_MOTTA;DATO=UKJENT\nPlassen er gått til en annen.")))
	b.receiptAll()
	b.must(b.hl7(adt{trigger: "A03", id: "M3", visit: "V1"}.String()))
	b.receiptAll()
	b.receiptAll()
	b.state(handover.StateAccepted, kommune)
	for _, r := range []handover.AttentionReason{handover.AttentionRetracted, handover.AttentionDischargedUnaccepted} {
		if a := b.attention(r); len(a.Parties) != 2 {
			t.Errorf("%s is for %v", r, a.Parties)
		}
	}
	for _, r := range []handover.AttentionReason{handover.AttentionRetracted, handover.AttentionDischargedUnaccepted} {
		if _, err := b.g.RecordAnswer(t.Context(), asOperator, desk.Answer{Handover: b.handover().ID, Event: handover.EventAttentionResolved, For: kommune, Attention: r}); err != nil {
			t.Fatal(err)
		}
		b.receiptAll()
		b.state(handover.StateAccepted, kommune)
	}
	b.must(b.kith(notat("yes again", ref, "SVAR=KAN_MOTTA;DATO=2026-03-05")))
	b.receiptAll()
	if h := b.handover(); h.State != handover.StateInProgress && h.State != handover.StateCompleted || len(h.Attentions) > 0 {
		t.Errorf("%s %+v", h.State, h.Attentions)
	}
	b.balanced()
}
