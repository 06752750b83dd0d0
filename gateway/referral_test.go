package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"stafett/access"
	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
)

func TestReferral_WholePath(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.stateOf(r.task, handover.StateRequested, kommune)
	b.deliver()
	got := b.lastBundle(institusjon)
	want := map[string]int{"Patient": 1, "ServiceRequest": 1, "CarePlan": 1, "Observation": 1, "Task": 1, "Communication": 1}
	if fmt.Sprint(typesOf(got)) != fmt.Sprint(want) {
		t.Fatalf("the institution was sent %v", typesOf(got))
	}
	b.stateOf(r.task, handover.StateReceived, kommune)

	told := len(b.ofType(kommune, "transaction"))
	tell := func(status string) {
		t.Helper()
		b.deliver()
		now := b.ofType(kommune, "transaction")
		if len(now) != told+1 {
			t.Fatalf("the municipality was told %d times after %s, want %d", len(now), status, told+1)
		}
		told = len(now)
		if s := inBundle(b.lastBundle(kommune), "Task", r.task).Str("status"); s != status {
			t.Fatalf("the municipality was told %s, want %s", s, status)
		}
	}
	b.mustChange(asInstitusjon, r.task, func(n *fhir.Node) {
		n.Set("status", fhir.Str("accepted"))
		n.Set("executionPeriod", fhir.Obj("start", "2026-03-09"))
	})
	b.stateOf(r.task, handover.StateAccepted, institusjon)
	tell("accepted")

	task := b.mustRead(asInstitusjon, "Task", r.task)
	task.Set("status", fhir.Str("in-progress"))
	started := `{"resourceType":"Bundle","type":"transaction","entry":[` +
		`{"fullUrl":"urn:uuid:00000000-0000-4000-8000-00000000000a","resource":{"resourceType":"Observation","status":"final","code":{"text":"Gangfunksjon"},"subject":{"reference":"Patient/` + r.patient + `"},"valueQuantity":{"value":1.10}},"request":{"method":"POST","url":"Observation"}},` +
		`{"resource":` + string(task.JSON()) + `,"request":{"method":"PUT","url":"Task/` + r.task + `","ifMatch":"W/\"` + task.Str("meta", "versionId") + `\""}}]}`
	res, err := b.writeBundle(asInstitusjon, started)
	if err != nil {
		t.Fatal(err)
	}
	b.stateOf(r.task, handover.StateInProgress, institusjon)
	tell("in-progress")
	observation := res.Entries[0].ID
	if inBundle(b.lastBundle(kommune), "Observation", observation) == nil {
		t.Fatal("the observation did not come with the news")
	}
	b.mustRead(asKommune, "Observation", observation)

	b.mustChange(asInstitusjon, r.task, func(n *fhir.Node) {
		n.Set("status", fhir.Str("completed"))
		n.Append("output", parse(t, `{"type":{"coding":[{"system":"urn:stafett:next","code":"next"}]},"valueCode":"home"}`))
	})
	b.stateOf(r.task, handover.StateCompleted, institusjon)
	tell("completed")
	if h := b.handoverOf(r.task); h.Next.None != handover.NoneHome || !h.NextDue().IsZero() {
		t.Fatalf("next %+v, due %v", h.Next, h.NextDue())
	}
	if sum := b.balanced(); sum.Parked+sum.Refused+sum.Moving != 0 {
		t.Fatalf("%+v", sum)
	}
}

// TestReferral_ExactJSON: what a party wrote comes back as it wrote it, but for id, meta,
// resolved references and what the handover decides of a Task.
func TestReferral_ExactJSON(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.deliver()
	for typ, id := range map[string]string{"Patient": r.patient, "ServiceRequest": r.request, "CarePlan": r.plan, "Observation": r.observation} {
		v, err := b.g.FHIR.Read(t.Context(), asKommune, typ, id)
		if err != nil {
			t.Fatal(err)
		}
		got := string(v.JSON)
		for _, e := range parse(t, referralBundle).Each("entry") {
			n := e.Get("resource")
			if n.ResourceType() != typ {
				continue
			}
			want := strings.ReplaceAll(string(n.JSON()), "urn:uuid:00000000-0000-4000-8000-000000000001", "Patient/"+r.patient)
			mine := parse(t, got)
			mine.Delete("id")
			mine.Delete("meta")
			if string(mine.JSON()) != want {
				t.Errorf("%s\n got %s\nwant %s", typ, mine.JSON(), want)
			}
		}
	}
	task := b.mustRead(asInstitusjon, "Task", r.task)
	text := string(task.JSON())
	for _, want := range []string{`"valueDecimal":1.10`, `"_status":{"extension":[{"url":"urn:dalvik:note","valueString":"s"}]}`,
		`"identifier":[{"system":"urn:dalvik:oppgave","value":"T-1"}]`, `"status":"received"`, `"focus":{"reference":"ServiceRequest/` + r.request + `"}`} {
		if !strings.Contains(text, want) {
			t.Errorf("the Task lacks %s: %s", want, text)
		}
	}
	if sent := inBundle(b.lastBundle(institusjon), "Observation", r.observation); !strings.Contains(string(sent.JSON()), `"value":61.10`) {
		t.Errorf("sent %s", sent.JSON())
	}
}

