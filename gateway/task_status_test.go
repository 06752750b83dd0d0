package gateway_test

import (
	"strings"
	"testing"
	"time"

	"stafett/access"
	"stafett/fhir"
	"stafett/gateway/desk"
	"stafett/handover"
)

// reached are the ways of a referral to each state in which its Task can be changed.
var reached = map[handover.State]func(*bench, referral){
	handover.StateReceived: func(*bench, referral) {},
	handover.StateDeferred: func(b *bench, r referral) { b.mustChange(asInstitusjon, r.task, status("on-hold", "deferred")) },
	handover.StateAccepted: func(b *bench, r referral) { b.mustChange(asInstitusjon, r.task, status("accepted", "")) },
	handover.StateInProgress: func(b *bench, r referral) {
		b.mustChange(asInstitusjon, r.task, status("accepted", ""))
		b.mustChange(asInstitusjon, r.task, status("in-progress", ""))
	},
	handover.StatePaused: func(b *bench, r referral) {
		b.mustChange(asInstitusjon, r.task, status("accepted", ""))
		b.mustChange(asInstitusjon, r.task, status("in-progress", ""))
		b.mustChange(asInstitusjon, r.task, status("on-hold", "paused"))
	},
	handover.StateDeclined:  func(b *bench, r referral) { b.mustChange(asInstitusjon, r.task, status("rejected", "")) },
	handover.StateWithdrawn: func(b *bench, r referral) { b.mustChange(asKommune, r.task, status("cancelled", "")) },
}

// taskStatuses are http://hl7.org/fhir/task-status (R4).
var taskStatuses = []string{"draft", "requested", "received", "accepted", "rejected", "ready", "cancelled", "in-progress", "on-hold", "failed", "completed", "entered-in-error"}

// TestTaskStatus_EveryChangeHasAnAnswer: whatever status a party sets in whatever state, it is
// taken, or refused in words that a caller can act on.
func TestTaskStatus_EveryChangeHasAnAnswer(t *testing.T) {
	for _, kind := range []handover.Kind{handover.KindReferral, handover.KindDischarge} {
		for state, reach := range reached {
			t.Run(string(kind)+" "+string(state), func(t *testing.T) { everyStatus(t, kind, state, reach) })
		}
	}
}

func everyStatus(t *testing.T, kind handover.Kind, state handover.State, reach func(*bench, referral)) {
	var b *bench
	var r referral
	arrive := func() {
		b = newBench(t)
		r = b.refer(`"code":"referral"`, `"code":"`+string(kind)+`"`)
		b.deliver()
		reach(b, r)
	}
	arrive()
	if h := b.handoverOf(r.task); h.State != state {
		t.Fatalf("reached %s", h.State)
	}
	for _, c := range []access.Caller{asKommune, asInstitusjon} {
		for _, s := range taskStatuses {
			before := b.handoverOf(r.task)
			err := b.change(c, r.task, status(s, ""))
			if err == nil {
				if after := b.handoverOf(r.task); after.State != before.State {
					arrive() // one change at a time: what follows is another state's
				}
				continue
			}
			f := handover.FaultOf(err)
			if f.Kind.Temporary() || f.Text == "" || f.Kind == handover.FaultIllegal && f.Path == "" {
				t.Errorf("%s sets %s: %s %q at %q", c.Party, s, f.Kind, f.Text, f.Path)
			}
		}
	}
	b.balanced()
}

// days changes Task.executionPeriod; an empty end is left out.
func days(start, end string) func(*fhir.Node) {
	return func(n *fhir.Node) {
		period := fhir.Obj()
		for _, at := range []struct{ name, day string }{{"start", start}, {"end", end}} {
			if at.day != "" {
				period.Set(at.name, fhir.Str(at.day))
			}
		}
		n.Set("executionPeriod", period)
		if len(period.Members) == 0 {
			n.Delete("executionPeriod")
		}
	}
}

// both makes two changes in one.
func both(a, b func(*fhir.Node)) func(*fhir.Node) { return func(n *fhir.Node) { a(n); b(n) } }

