package gateway_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stafett/access"
	"stafett/adapters"
	"stafett/gateway/desk"
	"stafett/handover"
	"stafett/ledger"
)

var (
	forSykehus = access.Caller{Kind: access.CallerOperator, Person: "Siri Sykehus", Party: sykehus}
	forKommune = access.Caller{Kind: access.CallerOperator, Person: "Kari Kommune", Party: kommune}
)

// person finds who acted on a message, a delivery or a handover by the audit record.
func (b *bench) persons(f ledger.AuditFilter) []string {
	b.t.Helper()
	as, err := b.store.AuditOf(b.t.Context(), f)
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, a := range as.Items {
		if a.Person != "" {
			out = append(out, a.Person+" "+string(a.Action)+" "+a.Outcome)
		}
	}
	return out
}

func TestOperate_ReprocessAfterTheDirectoryIsCorrected(t *testing.T) {
	b := newBench(t)
	a := b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1", kommunenummer: "9902"}.String()))
	if parked, _ := b.parked(asOperator); len(parked) != 1 || parked[0].ID != a.Message {
		t.Fatalf("%d parked", len(parked))
	}
	// Without a correction it is parked again, and stays one message.
	if m, err := b.g.Reprocess(t.Context(), asOperator, a.Message); err != nil || m.Disposition != ledger.DispositionParked {
		t.Fatalf("%s, %v", m.Disposition, err)
	}
	b.close()
	b.edit = strings.NewReplacer(`{kommunenummer: "9901", to: dalvik-kommune}`, `{kommunenummer: "9902", to: dalvik-kommune}`)
	b.open()
	m, err := b.g.Reprocess(t.Context(), asOperator, a.Message)
	if err != nil || m.Disposition != ledger.DispositionApplied || m.Contact != "" || !m.Deadline.IsZero() || m.Reason != "" {
		t.Fatalf("%s, contact %q, deadline %v, reason %q, %v", m.Disposition, m.Contact, m.Deadline, m.Reason, err)
	}
	b.state(handover.StateRequested, sykehus)
	if got := b.persons(ledger.AuditFilter{Message: a.Message}); len(got) < 2 || !strings.HasPrefix(got[len(got)-1], "Oda Operatør") {
		t.Errorf("audit: %q", got)
	}
	if string(m.Answer) == "" || !bytes.Equal(m.Answer, a.Bytes) {
		t.Errorf("the first answer changed")
	}
	if _, err := b.g.Reprocess(t.Context(), asOperator, a.Message); handover.FaultOf(err).Kind != handover.FaultConflict {
		t.Errorf("reprocessed twice: %v", err)
	}
	b.deliver()
	if len(b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")) != 1 {
		t.Fatal("not delivered")
	}
	if sum := b.balanced(); sum.Received != 1 {
		t.Fatalf("%+v", sum)
	}
}

// TestOperate_ReprocessedFeedNeedsNobody: what turns out to concern no handover is done.
func TestOperate_ReprocessedFeedNeedsNobody(t *testing.T) {
	b := newBench(t)
	a := b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1", kommunenummer: "9902"}.String()))
	b.close()
	b.edit = strings.NewReplacer(`startPolicy: {knownRecipient: true, assessedNeed: true}`, `startPolicy: {units: [ELSEWHERE]}`)
	b.open()
	m, err := b.g.Reprocess(t.Context(), asOperator, a.Message)
	if err != nil || m.Disposition != ledger.DispositionApplied || m.Contact != "" || !m.Deadline.IsZero() {
		t.Fatalf("%s, contact %q, deadline %v, %v", m.Disposition, m.Contact, m.Deadline, err)
	}
	b.balanced()
}