// TestReferral_ThirdPartyFindsNothing: refused by default.
func TestReferral_ThirdPartyFindsNothing(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.deliver()
	for typ, id := range map[string]string{"Patient": r.patient, "ServiceRequest": r.request, "CarePlan": r.plan, "Observation": r.observation, "Task": r.task} {
		if n := b.read(asSykehus, typ, id); n != nil {
			t.Errorf("the hospital reads the %s", typ)
		}
		if _, err := b.g.FHIR.ReadVersion(t.Context(), asSykehus, typ, id, 1); err == nil {
			t.Errorf("the hospital reads version 1 of the %s", typ)
		}
		if n := b.found(asSykehus, typ, ""); n != 0 {
			t.Errorf("the hospital finds %d %s", n, typ)
		}
		if page, err := b.g.FHIR.History(t.Context(), asSykehus, typ, "", 10, ""); err != nil || len(page.Versions) != 0 {
			t.Errorf("the hospital sees %d versions of %s, %v", len(page.Versions), typ, err)
		}
		if _, err := b.g.FHIR.History(t.Context(), asSykehus, typ, id, 10, ""); err == nil {
			t.Errorf("the hospital sees the history of the %s", typ)
		}
		for _, c := range []access.Caller{asKommune, asInstitusjon} {
			if b.found(c, typ, "_id="+id) != 1 {
				t.Errorf("%s does not find the %s", c.Party, typ)
			}
		}
	}
	n := b.mustRead(asKommune, "Task", r.task)
	n.Set("status", fhir.Str("cancelled"))
	_, err := b.g.FHIR.Write(t.Context(), asSykehus, putWrite(n))
	isFault(t, err, handover.FaultNotFound)
	b.stateOf(r.task, handover.StateReceived, kommune)
}

func TestReferral_Answers(t *testing.T) {
	next := func(code string) func(*fhir.Node) {
		return func(n *fhir.Node) {
			n.Append("input", parse(t, `{"type":{"coding":[{"system":"urn:stafett:next","code":"next"}]},"valueCode":"`+code+`"}`))
		}
	}
	type step struct {
		by    access.Caller
		does  func(*fhir.Node)
		state handover.State
		holds handover.PartyID
	}
	tests := []struct {
		name  string
		steps []step
	}{
		{"declined, then what is next", []step{
			{asInstitusjon, status("rejected", ""), handover.StateDeclined, kommune},
			{asKommune, next("sender-keeps"), handover.StateDeclined, kommune},
		}},
		{"deferred, then accepted", []step{
			{asInstitusjon, status("on-hold", "deferred"), handover.StateDeferred, kommune},
			{asInstitusjon, status("accepted", ""), handover.StateAccepted, institusjon},
		}},
		{"accepted, started, paused, resumed", []step{
			{asInstitusjon, status("accepted", ""), handover.StateAccepted, institusjon},
			{asInstitusjon, status("in-progress", ""), handover.StateInProgress, institusjon},
			{asInstitusjon, status("on-hold", "paused"), handover.StatePaused, institusjon},
			{asInstitusjon, status("in-progress", ""), handover.StateInProgress, institusjon},
		}},
		{"withdrawn", []step{{asKommune, status("cancelled", ""), handover.StateWithdrawn, kommune}}},
		{"voided", []step{{asKommune, status("entered-in-error", ""), handover.StateVoided, kommune}}},
		{"taken back", []step{
			{asInstitusjon, status("accepted", ""), handover.StateAccepted, institusjon},
			{asKommune, status("on-hold", ""), handover.StateDeferred, kommune},
		}},
		{"withdrawal asked and consented to", []step{
			{asInstitusjon, status("accepted", ""), handover.StateAccepted, institusjon},
			{asInstitusjon, status("in-progress", ""), handover.StateInProgress, institusjon},
			{asKommune, status("cancelled", ""), handover.StateInProgress, institusjon},
			{asInstitusjon, status("cancelled", ""), handover.StateWithdrawn, kommune},
		}},
		{"content kept up to date", []step{
			{asKommune, func(n *fhir.Node) { n.Set("priority", fhir.Str("urgent")) }, handover.StateReceived, kommune},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			r := b.refer()
			b.deliver()
			for i, s := range tt.steps {
				other := institusjon
				if s.by.Party == institusjon {
					other = kommune
				}
				before := len(b.ofType(other, "transaction"))
				b.mustChange(s.by, r.task, s.does)
				b.stateOf(r.task, s.state, s.holds)
				b.deliver()
				if n := len(b.ofType(other, "transaction")); n == before && s.state != handover.StateDeclined {
					t.Fatalf("step %d: the other party was not told", i)
				}
				if got := b.mustRead(asKommune, "Task", r.task).Str("status"); got != s.state.TaskStatus() {
					t.Fatalf("step %d: Task.status %s, want %s", i, got, s.state.TaskStatus())
				}
			}
			b.balanced()
		})
	}
}