func note(text string) func(*fhir.Node) {
	return func(n *fhir.Node) { n.Set("note", fhir.Arr(append(n.Each("note"), fhir.Obj("text", text))...)) }
}

// TestTaskDays_ANewDayIsToldAndTimed: a receiver's new day for a state that stays is the handover's:
// its fact, its deadline, the stored Task and what the sender is told.
func TestTaskDays_ANewDayIsToldAndTimed(t *testing.T) {
	planned := func(h handover.Handover) time.Time { return h.Facts.PlannedEnd }
	promised := func(h handover.Handover) time.Time { return h.Facts.PromisedDay }
	for name, c := range map[string]struct {
		state      handover.State
		was, now   func(*fhir.Node)
		day        func(handover.Handover) time.Time
		element    string
		stored     string
		hasNoClock bool
	}{
		"accepted":              {handover.StateAccepted, days("2026-03-09", ""), days("2026-03-12", ""), promised, "start", "2026-03-12", false},
		"accepted, with a note": {handover.StateAccepted, days("2026-03-09", ""), both(days("2026-03-12", ""), note("Rommet er ledig senere.")), promised, "start", "2026-03-12", false},
		"accepted, first day":   {handover.StateAccepted, days("", ""), days("2026-03-12", ""), promised, "start", "2026-03-12", false},
		"accepted, at an hour":  {handover.StateAccepted, days("2026-03-09", ""), days("2026-03-11T23:30:00Z", ""), promised, "start", "2026-03-12", false},
		"deferred":              {handover.StateDeferred, days("2026-03-09", ""), days("2026-03-12", ""), promised, "start", "2026-03-12", false},
		"deferred, first day":   {handover.StateDeferred, days("", ""), both(days("2026-03-12", ""), note("Da er det plass.")), promised, "start", "2026-03-12", false},
		"retracted for another": {handover.StateAccepted, days("2026-03-09", ""), both(days("2026-03-12", ""), status("on-hold", "deferred")), promised, "start", "2026-03-12", false},
		"begun":                 {handover.StateInProgress, days("2026-03-02", "2026-03-09"), days("2026-03-02", "2026-03-12"), planned, "end", "2026-03-12", false},
		"begun, first end":      {handover.StateInProgress, days("", ""), both(days("", "2026-03-12"), note("Planen er klar.")), planned, "end", "2026-03-12", false},
		"paused":                {handover.StatePaused, days("", "2026-03-09"), days("", "2026-03-12"), planned, "end", "2026-03-12", true},
		"pausing":               {handover.StateInProgress, days("", "2026-03-09"), both(days("", "2026-03-12"), status("on-hold", "paused")), planned, "end", "2026-03-12", false},
		"resumed":               {handover.StatePaused, days("", "2026-03-09"), both(days("", "2026-03-12"), status("in-progress", "")), planned, "end", "2026-03-12", false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			r := b.refer()
			b.deliver()
			reached[c.state](b, r)
			b.mustChange(asInstitusjon, r.task, both(c.was, note("Først.")))
			b.deliver()
			before, told := b.handoverOf(r.task), b.bundles(kommune)
			b.mustChange(asInstitusjon, r.task, c.now)
			b.deliver()
			h := b.handoverOf(r.task)
			if got := c.day(h).Format(time.DateOnly); got != c.stored {
				t.Errorf("the handover holds %s", got)
			}
			if h.Deadline.Equal(before.Deadline) == !c.hasNoClock {
				t.Errorf("the deadline was %v, is %v", before.Deadline, h.Deadline)
			}
			if got := b.mustRead(asKommune, "Task", r.task).Str("executionPeriod", c.element); got != c.stored {
				t.Errorf("the Task says %s", got)
			}
			if b.bundles(kommune) != told+1 || !strings.Contains(string(b.lastBundle(kommune).JSON()), ": "+c.stored) {
				t.Errorf("told %d times, last %s", b.bundles(kommune)-told, b.lastBundle(kommune).JSON())
			}
			b.balanced()
		})
	}
}

