package gateway_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"stafett/access"
	"stafett/adapters"
	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
)

// TestReferral_ToAPartyWithoutFHIR: what a request says reaches a party that speaks HL7 v2
// alone, with its patient.
func TestReferral_ToAPartyWithoutFHIR(t *testing.T) {
	b := newBench(t)
	r := b.refer(`"80301"`, `"80001"`)
	if h := b.handoverOf(r.task); h.Receiver != sykehus {
		t.Fatalf("to %s", h.Receiver)
	}
	b.deliver()
	got := b.ofType(sykehus, "MDM^T02")
	if len(got) != 1 {
		ds, _ := b.store.ParkedDeliveries(t.Context(), ledger.ParkedFilter{})
		t.Fatalf("%d told; parked %+v", len(got), ds)
	}
	if text := string(got[0].Raw); !strings.Contains(text, solveig) || !strings.Contains(strings.ToLower(text), "myrvang") {
		t.Errorf("without its patient: %q", text)
	}
	b.stateOf(r.task, handover.StateReceived, kommune)
	b.balanced()
}

// TestReferral_WrongReceiverOfASharedPatient: the access that ends is that to this patient
// as well, although another handover has written the patient since.
func TestReferral_WrongReceiverOfASharedPatient(t *testing.T) {
	b := newBench(t)
	one := b.refer()
	b.deliver()
	two, err := b.writeBundle(asKommune, `{"resourceType":"Bundle","type":"transaction","entry":[
{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000005","resource":{"resourceType":"Task","status":"requested","intent":"order","for":{"reference":"Patient/`+one.patient+`"},"owner":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80401"}}},"request":{"method":"POST","url":"Task"}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	b.deliver()
	b.mustRead(asAnnen, "Patient", one.patient)
	b.mustChange(asInstitusjon, one.task, status("rejected", "misaddressed"))
	if b.read(asInstitusjon, "Patient", one.patient) != nil {
		t.Error("the wrong receiver still reads the patient")
	}
	b.mustRead(asAnnen, "Patient", one.patient)
	b.mustRead(asAnnen, "Task", two.Entries[0].ID)
	b.mustRead(asKommune, "Patient", one.patient)
	b.balanced()
}

// TestReferral_RightReceiverKeepsThePatient: a party that was wrong once and is right in
// another request about the same patient keeps what that one needs.
func TestReferral_RightReceiverKeepsThePatient(t *testing.T) {
	b := newBench(t)
	one := b.refer()
	b.deliver()
	if _, err := b.writeBundle(asKommune, `{"resourceType":"Bundle","type":"transaction","entry":[
{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000005","resource":{"resourceType":"Task","status":"requested","intent":"order","for":{"reference":"Patient/`+one.patient+`"},"owner":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80301"}}},"request":{"method":"POST","url":"Task"}}]}`); err != nil {
		t.Fatal(err)
	}
	b.deliver()
	b.mustChange(asInstitusjon, one.task, status("rejected", "misaddressed"))
	if b.read(asInstitusjon, "ServiceRequest", one.request) != nil {
		t.Error("the wrong receiver still reads the request")
	}
	b.mustRead(asInstitusjon, "Patient", one.patient)
	b.balanced()
}

// TestReferral_NotAnsweredByANoteToAnother: a note without a known reference, to somebody who
// has no part in the patient's only open request, is about something else.
func TestReferral_NotAnsweredByANoteToAnother(t *testing.T) {
	b := newBench(t)
	patient := b.mustPost(asKommune, string(parse(t, referralBundle).Each("entry")[0].Get("resource").JSON()))
	r, err := b.writeBundle(asKommune, `{"resourceType":"Bundle","type":"transaction","entry":[
{"resource":{"resourceType":"Task","status":"requested","intent":"order","for":{"reference":"Patient/`+patient+`"},"owner":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80301"}}},"request":{"method":"POST","url":"Task"}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	b.mustRead(asInstitusjon, "Patient", patient)
	a := b.must(b.kith(notat("n1", uuidOf("x"), "SVAR=KAN_MOTTA;DATO=2026-03-04")))
	m := b.message(a.Message)
	if m.Disposition != ledger.DispositionParked || m.Handover != "" {
		t.Fatalf("%s for %s, handover %q", m.Disposition, m.Reason, m.Handover)
	}
	b.stateOf(r.Entries[0].ID, handover.StateRequested, kommune)
	if len(b.handoverOf(r.Entries[0].ID).Attentions) > 0 {
		t.Error("the request is marked")
	}
	b.deliver()
	if n := len(b.ofType(kommune, "APPREC")); n != 0 {
		t.Fatalf("%d negative receipts", n)
	}
	b.balanced()
}

// TestConcurrent_OneStay: everything at once on one handover; each message is taken or
// asked to come again, and what is stored is whole.
func TestConcurrent_OneStay(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A16", id: "M0", visit: "V1"}.String()))
	b.deliver()
	klar := b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[0]
	var wg sync.WaitGroup
	stored := make([]bool, 24)
	for i := range stored {
		wg.Go(func() {
			var a adapters.Answer
			switch i % 4 {
			case 0:
				a = b.g.Take(t.Context(), adapters.Inbound{Wire: handover.WireKITH, Caller: kommune, Raw: []byte(notat(fmt.Sprintf("n%d", i), klar.ID, "SVAR=KAN_MOTTA;DATO=2026-03-04"))})
			case 1:
				a = b.g.Take(t.Context(), adapters.Inbound{Wire: handover.WireHL7v2, Caller: sykehus, Raw: []byte(adt{trigger: "A03", id: fmt.Sprintf("M%d", i), visit: "V1"}.String())})
			case 2:
				a = b.g.Take(t.Context(), adapters.Inbound{Wire: handover.WireKITH, Caller: kommune, Raw: []byte(appRec(klar, "1"))})
			default:
				if _, err := b.g.DeliverOnce(t.Context()); err != nil {
					t.Error(err)
				}
				if err := b.g.WatchOnce(t.Context()); err != nil {
					t.Error(err)
				}
				return
			}
			stored[i] = a.Outcome == adapters.OutcomeStored
			if a.Outcome == adapters.OutcomeUnanswered && !a.Fault.Kind.Temporary() || a.Outcome == adapters.OutcomeRefused {
				t.Errorf("%s %v", a.Outcome, a.Fault)
			}
		})
	}
	wg.Wait()
	b.state(handover.StateInProgress, kommune)
	b.receiptAll()
	sum := b.balanced()
	n := int64(1)
	for _, s := range stored {
		if s {
			n++
		}
	}
	if sum.Received < n {
		t.Fatalf("%d answered positively, %d stored", n, sum.Received)
	}
	events, err := b.store.Events(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	moved := 0
	for i, e := range events {
		if e.Seq != int64(i+1) {
			t.Fatalf("event %d at place %d", e.Seq, i+1)
		}
		if e.Name == handover.EventAccepted && (e.Reason == handover.ReasonAccepted || e.Reason == handover.ReasonAcceptedAfterDischarge) {
			moved++
		}
	}
	if moved != 1 {
		t.Fatalf("custody moved %d times", moved)
	}
}

// TestConcurrent_SameMessage: of many copies at once one counts, all are answered alike.
func TestConcurrent_SameMessage(t *testing.T) {
	b := newBench(t)
	const n = 16
	answers := make([]string, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			a := b.g.Take(t.Context(), adapters.Inbound{Wire: handover.WireHL7v2, Caller: sykehus, Raw: []byte(adt{trigger: "A16", id: "M1", visit: "V1"}.String())})
			answers[i] = string(a.Outcome) + string(a.Bytes)
		})
	}
	wg.Wait()
	for _, a := range answers {
		if a != answers[0] || !strings.HasPrefix(a, string(adapters.OutcomeStored)) {
			t.Fatalf("%q, %q", a, answers[0])
		}
	}
	if sum := b.balanced(); sum.Received != n || sum.Repeated != n-1 {
		t.Fatalf("%+v", sum)
	}
	tasks := make([]string, n)
	for i := range n {
		wg.Go(func() {
			if r, err := b.g.FHIR.Write(t.Context(), asKommune, writeOf(t, referralBundle)); err == nil {
				tasks[i] = r.Entries[4].ID
			} else {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, id := range tasks {
		if id != tasks[0] {
			t.Fatalf("two Tasks for one write: %v", tasks)
		}
	}
	b.balanced()
}

// TestConcurrent_OwnersWrites: the same version is changed once.
func TestConcurrent_StaleWritesLose(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.deliver()
	n := b.mustRead(asInstitusjon, "Task", r.task)
	won := 0
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			c := n.Clone()
			c.Set("status", fhir.Str("on-hold"))
			c.Set("businessStatus", fhir.Concept("urn:stafett:business-status", "deferred", ""))
			c.Append("note", fhir.Obj("text", fmt.Sprint(i)))
			w := putWrite(c)
			w.Entries[0].IfMatch, _ = fhir.ParseETag(`W/"` + n.Str("meta", "versionId") + `"`)
			_, err := b.g.FHIR.Write(t.Context(), asInstitusjon, w)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case handover.FaultOf(err).Kind != handover.FaultPrecondition && !handover.FaultOf(err).Kind.Temporary():
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Fatalf("%d won", won)
	}
	b.stateOf(r.task, handover.StateDeferred, kommune)
	b.balanced()
}

// TestWrite_Callers: only parties write.
func TestWrite_Callers(t *testing.T) {
	b := newBench(t)
	for _, c := range []access.Caller{{}, asOperator, forKommune, {Kind: access.CallerParty}} {
		if _, err := b.writeBundle(c, referralBundle); err == nil {
			t.Errorf("%+v writes", c)
		}
		if _, err := b.post(c, `{"resourceType":"Observation","status":"final","code":{"text":"x"}}`); err == nil {
			t.Errorf("%+v writes", c)
		}
	}
	if hs, err := b.store.Handovers(t.Context(), ledger.HandoverFilter{}); err != nil || hs.Total != 0 {
		t.Fatalf("%d handovers, %v", hs.Total, err)
	}
	r := b.refer()
	b.deliver()
	n := b.mustRead(asInstitusjon, "Task", r.task)
	n.Set("status", fhir.Str("accepted"))
	for _, c := range []access.Caller{asOperator, {Kind: access.CallerOperator, Person: "X", Party: institusjon}} {
		_, err := b.g.FHIR.Write(t.Context(), c, putWrite(n))
		isFault(t, err, handover.FaultForbidden)
	}
	b.stateOf(r.task, handover.StateReceived, kommune)
	b.balanced()
}