// TestReferral_DeclinedClockRunsUntilNextIsNamed: a handover ends only by naming what is next.
func TestInvariant3_DeclinedOwesWhatIsNext(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.deliver()
	b.mustChange(asInstitusjon, r.task, status("rejected", ""))
	if h := b.handoverOf(r.task); h.Deadline.IsZero() {
		t.Fatal("a declined handover without a next has no deadline")
	}
	b.mustChange(asKommune, r.task, func(n *fhir.Node) {
		n.Append("input", parse(t, `{"type":{"coding":[{"system":"urn:stafett:next"}]},"valueCode":"sender-keeps"}`))
	})
	if h := b.handoverOf(r.task); !h.NextDue().IsZero() || h.Next.None != handover.NoneSenderKeeps {
		t.Fatalf("%+v", h)
	}
}

// TestReferral_MisaddressedEndsAccess: the wrong receiver reads nothing any more, whatever
// is written afterwards.
func TestReferral_MisaddressedEndsAccess(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.deliver()
	b.mustChange(asInstitusjon, r.task, status("rejected", "misaddressed"))
	b.stateOf(r.task, handover.StateDeclined, kommune)
	all := map[string]string{"Patient": r.patient, "ServiceRequest": r.request, "CarePlan": r.plan, "Observation": r.observation, "Task": r.task}
	blind := func(when string) {
		t.Helper()
		for typ, id := range all {
			if b.read(asInstitusjon, typ, id) != nil {
				t.Errorf("%s: the former owner reads the %s", when, typ)
			}
			if b.found(asInstitusjon, typ, "") != 0 {
				t.Errorf("%s: the former owner finds the %s", when, typ)
			}
			if b.read(asKommune, typ, id) == nil {
				t.Errorf("%s: the author does not read its own %s", when, typ)
			}
		}
	}
	b.deliver()
	blind("at once")
	sent := len(b.ofType(institusjon, "transaction"))
	request := b.mustRead(asKommune, "ServiceRequest", r.request)
	request.Set("priority", fhir.Str("urgent"))
	if _, err := b.g.FHIR.Write(t.Context(), asKommune, putWrite(request)); err != nil {
		t.Fatal(err)
	}
	b.mustChange(asKommune, r.task, func(n *fhir.Node) {
		n.Append("input", parse(t, `{"type":{"coding":[{"system":"urn:stafett:next"}]},"valueCode":"sender-keeps"}`))
	})
	b.deliver()
	blind("after the sender's writes")
	if n := len(b.ofType(institusjon, "transaction")); n != sent {
		t.Errorf("the former owner was told %d times more", n-sent)
	}
	if _, err := b.g.FHIR.Reindex(t.Context()); err != nil {
		t.Fatal(err)
	}
	blind("after a reindex")
	if hs, err := b.g.Handovers(t.Context(), asInstitusjon, ledger.HandoverFilter{}); err != nil || len(hs.Items) != 0 {
		t.Errorf("the former owner sees %d handovers, %v", len(hs.Items), err)
	}
	// A resource of its own about the request is not the sender's business either way.
	_, err := b.post(asInstitusjon, `{"resourceType":"Observation","status":"final","code":{"text":"x"},"basedOn":[{"reference":"ServiceRequest/`+r.request+`"}]}`)
	if err == nil && b.found(asKommune, "Observation", "") != 1 {
		t.Error("the former owner still writes into the handover")
	}
	b.balanced()
}

// TestReferral_RepeatedWrite: the same identity and content gets the first answer.
func TestInvariant2_RepeatedWriteReplaysTheFirstAnswer(t *testing.T) {
	b := newBench(t)
	first, err := b.writeBundle(asKommune, referralBundle)
	if err != nil {
		t.Fatal(err)
	}
	b.deliver()
	b.mustChange(asInstitusjon, first.Entries[4].ID, status("accepted", ""))
	again, err := b.writeBundle(asKommune, referralBundle)
	if err != nil {
		t.Fatal(err)
	}
	if len(again.Entries) != len(first.Entries) || again.Status != first.Status {
		t.Fatalf("%d entries with %d, first %d with %d", len(again.Entries), again.Status, len(first.Entries), first.Status)
	}
	for i, e := range first.Entries {
		a := again.Entries[i]
		if a.Status != e.Status || a.ID != e.ID || a.Version != e.Version || a.Created != e.Created || string(a.JSON) != string(e.JSON) || !a.At.Equal(e.At) {
			t.Errorf("entry %d\n got %+v %s\nwant %+v %s", i, a, a.JSON, e, e.JSON)
		}
	}
	b.stateOf(first.Entries[4].ID, handover.StateAccepted, institusjon)
	if sum := b.balanced(); sum.Repeated != 1 {
		t.Fatalf("%+v", sum)
	}
	// The same identity from another party, or with other content, is no repeat.
	other := strings.Replace(referralBundle, `"title":"Plan"`, `"title":"Ny plan"`, 1)
	if _, err := b.writeBundle(asKommune, other); err != nil {
		t.Fatal(err)
	}
	if sum := b.balanced(); sum.Repeated != 1 || sum.Received != 4 {
		t.Fatalf("%+v", sum)
	}
}