func TestOperate_Reroute(t *testing.T) {
	b := newBench(t)
	a := b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1", kommunenummer: "9999"}.String()))
	_, err := b.g.Reroute(t.Context(), asOperator, a.Message, "nobody")
	isFault(t, err, handover.FaultReceiverUnknown)
	_, err = b.g.Reroute(t.Context(), forKommune, a.Message, kommune)
	isFault(t, err, handover.FaultForbidden)
	_, err = b.g.Reroute(t.Context(), asKommune, a.Message, kommune)
	isFault(t, err, handover.FaultForbidden)
	m, err := b.g.Reroute(t.Context(), forSykehus, a.Message, kommune)
	if err != nil || m.Disposition != ledger.DispositionApplied {
		t.Fatalf("%s, %v", m.Disposition, err)
	}
	if h := b.handover(); h.Receiver != kommune {
		t.Fatalf("to %s", h.Receiver)
	}
	if got := b.persons(ledger.AuditFilter{Message: a.Message}); len(got) == 0 || !strings.HasPrefix(got[0], "Siri Sykehus") {
		t.Errorf("audit: %q", got)
	}
	b.balanced()
}

// TestOperate_ProtectedAddress: parked, routed by a person only, and the next message of
// the stay follows it.
func TestOperate_ProtectedAddress(t *testing.T) {
	b := newBench(t)
	protected := func(m adt) string {
		return strings.Replace(m.String(), "PD1||||||||||||N", "PD1||||||||||||Y", 1)
	}
	a := b.must(b.hl7(protected(adt{trigger: "A01", id: "M1", visit: "V1"})))
	m := b.message(a.Message)
	if m.Disposition != ledger.DispositionParked || m.Contact == "" {
		t.Fatalf("%s", m.Disposition)
	}
	if m, err := b.g.Reprocess(t.Context(), asOperator, a.Message); err != nil || m.Disposition != ledger.DispositionParked {
		t.Fatalf("a second try sends it on: %s, %v", m.Disposition, err)
	}
	if m, err := b.g.Reroute(t.Context(), forSykehus, a.Message, kommune); err != nil || m.Disposition != ledger.DispositionApplied {
		t.Fatalf("%s, %v", m.Disposition, err)
	}
	b.state(handover.StateAnnounced, sykehus)
	b.must(b.hl7(protected(adt{trigger: "A16", id: "M2", visit: "V1"})))
	b.state(handover.StateRequested, sykehus)
	b.balanced()
}

func TestOperate_Resend(t *testing.T) {
	tests := []struct {
		name      string
		fail      func(b *bench)
		identical bool
	}{
		{"never taken: identical", func(b *bench) {
			b.out.answer = func(to adapters.Target, out adapters.Outgoing) (adapters.Sent, error) {
				if to.Party == kommune {
					return down(handover.FaultForbidden)(to, out)
				}
				return transportAnswer(to), nil
			}
			b.deliver()
			b.out.answer = nil
		}, true},
		{"refused: a new message", func(b *bench) {
			b.deliver()
			b.must(b.kith(appRec(b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[0], "2")))
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			in := b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
			tt.fail(b)
			first := b.told(kommune, "LOG_UTSKRIVNINGSKLAR")
			if _, parked := b.parked(forSykehus); len(parked) != 1 {
				t.Fatalf("%d parked", len(parked))
			}
			if _, parked := b.parked(forKommune); len(parked) != 0 {
				t.Fatalf("the municipality's person sees %d", len(parked))
			}
			_, err := b.g.Resend(t.Context(), forKommune, first.ID)
			isFault(t, err, handover.FaultForbidden)
			again, err := b.g.Resend(t.Context(), forSykehus, first.ID)
			if err != nil {
				t.Fatal(err)
			}
			if same := again.ExternalID == first.ExternalID && bytes.Equal(again.Raw, first.Raw); same != tt.identical {
				t.Fatalf("identical: %t", same)
			}
			b.deliver()
			sent := b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")
			last := sent[len(sent)-1]
			if !tt.identical && (!bytes.Contains(last.Raw, []byte(last.ID)) || bytes.Contains(last.Raw, []byte(first.ExternalID))) {
				t.Fatal("the new identity is not all there is")
			}
			b.must(b.kith(appRec(last, "1")))
			b.state(handover.StateReceived, sykehus)
			if b.hasAttention(handover.AttentionUnreachable) {
				t.Error("still unreachable")
			}
			// The answer refers to the message that was sent again.
			b.must(b.kith(notat("n1", last.ID, "SVAR=KAN_MOTTA;DATO=2026-03-04")))
			b.state(handover.StateAccepted, kommune)
			if s, err := b.store.MessageState(t.Context(), in.Message); err != nil || s != ledger.DispositionDelivered {
				t.Errorf("%s, %v", s, err)
			}
			b.balanced()
		})
	}
}