// TestTaskDays_BelongToAnAnswer: a day without an answer would read as one.
func TestTaskDays_BelongToAnAnswer(t *testing.T) {
	start, end := days("2026-03-12", ""), days("", "2026-03-12")
	for name, c := range map[string]struct {
		state  handover.State
		change func(*fhir.Node)
	}{
		"received":             {handover.StateReceived, start},
		"received, end":        {handover.StateReceived, end},
		"received, with words": {handover.StateReceived, both(start, note("Kanskje da."))},
		"declining":            {handover.StateReceived, both(start, status("rejected", ""))},
		"declined":             {handover.StateDeclined, start},
		"a month":              {handover.StateReceived, both(days("2026-03", ""), status("accepted", ""))},
		"a month anew":         {handover.StateAccepted, days("2026-03", "")},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			r := b.refer()
			b.deliver()
			reached[c.state](b, r)
			before := b.handoverOf(r.task)
			f := isFault(t, b.change(asInstitusjon, r.task, c.change), handover.FaultInvalid)
			if !strings.HasPrefix(f.Path, "Task.executionPeriod") || b.handoverOf(r.task).Version != before.Version {
				t.Errorf("%s at %q", f.Text, f.Path)
			}
		})
	}
	b := newBench(t)
	r := b.refer()
	b.deliver()
	b.mustChange(asInstitusjon, r.task, both(status("accepted", ""), start))
	isFault(t, b.change(asInstitusjon, r.task, days("", "")), handover.FaultInvalid)
}

// onlyReceivers are the elements by which a receiver speaks, each with a value.
var onlyReceivers = map[string]string{
	"executionPeriod": `{"start":"2026-03-12"}`,
	"output":          `[{"type":{"coding":[{"system":"urn:stafett:next"}]},"valueCode":"home"}]`,
	"statusReason":    `{"text":"Ikke plass"}`,
	"location":        `{"display":"Rom 4"}`,
	"relevantHistory": `[{"display":"x"}]`,
}

// TestTask_TheSenderAnswersNothing: what only the receiver says is refused from the sender, when it
// asks and afterwards.
func TestTask_TheSenderAnswersNothing(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.deliver()
	b.mustChange(asInstitusjon, r.task, func(n *fhir.Node) {
		n.Set("status", fhir.Str("rejected"))
		n.Set("statusReason", fhir.TextConcept("Ikke plass nå"))
	})
	for element, value := range onlyReceivers {
		said := parse(t, value)
		f := isFault(t, b.change(asKommune, r.task, func(n *fhir.Node) { n.Set(element, said) }), handover.FaultForbidden)
		if f.Path != "Task."+element {
			t.Errorf("%s: %s", element, f.Path)
		}
		bundle := strings.Replace(referralBundle, `"intent":"order","code":{"coding":[{"system":"urn:stafett`, `"`+element+`":`+value+`,"intent":"order","code":{"coding":[{"system":"urn:stafett`, 1)
		_, err := b.writeBundle(asKommune, strings.ReplaceAll(bundle, "5f0c1e9a", "5f0c1e9b"))
		if f := isFault(t, err, handover.FaultForbidden); f.Path != "Task."+element {
			t.Errorf("created with %s: %s", element, f.Path)
		}
	}
	if got := b.mustRead(asInstitusjon, "Task", r.task).Str("statusReason", "text"); got != "Ikke plass nå" {
		t.Errorf("the receiver's reason reads %q", got)
	}
	b.balanced()
}