// TestReferral_DeletesAreNotRepeatsOfOneAnother: a delete has no body to tell it by.
func TestReferral_DeletesAreNotRepeatsOfOneAnother(t *testing.T) {
	b := newBench(t)
	one := b.mustPost(asKommune, `{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"display":"x"},"title":"1"}`)
	two := b.mustPost(asKommune, `{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"display":"x"},"title":"2"}`)
	for _, id := range []string{one, two} {
		_, err := b.g.FHIR.Write(t.Context(), asKommune, fhir.Write{Mode: fhir.WriteSingle, Identity: "same", Entries: []fhir.WriteEntry{{Method: http.MethodDelete, Type: "CarePlan", ID: id}}})
		if err != nil {
			t.Fatal(err)
		}
		if b.read(asKommune, "CarePlan", id) != nil {
			t.Fatal("not deleted")
		}
	}
}

// TestReferral_LaterObservation: what refers to the request belongs to its handover.
func TestReferral_LaterObservation(t *testing.T) {
	for _, who := range []struct {
		from access.Caller
		to   access.Caller
	}{{asKommune, asInstitusjon}, {asInstitusjon, asKommune}} {
		b := newBench(t)
		r := b.refer()
		b.deliver()
		id := b.mustPost(who.from, `{"resourceType":"Observation","status":"final","code":{"text":"x"},"basedOn":[{"reference":"ServiceRequest/`+r.request+`"}],"valueQuantity":{"value":1.10}}`)
		b.mustRead(who.to, "Observation", id)
		b.deliver()
		if inBundle(b.lastBundle(who.to.Party), "Observation", id) == nil {
			t.Errorf("%s was not told", who.to.Party)
		}
		if b.read(asSykehus, "Observation", id) != nil {
			t.Error("the hospital reads it")
		}
		b.balanced()
	}
}

// TestReferral_KnownPatientIsShown: a request about a patient that was stored before shows
// the receiver that patient, and not what the sender does not see itself.
func TestReferral_KnownPatientIsShown(t *testing.T) {
	b := newBench(t)
	first := b.refer()
	b.deliver()
	other := b.mustPost(asSykehus, `{"resourceType":"Observation","status":"final","code":{"text":"sykehusets egen"}}`)
	own := b.mustPost(asKommune, `{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"reference":"Patient/`+first.patient+`"},"title":"Egen"}`)
	b.mustRead(asInstitusjon, "CarePlan", own) // about the patient of the only open request
	request := `{"resourceType":"Bundle","type":"transaction","entry":[
{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000001","resource":{"resourceType":"Patient","identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"12034800241"}]},"request":{"method":"POST","url":"Patient","ifNoneExist":"identifier=urn:oid:2.16.578.1.12.4.1.4.1|12034800241"}},
{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000005","resource":{"resourceType":"Task","status":"requested","intent":"order","for":{"reference":"urn:uuid:00000000-0000-4000-8000-000000000001"},"focus":{"reference":"Observation/` + other + `"},"basedOn":[{"reference":"CarePlan/` + own + `"}],"owner":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80301"}}},"request":{"method":"POST","url":"Task"}}]}`
	_, err := b.writeBundle(asKommune, request)
	isFault(t, err, handover.FaultInvalid) // the owner could not read the focus
	res, err := b.writeBundle(asKommune, strings.Replace(request, `"focus":{"reference":"Observation/`+other+`"},`, "", 1))
	if err != nil {
		t.Fatal(err)
	}
	if res.Entries[0].ID != first.patient || res.Entries[0].Created {
		t.Fatalf("the patient was stored twice: %+v", res.Entries[0])
	}
	b.deliver()
	sent := b.lastBundle(institusjon)
	if inBundle(sent, "Patient", first.patient) == nil || inBundle(sent, "CarePlan", own) == nil {
		t.Errorf("sent %v", typesOf(sent))
	}
	if inBundle(sent, "Observation", other) != nil {
		t.Error("a resource that the sender may not see was sent on")
	}
	b.mustRead(asInstitusjon, "CarePlan", own)
	if b.read(asInstitusjon, "Observation", other) != nil || b.read(asKommune, "Observation", other) != nil {
		t.Error("a resource of the hospital is shown to others")
	}
	b.balanced()
}