func TestOperate_Close(t *testing.T) {
	b := newBench(t)
	a := b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1", kommunenummer: "9999"}.String()))
	isFault(t, b.g.CloseMessage(t.Context(), forSykehus, a.Message, ""), handover.FaultInvalid)
	isFault(t, b.g.CloseMessage(t.Context(), forKommune, a.Message, "x"), handover.FaultForbidden)
	isFault(t, b.g.CloseMessage(t.Context(), asSykehus, a.Message, "x"), handover.FaultForbidden)
	isFault(t, b.g.CloseMessage(t.Context(), asOperator, "none", "x"), handover.FaultNotFound)
	if err := b.g.CloseMessage(t.Context(), forSykehus, a.Message, "ringte kommunen"); err != nil {
		t.Fatal(err)
	}
	if m := b.message(a.Message); m.Person != forSykehus.Person || m.Resolution != "ringte kommunen" || m.Contact != "" || m.ResolvedAt.IsZero() ||
		m.Disposition != ledger.DispositionClosed {
		t.Fatalf("%+v", m)
	}
	isFault(t, b.g.CloseMessage(t.Context(), forSykehus, a.Message, "again"), handover.FaultConflict)

	b.must(b.hl7(adt{trigger: "A16", id: "M2", visit: "V2"}.String()))
	b.deliver()
	b.must(b.kith(appRec(b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[0], "2")))
	d := b.told(kommune, "LOG_UTSKRIVNINGSKLAR")
	isFault(t, b.g.CloseDelivery(t.Context(), forSykehus, d.ID, ""), handover.FaultInvalid)
	isFault(t, b.g.CloseDelivery(t.Context(), forKommune, d.ID, "x"), handover.FaultForbidden)
	isFault(t, b.g.CloseDelivery(t.Context(), asOperator, "none", "x"), handover.FaultNotFound)
	if err := b.g.CloseDelivery(t.Context(), forSykehus, d.ID, "ringte"); err != nil {
		t.Fatal(err)
	}
	if d := b.told(kommune, "LOG_UTSKRIVNINGSKLAR"); d.State != ledger.DeliveryClosed || d.Contact != "" || d.Person != forSykehus.Person || d.Resolution != "ringte" {
		t.Fatalf("%+v", d.State)
	}
	if sum := b.balanced(); sum.Closed != 2 || sum.Delivered+sum.Parked+sum.Moving != 0 {
		t.Errorf("both were closed: %+v", sum)
	}
	// The negative receipt changed nothing of the handover but its attention.
	b.state(handover.StateRequested, sykehus)
	if got := b.persons(ledger.AuditFilter{Handover: b.handover().ID}); len(got) == 0 {
		t.Error("no person in the record")
	}
	b.balanced()
}