// TestTask_NextIsEachPartysOwn: the sender's input names nothing in the receiver's place, nor the
// receiver's output in the sender's; a word that names nothing is refused.
func TestTask_NextIsEachPartysOwn(t *testing.T) {
	const home = `{"type":{"coding":[{"system":"urn:stafett:next"}]},"valueCode":"home"}`
	said := func(element, value string) func(*fhir.Node) {
		return func(n *fhir.Node) { n.Append(element, parse(t, value)) }
	}
	b := newBench(t)
	r := b.refer(`"intent":"order","code":{"coding":[{"system":"urn:stafett`, `"input":[`+home+`],"intent":"order","code":{"coding":[{"system":"urn:stafett`)
	b.deliver()
	reached[handover.StateInProgress](b, r)
	isFault(t, b.change(asInstitusjon, r.task, status("completed", "")), handover.FaultInvalid)
	isFault(t, b.change(asInstitusjon, r.task, both(status("completed", ""), said("output", strings.Replace(home, "home", "hjem", 1)))), handover.FaultInvalid)
	b.mustChange(asInstitusjon, r.task, both(status("completed", ""), said("output", home)))

	b = newBench(t)
	r = b.refer()
	b.deliver()
	b.mustChange(asInstitusjon, r.task, both(status("rejected", ""), said("output", home)))
	b.mustChange(asKommune, r.task, note("Vi ser på det."))
	if h := b.handoverOf(r.task); !h.Next.IsZero() {
		t.Errorf("named %+v in the sender's place", h.Next)
	}
	f := isFault(t, b.change(asKommune, r.task, said("input", strings.Replace(home, "home", "hjem", 1))), handover.FaultInvalid)
	if f.Path != "Task.input" {
		t.Error(f.Path)
	}
	b.mustChange(asKommune, r.task, said("input", strings.Replace(home, "home", "sender-keeps", 1)))
	if h := b.handoverOf(r.task); h.Next.None != handover.NoneSenderKeeps {
		t.Errorf("%+v", h.Next)
	}
}

// TestTask_ADayTakenBackIsNoPromise: a promised day that the sender took back stands no longer, and is
// not said again by an answer that leaves the Task as it was read.
func TestTask_ADayTakenBackIsNoPromise(t *testing.T) {
	b := newBench(t)
	r := b.refer()
	b.deliver()
	b.mustChange(asInstitusjon, r.task, both(status("accepted", ""), days("2026-03-12", "")))
	b.mustChange(asKommune, r.task, status("on-hold", "deferred"))
	if n := b.mustRead(asInstitusjon, "Task", r.task); n.Get("executionPeriod") != nil {
		t.Errorf("%s", n.JSON())
	}
	b.mustChange(asInstitusjon, r.task, status("accepted", ""))
	if h := b.handoverOf(r.task); !h.Facts.PromisedDay.IsZero() {
		t.Errorf("promised %s", h.Facts.PromisedDay)
	}
}

// TestTask_NextAfterADecline: a sender names what is next by its input, by a new request that is part of
// the declined one, or at the desk; then nothing is owed. What is another chain's, or another patient's,
// is no next.
func TestTask_NextAfterADecline(t *testing.T) {
	partOf := func(patient, task string) string {
		return `{"resourceType":"Task","status":"requested","intent":"order","code":{"coding":[{"system":"urn:stafett:handover-kind","code":"referral"}]},` +
			`"partOf":[{"reference":"Task/` + task + `"}],"for":{"reference":"Patient/` + patient + `"},"owner":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80004"}}}`
	}
	another := `{"resourceType":"Patient","identifier":[{"system":"urn:oid:2.16.578.1.12.4.1.4.1","value":"05906500134"}],"name":[{"family":"Annen","given":["Testdatter"]}]}`
	for name, c := range map[string]struct {
		names func(b *bench, r referral) (next string)
		owed  bool
	}{
		"a new request that is part of it": {func(b *bench, r referral) string { return b.mustPost(asKommune, partOf(r.patient, r.task)) }, false},
		"of another patient": {func(b *bench, r referral) string {
			return b.mustPost(asKommune, partOf(b.mustPost(asKommune, another), r.task))
		}, true},
		"at the desk": {func(b *bench, r referral) string {
			_, err := b.g.RecordAnswer(t.Context(), asOperator, desk.Answer{Handover: handover.ID(r.task), Event: handover.EventNextNamed, Next: handover.Next{None: handover.NoneSenderKeeps}})
			if err != nil {
				t.Fatal(err)
			}
			return ""
		}, false},
		"at the desk, of another chain": {func(b *bench, r referral) string {
			other := b.refer("5f0c1e9a", "5f0c1e9b", `"H-1"`, `"H-2"`)
			_, err := b.g.RecordAnswer(t.Context(), asOperator, desk.Answer{Handover: handover.ID(r.task), Event: handover.EventNextNamed, Next: handover.Next{Handover: handover.ID(other.task)}})
			isFault(t, err, handover.FaultInvalid)
			return ""
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			r := b.refer()
			b.deliver()
			b.mustChange(asInstitusjon, r.task, status("rejected", ""))
			next := c.names(b, r)
			h := b.handoverOf(r.task)
			if h.Next.IsZero() != c.owed || h.Deadline.IsZero() == c.owed || !c.owed && string(h.Next.Handover) != next {
				t.Errorf("next %+v, deadline %v", h.Next, h.Deadline)
			}
			b.deliver()
			b.balanced()
		})
	}
}