// TestReferral_Forwarded: the next handover has the new owner, who is sent all that the
// sender wrote; custody stays with the sender.
func TestReferral_Forwarded(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.deliver()
	later := b.mustPost(asKommune, `{"resourceType":"Observation","status":"final","code":{"text":"x"},"basedOn":[{"reference":"ServiceRequest/`+r.request+`"}]}`)
	note := b.mustPost(asInstitusjon, `{"resourceType":"Observation","status":"final","code":{"text":"egen"},"basedOn":[{"reference":"ServiceRequest/`+r.request+`"}]}`)
	forward := func(n *fhir.Node) {
		status("rejected", "forwarded")(n)
		n.Set("statusReason", fhir.TextConcept("Ikke plass"))
		n.Set("owner", fhir.LogicalRef("Organization", fhir.SystemHER, "80401", ""))
	}
	b.mustChange(asInstitusjon, r.task, forward)
	b.stateOf(r.task, handover.StateForwarded, kommune)
	next := string(b.handoverOf(r.task).Next.Handover)
	b.stateOf(next, handover.StateRequested, kommune)
	if h := b.handoverOf(next); h.Receiver != annen || h.Sender != kommune || h.Chain != b.handoverOf(r.task).Chain {
		t.Fatalf("%+v", h)
	}
	b.deliver()
	b.stateOf(next, handover.StateReceived, kommune)
	sent := b.lastBundle(annen)
	task := inBundle(sent, "Task", next)
	if task == nil || task.Get("statusReason") != nil || task.Str("status") != "requested" || task.Str("owner", "identifier", "value") != "80004" || task.Get("businessStatus") != nil {
		t.Fatalf("the next Task: %s", task.JSON())
	}
	for typ, id := range map[string]string{"Patient": r.patient, "ServiceRequest": r.request, "CarePlan": r.plan, "Observation": later} {
		if inBundle(sent, typ, id) == nil || b.read(asAnnen, typ, id) == nil {
			t.Errorf("the new owner does not get the %s", typ)
		}
	}
	if inBundle(sent, "Observation", r.observation) == nil {
		t.Error("the new owner does not get the first observation")
	}
	if inBundle(sent, "Observation", note) != nil || b.read(asAnnen, "Observation", note) != nil {
		t.Error("the new owner gets what the former wrote")
	}
	if got := b.mustRead(asKommune, "Task", r.task); got.Str("owner", "identifier", "value") != "80301" {
		t.Errorf("the Task that was passed on: %s", got.JSON())
	}
	b.mustChange(asAnnen, next, status("accepted", ""))
	b.stateOf(next, handover.StateAccepted, annen)
	// No receiver twice.
	isFault(t, b.change(asInstitusjon, r.task, status("accepted", "")), handover.FaultIllegal)
	b.balanced()
}

// TestReferral_ForwardedTo: who cannot be passed on to.
func TestReferral_ForwardedTo(t *testing.T) {
	for name, tt := range map[string]struct {
		her  string
		want handover.FaultKind
	}{"its sender": {"80002", handover.FaultIllegal}, "itself": {"80003", handover.FaultIllegal}, "nobody known": {"89999", handover.FaultReceiverUnknown}} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			r := b.refer()
			b.deliver()
			err := b.change(asInstitusjon, r.task, func(n *fhir.Node) {
				status("rejected", "forwarded")(n)
				n.Set("owner", fhir.LogicalRef("Organization", fhir.SystemHER, tt.her, ""))
			})
			isFault(t, err, tt.want)
			b.stateOf(r.task, handover.StateReceived, kommune)
		})
	}
}

// TestReferral_TwoHandoversInOneTransaction: what is written for one receiver is never
// shown to another.
func TestReferral_TwoHandoversInOneTransaction(t *testing.T) {
	b := newBench(t)
	one := b.refer()
	two := b.refer("5f0c1e9a", "6f0c1e9a", `"H-1"`, `"H-2"`, `"80301"`, `"80401"`)
	b.deliver()
	entry := func(id string) string {
		n := b.mustRead(asKommune, "CarePlan", id)
		n.Set("title", fhir.Str("Ny"))
		return `{"resource":` + string(n.JSON()) + `,"request":{"method":"PUT","url":"CarePlan/` + id + `"}}`
	}
	_, err := b.writeBundle(asKommune, `{"resourceType":"Bundle","type":"transaction","entry":[`+entry(one.plan)+`,`+entry(two.plan)+`]}`)
	isFault(t, err, handover.FaultUnsupported)
	if b.read(asInstitusjon, "CarePlan", two.plan) != nil || b.read(asAnnen, "CarePlan", one.plan) != nil {
		t.Fatal("the plans are mixed up")
	}
}

