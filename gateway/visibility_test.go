package gateway_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"stafett/access"
	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
)

// referAgain asks another institution for the same stay, by the same request.
func (b *bench) referAgain(r referral) string {
	b.t.Helper()
	return b.mustPost(asKommune, `{"resourceType":"Task","status":"requested","intent":"order","for":{"reference":"Patient/`+r.patient+
		`"},"focus":{"reference":"ServiceRequest/`+r.request+`"},"owner":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80401"}}}`)
}

// TestInvariant10_SameRequestTwice: a second referral of a request takes nothing from the
// first, what each receiver writes about it is read by the parties of its own handover, and
// the end of one access leaves the other.
func TestInvariant10_SameRequestTwice(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.deliver()
	version := b.mustRead(asKommune, "ServiceRequest", r.request).Str("meta", "versionId")
	second := b.referAgain(r)
	b.deliver()
	if got := b.mustRead(asKommune, "ServiceRequest", r.request).Str("meta", "versionId"); got != version {
		t.Errorf("the request is at version %s, it was %s before it was shown to a second receiver", got, version)
	}
	reads := func(when string, c access.Caller, want bool, all map[string]string) {
		t.Helper()
		for typ, id := range all {
			if got := b.read(c, typ, id) != nil; got != want {
				t.Errorf("%s: %s reads the %s: %t", when, c.Party, typ, got)
			}
		}
	}
	request := map[string]string{"Patient": r.patient, "ServiceRequest": r.request}
	reads("both asked", asInstitusjon, true, request)
	reads("both asked", asAnnen, true, request)
	reads("both asked", asAnnen, false, map[string]string{"CarePlan": r.plan, "Task": r.task})

	note := func(c access.Caller) map[string]string {
		return map[string]string{"Observation": b.mustPost(c, `{"resourceType":"Observation","status":"final","code":{"text":"x"},"basedOn":[{"reference":"ServiceRequest/`+r.request+`"}]}`)}
	}
	first, other := note(asInstitusjon), note(asAnnen)
	for _, c := range []access.Caller{asInstitusjon, asKommune} {
		reads("the first receiver's", c, true, first)
	}
	for _, c := range []access.Caller{asAnnen, asKommune} {
		reads("the second receiver's", c, true, other)
	}
	reads("the first receiver's", asAnnen, false, first)
	reads("the second receiver's", asInstitusjon, false, other)

	b.mustChange(asAnnen, second, status("rejected", "misaddressed"))
	b.stateOf(second, handover.StateDeclined, kommune)
	reads("the second was wrong", asAnnen, false, request)
	reads("the second was wrong", asAnnen, true, other) // its own
	reads("the second was wrong", asInstitusjon, true, request)
	reads("the second was wrong", asInstitusjon, true, map[string]string{"CarePlan": r.plan, "Task": r.task})
	b.balanced()
}

// TestInvariant10_EachHandoverIsToldOfAChange: what the sender changes of a request that it
// made twice is told to both receivers, and what says the same to none.
func TestInvariant10_EachHandoverIsToldOfAChange(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.referAgain(r)
	b.deliver()
	sent := func() [2]int {
		return [2]int{len(b.ofType(institusjon, "transaction")), len(b.ofType(annen, "transaction"))}
	}
	before := sent()
	n := b.mustRead(asKommune, "ServiceRequest", r.request)
	if _, err := b.g.FHIR.Write(t.Context(), asKommune, putWrite(n)); err != nil {
		t.Fatal(err)
	}
	n.Set("priority", fhir.Str("urgent"))
	if _, err := b.g.FHIR.Write(t.Context(), asKommune, putWrite(n)); err != nil {
		t.Fatal(err)
	}
	b.deliver()
	for _, p := range []handover.PartyID{institusjon, annen} {
		if got := inBundle(b.lastBundle(p), "ServiceRequest", r.request); got.Str("priority") != "urgent" {
			t.Errorf("%s was last told %s", p, got.JSON())
		}
		raw := string(b.lastBundle(p).JSON())
		if !strings.Contains(raw, "priority: urgent (nytt)") || strings.Contains(raw, "oppgis ikke lenger") {
			t.Errorf("%s reads that something else changed: %s", p, raw)
		}
	}
	if after := sent(); after[0] == before[0] || after[1] == before[1] {
		t.Errorf("Bundles before %v, after %v", before, after)
	}
	b.balanced()
}