// TestInvariant3_RecordAnswer: whose answer a named person may record.
func TestInvariant3_RecordAnswer(t *testing.T) {
	yes := desk.Answer{Event: handover.EventAccepted, Day: time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)}
	later := desk.Answer{Event: handover.EventDeferred}
	tests := []struct {
		name   string
		by     access.Caller
		note   bool
		answer desk.Answer
		want   handover.State
		fault  handover.FaultKind
	}{
		{"the receiver's person", forKommune, false, yes, handover.StateAccepted, ""},
		{"the receiver's person defers", forKommune, false, later, handover.StateDeferred, ""},
		{"the gateway's operator", asOperator, false, yes, handover.StateAccepted, ""},
		{"the sender's person reads a no", forSykehus, true, later, handover.StateDeferred, ""},
		{"the sender's person reads a yes", forSykehus, true, yes, handover.StateReceived, handover.FaultForbidden},
		{"the sender's person without a note", forSykehus, false, yes, handover.StateReceived, handover.FaultForbidden},
		{"a person of neither", access.Caller{Kind: access.CallerOperator, Person: "X", Party: institusjon}, true, yes, handover.StateReceived, handover.FaultForbidden},
		{"a party", asKommune, true, yes, handover.StateReceived, handover.FaultForbidden},
		{"a nameless person", access.Caller{Kind: access.CallerOperator}, true, yes, handover.StateReceived, handover.FaultForbidden},
		{"for a party that takes no part", asOperator, false, desk.Answer{Event: handover.EventAccepted, For: institusjon}, handover.StateReceived, handover.FaultForbidden},
		{"the sender does not accept", forSykehus, true, desk.Answer{Event: handover.EventAccepted, For: sykehus}, handover.StateReceived, handover.FaultForbidden},
		{"an event that is none", forKommune, false, desk.Answer{Event: "nonsense"}, handover.StateReceived, handover.FaultInvalid},
		{"the clock's event", forKommune, false, desk.Answer{Event: handover.EventDeadlinePassed}, handover.StateReceived, handover.FaultForbidden},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
			b.deliver()
			klar := b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[0]
			b.must(b.kith(appRec(klar, "1")))
			if tt.note {
				b.must(b.kith(notat("n1", klar.ID, "Fritekst.")))
			}
			in := tt.answer
			in.Handover = b.handover().ID
			_, err := b.g.RecordAnswer(t.Context(), tt.by, in)
			if tt.fault != "" {
				isFault(t, err, tt.fault)
			} else if err != nil {
				t.Fatal(err)
			}
			if h := b.handover(); h.State != tt.want {
				t.Fatalf("%s", h.State)
			}
			if tt.fault == "" {
				if b.hasAttention(handover.AttentionAnswerNeedsReading) {
					t.Error("still needs reading")
				}
				if got := fmt.Sprint(b.persons(ledger.AuditFilter{Handover: in.Handover})); !strings.Contains(got, tt.by.Person) {
					t.Errorf("audit: %s", got)
				}
				b.deliver()
				told := b.ofType(sykehus, "MDM^T02")
				if len(told) == 0 || !strings.Contains(string(told[len(told)-1].Raw), "Registrert av "+tt.by.Person) {
					t.Error("the hospital was not told, or not of whom")
				}
				notes := b.ofType(kommune, "DIALOG_HELSEFAGLIG")
				if own := tt.by.Party == kommune; own == slices.ContainsFunc(notes, func(o adapters.Outgoing) bool { return strings.Contains(string(o.Raw), "Registrert av") }) {
					t.Error("the municipality is told of what another one's person recorded in its name, and only of that")
				}
			}
			b.balanced()
		})
	}
	b := newBench(t)
	_, err := b.g.RecordAnswer(t.Context(), asOperator, desk.Answer{Handover: "none", Event: handover.EventAccepted})
	isFault(t, err, handover.FaultNotFound)
}

// TestOperate_AttentionResolved: each party's person for its own.
func TestOperate_AttentionResolved(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	b.deliver()
	b.must(b.kith(appRec(b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[0], "2")))
	in := desk.Answer{Handover: b.handover().ID, Event: handover.EventAttentionResolved, Attention: handover.AttentionUnreachable}
	_, err := b.g.RecordAnswer(t.Context(), forKommune, in)
	isFault(t, err, handover.FaultForbidden)
	if _, err := b.g.RecordAnswer(t.Context(), forSykehus, in); err != nil {
		t.Fatal(err)
	}
	if b.hasAttention(handover.AttentionUnreachable) {
		t.Fatal("not resolved")
	}
	b.balanced()
}

func TestInspect(t *testing.T) {
	b := newBench(t)
	a := b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	b.deliver()
	for _, c := range []access.Caller{asSykehus, asKommune, asOperator, forSykehus} {
		v, err := b.g.Inspect(t.Context(), c, string(a.Message))
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		if v.State != ledger.DispositionMoving || len(v.Deliveries) == 0 || v.Handover == nil || len(v.Report) == 0 || len(v.Audit) == 0 {
			t.Errorf("%+v", v)
		}
		if text := fmt.Sprintf("%+v %s", v, v.Report); strings.Contains(text, solveig) || strings.Contains(strings.ToLower(text), "myrvang") {
			t.Error("the view holds the patient")
		}
	}
	if v, err := b.g.Inspect(t.Context(), asSykehus, "M1"); err != nil || v.ID != a.Message {
		t.Errorf("by its own id: %v", err)
	}
	if v, err := b.g.Inspect(t.Context(), asOperator, "M1"); err != nil || v.ID != a.Message {
		t.Errorf("an operator by the sender's id: %v", err)
	}
	for _, c := range []access.Caller{asInstitusjon, asAnnen, {}, {Kind: access.CallerOperator, Person: "X", Party: institusjon}} {
		for _, id := range []string{string(a.Message), "M1", "nothing", ""} {
			_, err := b.g.Inspect(t.Context(), c, id)
			isFault(t, err, handover.FaultNotFound)
		}
	}
	_, err := b.g.Inspect(t.Context(), asKommune, "M1")
	isFault(t, err, handover.FaultNotFound)
}