func TestReferral_Refused(t *testing.T) {
	owner := func(her string) *fhir.Node {
		return fhir.LogicalRef("Organization", fhir.SystemHER, her, "")
	}
	tests := []struct {
		name  string
		write func(b *bench, r referral) error
		want  handover.FaultKind
	}{
		{"unknown owner", func(b *bench, _ referral) error {
			_, err := b.writeBundle(asKommune, strings.NewReplacer(`"80301"`, `"89999"`, "5f0c1e9a", "6f0c1e9a").Replace(referralBundle))
			return err
		}, handover.FaultReceiverUnknown},
		{"requester other than the caller", func(b *bench, _ referral) error {
			_, err := b.writeBundle(asSykehus, referralBundle)
			return err
		}, handover.FaultForbidden},
		{"begins elsewhere than requested", func(b *bench, _ referral) error {
			_, err := b.writeBundle(asKommune, strings.NewReplacer(`"status":"requested"`, `"status":"accepted"`, "5f0c1e9a", "6f0c1e9a").Replace(referralBundle))
			return err
		}, handover.FaultIllegal},
		{"to itself", func(b *bench, _ referral) error {
			_, err := b.writeBundle(asKommune, strings.NewReplacer(`"80301"`, `"80203"`, "5f0c1e9a", "6f0c1e9a").Replace(referralBundle))
			return err
		}, handover.FaultInvalid},
		{"completed before it began", func(b *bench, r referral) error { return b.change(asInstitusjon, r.task, status("completed", "")) }, handover.FaultIllegal},
		{"failed is no answer", func(b *bench, r referral) error { return b.change(asInstitusjon, r.task, status("failed", "")) }, handover.FaultIllegal},
		{"the requester accepts for the owner", func(b *bench, r referral) error { return b.change(asKommune, r.task, status("accepted", "")) }, handover.FaultIllegal},
		{"the owner changes the patient", func(b *bench, r referral) error {
			return b.change(asInstitusjon, r.task, func(n *fhir.Node) { n.Set("for", fhir.Obj("reference", "Patient/another")) })
		}, handover.FaultForbidden},
		{"the owner changes itself without forwarding", func(b *bench, r referral) error {
			return b.change(asInstitusjon, r.task, func(n *fhir.Node) { n.Set("owner", owner("80001")) })
		}, handover.FaultForbidden},
		{"the requester changes the output", func(b *bench, r referral) error {
			return b.change(asKommune, r.task, func(n *fhir.Node) { n.Append("output", parse(t, `{"type":{"text":"x"},"valueCode":"home"}`)) })
		}, handover.FaultForbidden},
		{"the owner changes the request", func(b *bench, r referral) error {
			n := b.mustRead(asInstitusjon, "ServiceRequest", r.request)
			n.Set("priority", fhir.Str("urgent"))
			_, err := b.g.FHIR.Write(b.t.Context(), asInstitusjon, putWrite(n))
			return err
		}, handover.FaultForbidden},
		{"stale If-Match", func(b *bench, r referral) error {
			n := b.mustRead(asInstitusjon, "Task", r.task)
			n.Set("status", fhir.Str("accepted"))
			w := putWrite(n)
			w.Entries[0].IfMatch = 1
			_, err := b.g.FHIR.Write(b.t.Context(), asInstitusjon, w)
			return err
		}, handover.FaultPrecondition},
		{"PUT to an id of the caller's choice", func(b *bench, _ referral) error {
			_, err := b.g.FHIR.Write(b.t.Context(), asKommune, putWrite(parse(b.t, `{"resourceType":"CarePlan","id":"mine","status":"active","intent":"plan","subject":{"display":"x"}}`)))
			return err
		}, handover.FaultNotFound},
		{"delete of a Task", func(b *bench, r referral) error {
			_, err := b.g.FHIR.Write(b.t.Context(), asKommune, fhir.Write{Mode: fhir.WriteSingle, Entries: []fhir.WriteEntry{{Method: http.MethodDelete, Type: "Task", ID: r.task}}})
			return err
		}, handover.FaultForbidden},
		{"delete of another's resource", func(b *bench, r referral) error {
			_, err := b.g.FHIR.Write(b.t.Context(), asInstitusjon, fhir.Write{Mode: fhir.WriteSingle, Entries: []fhir.WriteEntry{{Method: http.MethodDelete, Type: "CarePlan", ID: r.plan}}})
			return err
		}, handover.FaultForbidden},
		{"two Tasks in one transaction", func(b *bench, r referral) error {
			n := b.mustRead(asInstitusjon, "Task", r.task)
			_, err := b.g.FHIR.Write(b.t.Context(), asInstitusjon, fhir.Write{Mode: fhir.WriteTransaction, Raw: []byte("{}"), Entries: []fhir.WriteEntry{
				putWrite(n).Entries[0],
				{Method: http.MethodPost, Type: "Task", Resource: parse(b.t, `{"resourceType":"Task","status":"requested","intent":"order"}`)}}})
			return err
		}, handover.FaultUnsupported},
		{"structure", func(b *bench, _ referral) error {
			_, err := b.post(asKommune, `{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"display":"x"},"wrong":1}`)
			return err
		}, handover.FaultInvalid},
		{"conditional reference that matches nothing", func(b *bench, _ referral) error {
			_, err := b.writeBundle(asKommune, `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient?identifier=nobody"}},"request":{"method":"POST","url":"Observation"}}]}`)
			return err
		}, handover.FaultPrecondition},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			r := b.refer()
			b.deliver()
			before := b.balanced()
			task := b.mustRead(asKommune, "Task", r.task).Str("meta", "versionId")
			f := isFault(t, tt.write(b, r), tt.want)
			if f.Kind == handover.FaultIllegal && len(f.Allowed) == 0 {
				t.Error("no allowed events are named")
			}
			b.stateOf(r.task, handover.StateReceived, kommune)
			if v := b.mustRead(asKommune, "Task", r.task).Str("meta", "versionId"); v != task {
				t.Errorf("the Task is of version %s after %s", v, task)
			}
			after := b.balanced()
			if after.Refused != before.Refused+1 || after.Received != before.Received+1 {
				t.Fatalf("%+v after %+v", after, before)
			}
			if hs, err := b.store.Handovers(t.Context(), ledger.HandoverFilter{}); err != nil || hs.Total != 1 {
				t.Fatalf("%d handovers, %v", hs.Total, err)
			}
		})
	}
}