// TestInvariant9_CorrectedInEachHandover: a Patient's new national number is looked at in every
// open handover that has the Patient, also where the Task is written with it.
func TestInvariant9_CorrectedInEachHandover(t *testing.T) {
	for _, with := range []string{"alone", "with its Task"} {
		b := newBench(t)
		r := b.refer()
		b.referAgain(r)
		n := b.mustRead(asKommune, "Patient", r.patient)
		n.Get("identifier").Items[0].Set("value", fhir.Str("12834800126"))
		w := putWrite(n)
		if with != "alone" {
			task := b.mustRead(asKommune, "Task", r.task)
			task.Set("description", fhir.Str("Rettet fødselsnummer"))
			w = fhir.Write{Mode: fhir.WriteTransaction, Raw: task.JSON(), Entries: append(w.Entries, putWrite(task).Entries...)}
		}
		if _, err := b.g.FHIR.Write(t.Context(), asKommune, w); err != nil {
			t.Fatal(err)
		}
		hs, err := b.store.Handovers(t.Context(), ledger.HandoverFilter{})
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range hs.Items {
			if !slices.ContainsFunc(h.Attentions, func(a handover.Attention) bool { return a.Reason == handover.AttentionChainsMeet }) {
				t.Errorf("%s: nobody looks at the handover to %s", with, h.Receiver)
			}
		}
		b.balanced()
	}
}

// TestInvariant10_VersionsFromBeforeAccess: a receiver reads a resource from the version that
// it was given, by every way of reading.
func TestInvariant10_VersionsFromBeforeAccess(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	update := func(priority string) {
		n := b.mustRead(asKommune, "ServiceRequest", r.request)
		n.Set("priority", fhir.Str(priority))
		if _, err := b.g.FHIR.Write(t.Context(), asKommune, putWrite(n)); err != nil {
			t.Fatal(err)
		}
	}
	update("urgent")
	b.referAgain(r)
	update("stat")
	for c, from := range map[access.Caller]int64{asKommune: 1, asInstitusjon: 1, asAnnen: 2} {
		for v := int64(1); v <= 3; v++ {
			_, err := b.g.FHIR.ReadVersion(t.Context(), c, "ServiceRequest", r.request, v)
			if v < from {
				isFault(t, err, handover.FaultNotFound)
			} else if err != nil {
				t.Errorf("%s reads version %d: %v", c.Party, v, err)
			}
		}
		for _, id := range []string{r.request, ""} {
			page, err := b.g.FHIR.History(t.Context(), c, "ServiceRequest", id, 100, "")
			if err != nil {
				t.Fatal(err)
			}
			var got []int64
			for _, v := range page.Versions {
				got = append(got, v.Version)
			}
			if want := []int64{3, 2, 1}[:4-from]; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s reads of the history %v, want %v", c.Party, got, want)
			}
		}
	}
}

// ends are the ways in which a handover ends for its receiver without giving it the patient.
var ends = map[handover.State][]func(*bench, referral){
	handover.StateDeclined: {func(b *bench, r referral) { b.mustChange(asInstitusjon, r.task, status("rejected", "")) }},
	handover.StateForwarded: {func(b *bench, r referral) {
		b.mustChange(asInstitusjon, r.task, func(n *fhir.Node) {
			status("rejected", "forwarded")(n)
			n.Set("owner", fhir.LogicalRef("Organization", fhir.SystemHER, "80401", ""))
		})
	}},
	handover.StateVoided: {func(b *bench, r referral) { b.mustChange(asKommune, r.task, status("entered-in-error", "")) }},
	handover.StateWithdrawn: {
		func(b *bench, r referral) { b.mustChange(asKommune, r.task, status("cancelled", "")) },
		func(b *bench, r referral) {
			b.mustChange(asInstitusjon, r.task, status("rejected", ""))
			b.mustChange(asKommune, r.task, status("cancelled", ""))
		},
		func(b *bench, r referral) {
			b.rewrite("Patient", r.patient, func(n *fhir.Node) { n.Set("deceasedBoolean", fhir.Bool(true)) })
		},
	},
}

// rewrite stores a new version of what the municipality wrote.
func (b *bench) rewrite(typ, id string, f func(*fhir.Node)) {
	b.t.Helper()
	n := b.mustRead(asKommune, typ, id)
	f(n)
	if _, err := b.g.FHIR.Write(b.t.Context(), asKommune, putWrite(n)); err != nil {
		b.t.Fatal(err)
	}
}

// history is what the caller reads of a resource's versions, newest first; nil where it finds none.
func (b *bench) history(c access.Caller, typ, id string) []int64 {
	b.t.Helper()
	page, err := b.g.FHIR.History(b.t.Context(), c, typ, id, 100, "")
	if err != nil {
		isFault(b.t, err, handover.FaultNotFound)
	}
	var out []int64
	for _, v := range page.Versions {
		out = append(out, v.Version)
	}
	return out
}