// TestTranslate_StoresNothing: a dry run of each message of the scenario, both ways.
func TestTranslate_StoresNothing(t *testing.T) {
	b := newBench(t)
	before := b.rows()
	for _, trigger := range []string{"A01", "A16", "A25", "A03", "A11", "A13"} {
		out, err := b.g.Translate(t.Context(), handover.WireHL7v2, []byte(adt{trigger: trigger, id: "M1", visit: "V1"}.String()), handover.WireKITH, "")
		if err != nil {
			t.Errorf("%s: %v", trigger, err)
			continue
		}
		if !strings.HasPrefix(out.OutputType, "LOG_") || !strings.Contains(out.Output, "<MsgHead") || len(out.Resources) == 0 || len(out.Report.Fates) == 0 || out.OutputReport == nil {
			t.Errorf("%s: %s %q", trigger, out.OutputType, out.Output)
		}
		if out, err := b.g.Translate(t.Context(), handover.WireHL7v2, []byte(adt{trigger: trigger, id: "M1", visit: "V1"}.String()), handover.WireFHIR, ""); err != nil || !strings.Contains(out.Output, `"Bundle"`) {
			t.Errorf("%s to FHIR: %v", trigger, err)
		}
	}
	for _, text := range []string{"Fritekst.", "SVAR=KAN_MOTTA;DATO=2026-03-04"} {
		out, err := b.g.Translate(t.Context(), handover.WireKITH, []byte(notat("n1", uuidOf("x"), text)), handover.WireHL7v2, "")
		if err != nil || out.OutputType != "MDM^T02" || !strings.Contains(out.Output, "MDM^T02") {
			t.Errorf("DIALOG_NOTAT: %v %q", err, out.Output)
		}
	}
	b2 := newBench(t)
	b2.must(b2.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	b2.deliver()
	klar := b2.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[0]
	if out, err := b.g.Translate(t.Context(), handover.WireKITH, klar.Raw, handover.WireKITH, "LOG_UTSKRIVNINGSKLAR"); err != nil || out.Event != string(handover.EventReady) {
		t.Errorf("LOG_UTSKRIVNINGSKLAR: %v %s", err, out.Event)
	}
	if _, err := b.g.Translate(t.Context(), handover.WireKITH, []byte(appRec(klar, "1")), "", ""); err != nil {
		t.Errorf("APPREC: %v", err)
	}
	for name, err := range map[string]error{
		"broken":        second(b.g.Translate(t.Context(), handover.WireKITH, klar.Raw[:500], "", "")),
		"unknown wire":  second(b.g.Translate(t.Context(), "carrier-pigeon", klar.Raw, "", "")),
		"to nowhere":    second(b.g.Translate(t.Context(), handover.WireKITH, klar.Raw, "carrier-pigeon", "")),
		"to no type":    second(b.g.Translate(t.Context(), handover.WireKITH, klar.Raw, handover.WireHL7v2, "NONSENSE")),
		"nothing":       second(b.g.Translate(t.Context(), handover.WireHL7v2, nil, "", "")),
		"unknown party": second(b.g.Translate(t.Context(), handover.WireHL7v2, []byte("MSH|^~\\&|X|NOWHERE\r"), "", "")),
	} {
		if f := handover.FaultOf(err); f == nil || f.Kind == handover.FaultUnknown {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := b.rows(); after != before {
		t.Fatalf("%s, before %s", after, before)
	}
}