// TestReferral_RefusedIdentityMayBeUsedAgain: a mended message under the same identity is taken.
func TestReferral_RefusedIdentityMayBeUsedAgain(t *testing.T) {
	b := newBench(t)
	_, err := b.writeBundle(asKommune, strings.Replace(referralBundle, `"80301"`, `"89999"`, 1))
	isFault(t, err, handover.FaultReceiverUnknown)
	b.refer()
	b.balanced()
}

// TestReferral_ConditionalCreateSeesOnlyItsOwn: an index that nobody can read must not tie
// a person's numbers together across parties.
func TestReferral_ConditionalCreateSeesOnlyItsOwn(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	create := func(c access.Caller) fhir.EntryResult {
		t.Helper()
		res, err := b.g.FHIR.Write(t.Context(), c, fhir.Write{Mode: fhir.WriteSingle, Raw: []byte("{}"), Entries: []fhir.WriteEntry{{Method: http.MethodPost, Type: "Patient",
			IfNoneExist: "identifier=urn:oid:2.16.578.1.12.4.1.4.1|" + solveig,
			Resource:    parse(t, `{"resourceType":"Patient","identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"`+solveig+`"}]}`)}}})
		if err != nil {
			t.Fatal(err)
		}
		return res.Entries[0]
	}
	if e := create(asSykehus); e.ID == r.patient || e.Status != http.StatusCreated {
		t.Errorf("the hospital meets the municipality's patient: %+v", e)
	}
	if e := create(asKommune); e.ID != r.patient || e.Status != http.StatusOK || e.Version != 1 {
		t.Errorf("the municipality does not meet its own patient: %+v", e)
	}
}