// TestInvariant10_EndedWithoutThePatient: a receiver for which a handover has ended goes on reading
// what it was told, and nothing that is written afterwards, by no way of reading.
func TestInvariant10_EndedWithoutThePatient(t *testing.T) {
	for state, ways := range ends {
		for i, end := range ways {
			b := newBench(t)
			r := b.refer()
			b.deliver()
			b.rewrite("ServiceRequest", r.request, func(n *fhir.Node) { n.Set("priority", fhir.Str("urgent")) })
			end(b, r)
			b.stateOf(r.task, state, kommune)
			b.deliver()
			told := map[string]int64{}
			all := map[string]string{"ServiceRequest": r.request, "Patient": r.patient, "CarePlan": r.plan, "Task": r.task}
			for typ, id := range all {
				told[typ] = b.history(asInstitusjon, typ, id)[0]
				if now := b.history(asKommune, typ, id); told[typ] != now[0] {
					t.Errorf("%s %d: the receiver reads the %s up to %d of %v", state, i, typ, told[typ], now)
				}
			}
			refersOn := func() error {
				_, err := b.post(asInstitusjon, `{"resourceType":"Task","status":"requested","intent":"order","for":{"reference":"Patient/`+r.patient+
					`"},"focus":{"reference":"ServiceRequest/`+r.request+`"},"owner":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80401"}}}`)
				return err
			}
			isFault(t, refersOn(), handover.FaultPatientUnidentified)
			after := b.bundles(institusjon)
			b.rewrite("ServiceRequest", r.request, func(n *fhir.Node) { n.Set("priority", fhir.Str("stat")) })
			b.rewrite("CarePlan", r.plan, func(n *fhir.Node) { n.Set("title", fhir.Str("Ny plan")) })
			b.rewrite("Patient", r.patient, func(n *fhir.Node) { n.Set("gender", fhir.Str("other")) })
			note := b.mustPost(asKommune, `{"resourceType":"Observation","status":"final","code":{"text":"x"},"basedOn":[{"reference":"ServiceRequest/`+r.request+`"}]}`)
			b.deliver()
			if got := b.bundles(institusjon); got != after {
				t.Errorf("%s %d: the receiver is told of what is written after", state, i)
			}
			for typ, id := range all {
				v, err := b.g.FHIR.Read(t.Context(), asInstitusjon, typ, id)
				if err != nil || v.Version != told[typ] {
					t.Errorf("%s %d: reads version %d of the %s, was told %d: %v", state, i, v.Version, typ, told[typ], err)
				}
				if got := b.history(asInstitusjon, typ, id); int64(len(got)) != told[typ] || got[0] != told[typ] {
					t.Errorf("%s %d: history of the %s %v, was told %d", state, i, typ, got, told[typ])
				}
				if typ == "Task" {
					continue
				}
				_, err = b.g.FHIR.ReadVersion(t.Context(), asInstitusjon, typ, id, told[typ]+1)
				isFault(t, err, handover.FaultNotFound)
				if b.found(asInstitusjon, typ, "_id="+id) != 0 {
					t.Errorf("%s %d: finds the %s by what was written after", state, i, typ)
				}
			}
			if got := b.mustRead(asInstitusjon, "ServiceRequest", r.request).Str("priority"); got != "urgent" {
				t.Errorf("%s %d: reads priority %s", state, i, got)
			}
			if b.read(asInstitusjon, "Observation", note) != nil {
				t.Errorf("%s %d: reads what is new", state, i)
			}
			isFault(t, refersOn(), handover.FaultPatientUnidentified)
			n := b.mustRead(asInstitusjon, "CarePlan", r.plan)
			_, err := b.g.FHIR.Write(t.Context(), asInstitusjon, putWrite(n))
			isFault(t, err, handover.FaultPrecondition)
			if _, err := b.g.FHIR.Reindex(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := b.history(asInstitusjon, "ServiceRequest", r.request); got[0] != told["ServiceRequest"] {
				t.Errorf("%s %d: after a reindex it reads %v", state, i, got)
			}
			b.balanced()
		}
	}
}

// bundles counts what a party was sent.
func (b *bench) bundles(p handover.PartyID) int { return len(b.ofType(p, "transaction")) }

// TestInvariant10_ToldAfterTheEnd: what a handover tells its receiver after it has declined, the
// receiver reads as it was told, and what is written after that it does not.
func TestInvariant10_ToldAfterTheEnd(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.deliver()
	b.mustChange(asInstitusjon, r.task, status("rejected", ""))
	b.rewrite("CarePlan", r.plan, func(n *fhir.Node) { n.Set("title", fhir.Str("Ny plan")) })
	b.deliver()
	before := b.bundles(institusjon)
	task, request := b.mustRead(asKommune, "Task", r.task), b.mustRead(asKommune, "ServiceRequest", r.request)
	task.Set("status", fhir.Str("cancelled"))
	request.Set("priority", fhir.Str("urgent"))
	w := fhir.Write{Mode: fhir.WriteTransaction, Raw: task.JSON(), Entries: append(putWrite(task).Entries, putWrite(request).Entries...)}
	if _, err := b.g.FHIR.Write(t.Context(), asKommune, w); err != nil {
		t.Fatal(err)
	}
	b.deliver()
	b.stateOf(r.task, handover.StateWithdrawn, kommune)
	if b.bundles(institusjon) == before {
		t.Fatal("the receiver is not told that the request is withdrawn")
	}
	sent := b.lastBundle(institusjon)
	if inBundle(sent, "Task", r.task).Str("status") != "cancelled" || inBundle(sent, "ServiceRequest", r.request).Str("priority") != "urgent" {
		t.Errorf("the receiver was told %s", sent.JSON())
	}
	for typ, id := range map[string]string{"Task": r.task, "ServiceRequest": r.request, "CarePlan": r.plan, "Patient": r.patient} {
		if told := inBundle(sent, typ, id); told != nil && b.history(asInstitusjon, typ, id)[0] != b.history(asKommune, typ, id)[0] {
			t.Errorf("the receiver was told of the %s and does not read it", typ)
		}
	}
	if got := b.mustRead(asInstitusjon, "ServiceRequest", r.request).Str("priority"); got != "urgent" {
		t.Errorf("reads priority %q", got)
	}
	b.rewrite("ServiceRequest", r.request, func(n *fhir.Node) { n.Set("priority", fhir.Str("stat")) })
	if got := b.history(asInstitusjon, "ServiceRequest", r.request); fmt.Sprint(got) != "[2 1]" {
		t.Errorf("the receiver reads the versions %v", got)
	}
	b.balanced()
}

// TestInvariant10_EndedAndAskedAgain: a new handover with the same receiver is read from where it
// began, and what was written between the two is not.
func TestInvariant10_EndedAndAskedAgain(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.mustChange(asInstitusjon, r.task, status("rejected", ""))
	priority := func(code string) {
		b.rewrite("ServiceRequest", r.request, func(n *fhir.Node) { n.Set("priority", fhir.Str(code)) })
	}
	priority("urgent")
	priority("asap")
	again := b.mustPost(asKommune, `{"resourceType":"Task","status":"requested","intent":"order","for":{"reference":"Patient/`+r.patient+
		`"},"focus":{"reference":"ServiceRequest/`+r.request+`"},"owner":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80301"}}}`)
	priority("stat")
	if got := b.history(asInstitusjon, "ServiceRequest", r.request); fmt.Sprint(got) != "[4 3 1]" {
		t.Errorf("the receiver reads the versions %v", got)
	}
	b.mustChange(asInstitusjon, again, status("accepted", ""))
	b.mustChange(asInstitusjon, again, status("in-progress", ""))
	b.mustChange(asInstitusjon, again, func(n *fhir.Node) {
		n.Set("status", fhir.Str("completed"))
		n.Append("output", parse(t, `{"type":{"coding":[{"system":"urn:stafett:next","code":"next"}]},"valueCode":"home"}`))
	})
	b.stateOf(again, handover.StateCompleted, institusjon)
	priority("routine")
	if got := b.history(asInstitusjon, "ServiceRequest", r.request); fmt.Sprint(got) != "[5 4 3 1]" {
		t.Errorf("the receiver that had the patient reads the versions %v", got)
	}
	b.balanced()
}

// TestReindex_RestoresGrants: what the parties of a handover may read of it is found again
// by its Task; who was the wrong one stays out.
func TestReindex_RestoresGrants(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	second := b.referAgain(r)
	b.mustChange(asAnnen, second, status("rejected", "misaddressed"))
	lost := ledger.Unit{Hide: []ledger.Hidden{{Party: institusjon, Handover: handover.ID(r.task)}, {Party: annen, Handover: handover.ID(second)}}}
	if _, err := b.store.Commit(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"Patient": r.patient, "ServiceRequest": r.request, "CarePlan": r.plan, "Task": r.task}
	for typ, id := range all {
		if b.read(asInstitusjon, typ, id) != nil {
			t.Fatalf("the %s is not hidden", typ)
		}
	}
	for range 2 {
		if _, err := b.g.FHIR.Reindex(t.Context()); err != nil {
			t.Fatal(err)
		}
		for typ, id := range all {
			if b.read(asInstitusjon, typ, id) == nil {
				t.Errorf("the receiver does not read the %s again", typ)
			}
			if b.read(asAnnen, typ, id) != nil {
				t.Errorf("the wrong receiver reads the %s again", typ)
			}
		}
	}
	b.balanced()
}