// TestTask_SaysOfWhichKindItIs: what a Task asks for is told by its kind; a kind that is none is refused.
func TestTask_SaysOfWhichKindItIs(t *testing.T) {
	const kind, system = `"code":"referral"`, `"system":"urn:stafett:handover-kind"`
	for name, c := range map[string]struct {
		code, system, says string
		kind               handover.Kind
	}{
		"referral":         {kind, system, "har sendt en henvisning.", handover.KindReferral},
		"discharge":        {`"code":"discharge"`, system, "har sendt en forespørsel om å ta imot pasienten etter utskrivning.", handover.KindDischarge},
		"coordination":     {`"code":"coordination"`, system, "har sendt en forespørsel om samordning.", handover.KindCoordination},
		"another system's": {kind, `"system":"urn:dalvik:oppgavetype"`, "har sendt en henvisning.", handover.KindReferral},
		"second":           {`"code":"x"},{` + system + `,"code":"coordination"`, `"system":"urn:dalvik:oppgavetype"`, "har sendt en forespørsel om samordning.", handover.KindCoordination},
		"unknown":          {`"code":"transfer"`, system, "", ""},
		"in capitals":      {`"code":"Referral"`, system, "", ""},
		"no code":          {`"display":"x"`, system, "", ""},
		"two":              {kind + `},{` + system + `,"code":"discharge"`, system, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			res, err := b.writeBundle(asKommune, strings.Replace(referralBundle, system+","+kind, c.system+","+c.code, 1))
			if c.kind == "" {
				if f := isFault(t, err, handover.FaultInvalid); f.Path != "Task.code" {
					t.Error(f.Path)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			b.deliver()
			if h := b.handoverOf(res.Entries[4].ID); h.Kind != c.kind || !b.leaks(institusjon, c.says) {
				t.Errorf("%s, told %s", h.Kind, b.lastBundle(institusjon).JSON())
			}
		})
	}
}

// TestTask_WhatIsWantedIsNoReadiness: the period in which a referral is wanted is told as that.
func TestTask_WhatIsWantedIsNoReadiness(t *testing.T) {
	for kind, want := range map[handover.Kind]string{
		handover.KindReferral: "- Ønsket til: 2026-04-01 (nytt)", handover.KindCoordination: "- Ønsket til: 2026-04-01 (nytt)",
		handover.KindDischarge: "- Ikke lenger utskrivningsklar fra: 2026-04-01 (nytt)"} {
		b := newBench(t)
		r := b.refer(`"code":"referral"`, `"code":"`+string(kind)+`"`)
		b.deliver()
		b.mustChange(asKommune, r.task, func(n *fhir.Node) {
			n.Set("restriction", fhir.Obj("period", fhir.Obj("end", "2026-04-01")))
		})
		b.deliver()
		if text := string(b.lastBundle(institusjon).JSON()); !strings.Contains(text, want) {
			t.Errorf("%s: %s", kind, text)
		}
	}
}