func TestReferral_BatchWithOneBadEntry(t *testing.T) {
	b := newBench(t)
	res, err := b.writeBundle(asKommune, `{"resourceType":"Bundle","type":"batch","identifier":{"value":"batch-1"},"entry":[
{"resource":{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"display":"x"}},"request":{"method":"POST","url":"CarePlan"}},
{"resource":{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"display":"x"},"wrong":true},"request":{"method":"POST","url":"CarePlan"}},
{"resource":{"resourceType":"Observation","status":"final","code":{"text":"x"}},"request":{"method":"POST","url":"Observation"}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Entries) != 3 || res.Entries[0].Status != 201 || res.Entries[2].Status != 201 {
		t.Fatalf("%+v", res.Entries)
	}
	isFault(t, res.Entries[1].Fault, handover.FaultInvalid)
	sum := b.balanced()
	if sum.Applied != 2 || sum.Refused != 1 {
		t.Fatalf("%+v", sum)
	}
}

// TestReferral_DeleteOutOfSight: it is answered as an id that never was, and changes nothing.
func TestReferral_DeleteOutOfSight(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	for _, id := range []string{r.plan, "0192f0c0-0000-7000-8000-000000000000"} {
		got, err := b.g.FHIR.Write(t.Context(), asSykehus, fhir.Write{Mode: fhir.WriteSingle, Entries: []fhir.WriteEntry{{Method: http.MethodDelete, Type: "CarePlan", ID: id}}})
		if err != nil || got.Status != http.StatusNoContent || len(got.Entries) != 1 || got.Entries[0].Version != 0 {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	b.mustRead(asKommune, "CarePlan", r.plan)
}

// TestReferral_OwnerStaysWhereForwardingIsNotAllowed: who has accepted a request does not
// put another owner into its Task, whatever the event is read as.
func TestReferral_OwnerStaysWhereForwardingIsNotAllowed(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.deliver()
	b.mustChange(asInstitusjon, r.task, status("accepted", ""))
	err := b.change(asInstitusjon, r.task, func(n *fhir.Node) {
		status("rejected", "forwarded")(n)
		n.Set("owner", fhir.LogicalRef("Organization", fhir.SystemHER, "80401", ""))
	})
	if f := isFault(t, err, handover.FaultIllegal); f.Path != "Task.owner" || len(f.Allowed) == 0 {
		t.Errorf("%+v", f)
	}
	if got := b.mustRead(asKommune, "Task", r.task).At("owner", "identifier").Str("value"); got != "80003" && got != "80301" {
		t.Errorf("the Task's owner is %s", got)
	}
	b.stateOf(r.task, handover.StateAccepted, institusjon)
	b.balanced()
}

// TestWrite_EntriesReferToEachOther: new resources of one transaction may refer to each
// other, to themselves and to what the same transaction updates, whatever their types.
func TestWrite_EntriesReferToEachOther(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.deliver()
	entry := func(n int, resource string) string {
		return fmt.Sprintf(`{"fullUrl":"urn:uuid:00000000-0000-4000-8000-%012d","resource":%s,"request":{"method":"POST","url":"%s"}}`, n, resource, between([]byte(resource), `"resourceType":"`, `"`))
	}
	urn := func(n int) string {
		return fmt.Sprintf(`{"reference":"urn:uuid:00000000-0000-4000-8000-%012d"}`, n)
	}
	for name, entries := range map[string][]string{
		"encounter": {entry(1, `{"resourceType":"Encounter","status":"planned","class":{"code":"AMB"}}`),
			entry(2, `{"resourceType":"Observation","status":"final","code":{"text":"x"},"encounter":`+urn(1)+`}`)},
		"members": {entry(1, `{"resourceType":"Observation","status":"final","code":{"text":"x"},"hasMember":[`+urn(2)+`]}`),
			entry(2, `{"resourceType":"Observation","status":"final","code":{"text":"x"},"derivedFrom":[`+urn(1)+`,`+urn(2)+`]}`)},
		"plan": {entry(1, `{"resourceType":"Condition","subject":`+urn(3)+`}`),
			entry(2, `{"resourceType":"CarePlan","status":"active","intent":"plan","subject":`+urn(3)+`,"addresses":[`+urn(1)+`]}`),
			entry(3, `{"resourceType":"Patient","managingOrganization":`+urn(4)+`}`), entry(4, `{"resourceType":"Organization","name":"X"}`)},
		"in a handover": {entry(1, `{"resourceType":"Observation","status":"final","code":{"text":"x"},"basedOn":[{"reference":"ServiceRequest/`+r.request+`"}]}`),
			entry(2, `{"resourceType":"Observation","status":"final","code":{"text":"x"},"hasMember":[`+urn(1)+`]}`)},
	} {
		res, err := b.writeBundle(asKommune, `{"resourceType":"Bundle","type":"transaction","entry":[`+strings.Join(entries, ",")+`]}`)
		if err != nil || len(res.Entries) != len(entries) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.balanced()
}

// TestWrite_ManyConditionsAndDeepChains: every condition of a transaction is asked, however
// many, and a history of references may be as long as a handover's may be wide.
func TestWrite_ManyConditionsAndDeepChains(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.deliver()
	var patients, notes []string
	for i := range 70 {
		patients = append(patients, fmt.Sprintf(`{"resource":{"resourceType":"Patient","identifier":[{"system":"urn:th","value":"%d"}]},"request":{"method":"POST","url":"Patient"}}`, i))
		notes = append(notes, fmt.Sprintf(`{"resource":{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient?identifier=urn:th|%d"}},"request":{"method":"POST","url":"Observation"}}`, i))
	}
	for _, entries := range [][]string{patients, notes} {
		if _, err := b.writeBundle(asKommune, `{"resourceType":"Bundle","type":"transaction","entry":[`+strings.Join(entries, ",")+`]}`); err != nil {
			t.Fatal(err)
		}
	}
	former := `{"reference":"ServiceRequest/` + r.request + `"}`
	for i := range 90 {
		res, err := b.post(asKommune, `{"resourceType":"Observation","status":"final","code":{"text":"x"},"basedOn":[{"reference":"ServiceRequest/`+r.request+`"}],"focus":[`+former+`]}`)
		if err != nil {
			t.Fatalf("link %d: %v", i, err)
		}
		former = `{"reference":"Observation/` + res.Entries[0].ID + `"}`
	}
	b.balanced()
}

// TestReferral_ForwardedWithANewResource: what the act that passes a request on writes for
// the first time is not asked of the record.
func TestReferral_ForwardedWithANewResource(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.deliver()
	n := b.mustRead(asInstitusjon, "Task", r.task)
	status("rejected", "forwarded")(n)
	n.Set("owner", fhir.LogicalRef("Organization", fhir.SystemHER, "80401", ""))
	n.Set("relevantHistory", fhir.Arr(fhir.Obj("reference", "urn:uuid:00000000-0000-4000-8000-000000000001")))
	bundle := `{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000001","resource":{"resourceType":"Provenance","recorded":"2026-03-02T10:00:00Z","target":[{"reference":"Task/` + r.task + `"}],"agent":[{"who":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80003"}}}]},"request":{"method":"POST","url":"Provenance"}},{"resource":` +
		string(n.JSON()) + `,"request":{"method":"PUT","url":"Task/` + r.task + `","ifMatch":"W/\"` + n.Str("meta", "versionId") + `\""}}]}`
	if _, err := b.writeBundle(asInstitusjon, bundle); err != nil {
		t.Fatal(err)
	}
	b.deliver()
	if got := b.ofType(annen, "transaction"); len(got) == 0 {
		t.Error("the next owner is told nothing")
	}
	b.balanced()
}
