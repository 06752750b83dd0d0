package handover

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"
)

// lines writes effects as a reader would note them.
func lines(effects []Effect) []string {
	var out []string
	for _, e := range effects {
		s := string(e.Kind) + " " + string(e.Event)
		if e.Attention != "" {
			s += " " + string(e.Attention)
		}
		if e.Party != "" {
			s += " > " + string(e.Party)
		}
		if e.Step > 0 {
			s += fmt.Sprint(" #", e.Step)
		}
		if e.Handover.ID != "" {
			s += " @" + string(e.Handover.ID)
		}
		out = append(out, s)
	}
	return out
}

func decide(t *testing.T, h Handover, e Event, a Actor, now time.Time) (Handover, []string, Reason) {
	t.Helper()
	kind := h.Kind
	if kind == "" {
		kind = KindDischarge
	}
	after, effects, reason, fault := DefaultPolicy().Decide(kind, h, e, a, now)
	if fault != nil {
		t.Fatalf("%s in %s: %v", e.Name, h.State, fault)
	}
	return after, lines(effects), reason
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("effects\n%q\nwant\n%q", got, want)
	}
}

func TestDecide_Ready_WithoutHelseopplysninger_IsMarked(t *testing.T) {
	h, effects, _ := decide(t, Handover{}, opening(EventReady), sender(), monday)
	expect(t, effects, "publish ready", "tell ready > dalvik-kommune", "tell ready > dalvik-legesenter",
		"publish attention-raised no-health-info")
	h, effects, _ = decide(t, h, Event{Name: EventHealthInfoSent}, sender(), monday.Add(time.Minute))
	expect(t, effects, "publish health-info-sent", "tell health-info-sent > dalvik-kommune",
		"tell health-info-sent > dalvik-legesenter", "publish attention-resolved no-health-info")
	if len(h.Attentions) != 0 || h.Facts.HealthInfoAt.IsZero() {
		t.Errorf("%+v", h)
	}
}

func TestDecide_Receipt_OfAnEarlierNotice_IsNotOneOfTheRequest(t *testing.T) {
	h := stored(KindDischarge, StateRequested)
	same, _, reason := decide(t, h, Event{Name: EventReceipted, Notice: EventAdmitted}, system(), monday)
	if same.State != StateRequested || !same.Facts.ReceiptedAt.IsZero() || reason != ReasonRepeated {
		t.Errorf("%s %s", same.State, reason)
	}
	got, effects, reason := decide(t, h, Event{Name: EventReceipted, Notice: EventReady, At: monday.Add(-time.Minute)}, system(), monday)
	if got.State != StateReceived || reason != ReasonReceipted || !got.Facts.ReceiptedAt.Equal(monday.Add(-time.Minute)) {
		t.Errorf("%s %s %v", got.State, reason, got.Facts.ReceiptedAt)
	}
	expect(t, effects, "publish receipted")
	again, effects, reason := decide(t, got, Event{Name: EventReceipted, Notice: EventReady, At: monday}, system(), monday)
	if reason != ReasonRepeated || effects != nil || !reflect.DeepEqual(again, got) {
		t.Errorf("the legal proof is the first receipt's: %s %v", reason, effects)
	}
}

func TestDecide_Unreachable_IsClearedByTheRightParty(t *testing.T) {
	h := stored(KindDischarge, StateReceived)
	h, effects, _ := decide(t, h, Event{Name: EventUnreachable}, system(), monday)
	expect(t, effects, "publish unreachable", "publish attention-raised unreachable", "alert attention-raised unreachable > fjellheim-sykehus")
	h, effects, _ = decide(t, h, Event{Name: EventUnreachable}, Actor{Role: RoleSystem, Party: hospital}, monday)
	expect(t, effects, "publish unreachable", "alert attention-raised unreachable > dalvik-kommune")
	h, _, reason := decide(t, h, Event{Name: EventUnreachable}, system(), monday)
	if reason != ReasonRepeated {
		t.Errorf("reason %s", reason)
	}
	h, _, _ = decide(t, h, Event{Name: EventAccepted}, receiver(), monday)
	if len(h.Attentions) != 1 || !slices.Equal(h.Attentions[0].About, []PartyID{hospital}) {
		t.Fatalf("%+v", h.Attentions)
	}
	h, effects, _ = decide(t, h, Event{Name: EventReceipted, Notice: EventAccepted}, Actor{Role: RoleSystem, Party: hospital}, monday)
	expect(t, effects, "publish receipted", "publish attention-resolved unreachable")
	if len(h.Attentions) != 0 {
		t.Errorf("%+v", h.Attentions)
	}
}

func TestDecide_DischargedWithoutAcceptance_AttentionToBothAndLaterYes(t *testing.T) {
	h, effects, reason := decide(t, stored(KindDischarge, StateReceived), Event{Name: EventDischarged}, sender(), monday)
	expect(t, effects, "publish discharged", "tell discharged > dalvik-kommune", "tell discharged > dalvik-legesenter",
		"publish attention-raised discharged-without-acceptance",
		"alert attention-raised discharged-without-acceptance > fjellheim-sykehus",
		"alert attention-raised discharged-without-acceptance > dalvik-kommune")
	if h.State != StateReceived || reason != ReasonDischargedUnaccepted {
		t.Fatalf("%s %s", h.State, reason)
	}
	again, _, reason := decide(t, h, Event{Name: EventDischarged}, sender(), monday.Add(time.Minute))
	if reason != ReasonRepeated || !reflect.DeepEqual(again, h) {
		t.Errorf("a repeat changed something: %s", reason)
	}
	h, _, reason = decide(t, h, Event{Name: EventAccepted}, receiver(), monday.Add(time.Hour))
	if h.State != StateInProgress || h.Custodian != municipality || len(h.Attentions) != 0 || reason != ReasonAcceptedAfterDischarge {
		t.Errorf("%+v", h)
	}
}

// TestDischargeCancelled_AfterThePolicyFinished: what was taken for the end rested on the
// discharge, which is undone.
func TestDischargeCancelled_AfterThePolicyFinished(t *testing.T) {
	h := stored(KindDischarge, StateCompleted)
	h.Facts.DischargedAt, h.Facts.DischargeNoticeReceipted, h.Facts.WithoutReport = monday, true, true
	h, _, _ = decide(t, h, Event{Name: EventDischargeCancelled}, sender(), monday)
	if h.State != StateAccepted || h.Custodian != municipality || !h.Next.IsZero() || h.Deadline.IsZero() || !h.Facts.DischargedAt.IsZero() {
		t.Fatalf("%+v", h)
	}
	if _, _, follows := DefaultPolicy().Follows(h); follows {
		t.Error("it is finished again at once")
	}
}

func TestInvariant4_Silence_EscalatesAndItsEndIsAnnouncedOnce(t *testing.T) {
	h := stored(KindDischarge, StateReceived)
	early, effects, reason := decide(t, h, Event{Name: EventDeadlinePassed}, clock(), monday)
	if reason != ReasonNotDue || effects != nil || !reflect.DeepEqual(early, h) {
		t.Errorf("not due: %s %v", reason, effects)
	}
	now := h.Deadline
	h, effects, _ = decide(t, h, Event{Name: EventDeadlinePassed}, clock(), now)
	expect(t, effects, "publish attention-raised overdue", "publish deadline-passed overdue #1", "alert deadline-passed overdue > dalvik-kommune #1")
	if h.State != StateReceived || !h.Deadline.Equal(now.Add(4*time.Hour)) || !h.NextDue().Equal(h.Deadline) {
		t.Fatalf("%+v", h)
	}
	h, effects, _ = decide(t, h, Event{Name: EventDeadlinePassed}, clock(), h.Deadline)
	expect(t, effects, "publish deadline-passed overdue #2", "alert deadline-passed overdue > dalvik-kommune #2", "alert deadline-passed overdue > fjellheim-sykehus #2")
	h, effects, _ = decide(t, h, Event{Name: EventAccepted}, receiver(), h.Deadline.Add(-time.Hour))
	expect(t, effects, "publish accepted", "tell accepted > fjellheim-sykehus", "publish attention-resolved overdue",
		"alert attention-resolved overdue > dalvik-kommune #2", "alert attention-resolved overdue > fjellheim-sykehus #2")
	if h.Step != 0 || len(h.Attentions) != 0 {
		t.Errorf("%+v", h)
	}
}

func TestInvariant4_Attention_RepeatsUntilAPersonResolvesIt(t *testing.T) {
	h := stored(KindDischarge, StateAccepted)
	h.Deadline = monday.AddDate(0, 1, 0)
	h, _, _ = decide(t, h, Event{Name: EventRetracted}, receiver(), monday)
	now := monday
	for i, want := range []time.Duration{time.Hour, 4 * time.Hour, 24 * time.Hour, 24 * time.Hour} {
		if got := h.NextDue().Sub(now); got != want {
			t.Fatalf("step %d after %v, want %v", i, got, want)
		}
		now = h.NextDue()
		var effects []string
		h, effects, _ = decide(t, h, Event{Name: EventDeadlinePassed}, clock(), now)
		n := fmt.Sprint(" #", i+1)
		expect(t, effects, "publish deadline-passed retracted"+n, "alert deadline-passed retracted > fjellheim-sykehus"+n, "alert deadline-passed retracted > dalvik-kommune"+n)
	}
	h, effects, _ := decide(t, h, Event{Name: EventAttentionResolved, Attention: AttentionRetracted}, reader(hospital), now)
	expect(t, effects, "publish attention-resolved retracted", "alert attention-resolved retracted > fjellheim-sykehus #4", "alert attention-resolved retracted > dalvik-kommune #4")
	if len(h.Attentions) != 0 || h.State != StateAccepted || h.Custodian != municipality {
		t.Errorf("%+v", h)
	}
}

func TestDecide_UnclearAnswer_IsReadWithinTwoHours(t *testing.T) {
	h, effects, _ := decide(t, stored(KindDischarge, StateRequested), Event{Name: EventAnsweredUnclearly}, receiver(), monday)
	expect(t, effects, "publish answered-unclearly", "tell answered-unclearly > fjellheim-sykehus", "publish attention-raised answer-needs-reading",
		"alert attention-raised answer-needs-reading > fjellheim-sykehus", "alert attention-raised answer-needs-reading > dalvik-kommune")
	if h.State != StateReceived || h.Custodian != hospital || !h.Attentions[0].Deadline.Equal(monday.Add(2*time.Hour)) {
		t.Errorf("%+v", h)
	}
}

func TestDecide_AcceptedAgain_NewDay(t *testing.T) {
	h, _, _ := decide(t, stored(KindDischarge, StateReceived), Event{Name: EventAccepted, Day: monday}, receiver(), monday)
	same, _, reason := decide(t, h, Event{Name: EventAccepted, Day: monday}, receiver(), monday.AddDate(0, 0, 1))
	if reason != ReasonRepeated || !reflect.DeepEqual(same, h) {
		t.Errorf("%s", reason)
	}
	h, effects, reason := decide(t, h, Event{Name: EventAccepted, Day: monday.AddDate(0, 0, 7)}, receiver(), monday.Add(time.Hour))
	if reason != ReasonUpdated || !h.Deadline.Equal(time.Date(2026, 3, 10, 11, 0, 0, 0, time.UTC)) {
		t.Errorf("%s %v", reason, h.Deadline)
	}
	expect(t, effects, "publish accepted", "tell accepted > fjellheim-sykehus")
}

func TestInvariant3_Forwarded_OpensTheNextForTheOriginalSender(t *testing.T) {
	h := stored(KindReferral, StateReceived)
	e := Event{Name: EventForwarded, ForwardTo: institution, NewID: "h2", FastReceipt: true}
	after, effects, _, fault := DefaultPolicy().Decide(KindReferral, h, e, receiver(), monday)
	if fault != nil {
		t.Fatal(fault)
	}
	expect(t, lines(effects), "publish forwarded", "open requested @h2", "publish requested @h2", "tell requested > solbakken-rehabilitering @h2",
		"tell requested > dalvik-legesenter @h2", "tell forwarded > fjellheim-sykehus")
	next := effects[1].Handover
	if next.Sender != hospital || next.Custodian != hospital || next.Receiver != institution || next.State != StateRequested ||
		!next.Deadline.Equal(monday.Add(time.Hour)) || after.Next.Handover != "h2" || !slices.Equal(next.Hops, []PartyID{municipality}) {
		t.Errorf("%+v", next)
	}
	for name, bad := range map[string]struct {
		to   PartyID
		hops []PartyID
		kind FaultKind
	}{
		"nobody":          {"", nil, FaultInvalid},
		"itself":          {municipality, nil, FaultIllegal},
		"the sender":      {hospital, nil, FaultIllegal},
		"one who had it":  {institution, []PartyID{institution}, FaultIllegal},
		"a sixth forward": {institution, []PartyID{"a", "b", "c", "d", "e"}, FaultIllegal},
	} {
		h.Hops, e.ForwardTo = bad.hops, bad.to
		if _, _, _, f := DefaultPolicy().Decide(KindReferral, h, e, receiver(), monday); f == nil || f.Kind != bad.kind {
			t.Errorf("%s: %v", name, f)
		}
	}
}

func TestDecide_ForwardedAfterDischarge_TheNextKnows(t *testing.T) {
	h := stored(KindDischarge, StateReceived)
	h.Facts.DischargedAt = monday
	_, effects, _, _ := DefaultPolicy().Decide(KindDischarge, h, Event{Name: EventForwarded, ForwardTo: institution, NewID: "h2"}, receiver(), monday)
	next := effects[1].Handover
	if len(next.Attentions) != 2 || next.Attentions[1].Reason != AttentionDischargedUnaccepted || next.Facts.DischargedAt.IsZero() {
		t.Errorf("%+v", next)
	}
}

func TestDecide_Readmitted_SuccessorIsAnnounced(t *testing.T) {
	h := stored(KindDischarge, StateInProgress)
	after, effects, reason, fault := DefaultPolicy().Decide(KindDischarge, h, Event{Name: EventReadmitted, NewID: "h2"}, sender(), monday)
	if fault != nil || reason != ReasonReadmitted || after.State != StateCompleted || after.Next.Handover != "h2" {
		t.Fatalf("%+v %v", after, fault)
	}
	expect(t, lines(effects), "publish readmitted", "open admitted @h2", "publish admitted @h2", "tell admitted > dalvik-kommune @h2", "tell admitted > dalvik-legesenter @h2")
	if n := effects[1].Handover; n.State != StateAnnounced || n.Custodian != hospital || !n.Facts.AdmittedAt.Equal(monday) {
		t.Errorf("%+v", n)
	}
}

func TestDecide_Misaddressed_ReceiverLearnsNothingMore(t *testing.T) {
	h, effects, _ := decide(t, stored(KindReferral, StateReceived), Event{Name: EventMisaddressed}, receiver(), monday)
	expect(t, effects, "publish misaddressed", "tell misaddressed > fjellheim-sykehus", "end-access misaddressed > dalvik-kommune")
	h, effects, _ = decide(t, h, Event{Name: EventDied}, system(), monday)
	expect(t, effects, "publish died", "tell died > fjellheim-sykehus", "tell died > dalvik-legesenter")
	if h.Next.None != NoneDied || !h.NextDue().IsZero() {
		t.Errorf("%+v", h)
	}
}

func TestDecide_Died_EndsEveryClockAndTellsAll(t *testing.T) {
	h := stored(KindReferral, StateInProgress)
	h, _, _ = decide(t, h, Event{Name: EventWithdrawalAsked}, sender(), monday)
	h, effects, _ := decide(t, h, Event{Name: EventDied}, receiver(), monday)
	expect(t, effects, "publish died", "tell died > fjellheim-sykehus", "tell died > dalvik-legesenter", "publish attention-resolved withdrawal-asked")
	if h.State != StateWithdrawn || h.Custodian != municipality || !h.NextDue().IsZero() || h.Facts.WithdrawalAsked {
		t.Errorf("%+v", h)
	}
}

func TestDecide_Declined_OwesWhatIsNext(t *testing.T) {
	h, _, _ := decide(t, stored(KindDischarge, StateReceived), Event{Name: EventDeclined}, receiver(), monday)
	if !h.Deadline.Equal(monday.Add(4 * time.Hour)) {
		t.Fatalf("deadline %v", h.Deadline)
	}
	h, _, _ = decide(t, h, Event{Name: EventDeadlinePassed}, clock(), h.Deadline)
	h, effects, reason := decide(t, h, Event{Name: EventNextNamed, Next: Next{None: NoneSenderKeeps}}, sender(), monday.Add(5*time.Hour))
	expect(t, effects, "publish next-named", "publish attention-resolved overdue", "alert attention-resolved overdue > fjellheim-sykehus #1")
	if !h.NextDue().IsZero() || reason != ReasonNextNamed {
		t.Errorf("%+v", h)
	}
}

func TestDecide_Discharge_FinishesByPolicyWhenBothAreReceipted(t *testing.T) {
	p := DefaultPolicy()
	h := stored(KindDischarge, StateInProgress)
	h.Facts.DischargedAt = monday
	for _, notice := range []EventName{EventDischarged, EventReportSent} {
		if _, _, ok := p.Follows(h); ok {
			t.Fatal("finished too early")
		}
		h, _, _ = decide(t, h, Event{Name: EventReceipted, Notice: notice}, system(), monday)
	}
	e, a, ok := p.Follows(h)
	if !ok {
		t.Fatal("nothing follows")
	}
	h, _, reason := decide(t, h, e, a, monday)
	if h.State != StateCompleted || h.Next.None != NoneReceived || reason != ReasonFinishedByPolicy || h.Custodian != municipality {
		t.Errorf("%+v", h)
	}
	late, _, reason := decide(t, h, Event{Name: EventAdmitted}, sender(), monday)
	if late.State != StateCompleted || reason != ReasonLate {
		t.Errorf("a late admission reopened it: %s %s", late.State, reason)
	}
}

func TestDecide_Cancelled_TheWayBack(t *testing.T) {
	h := stored(KindDischarge, StateAccepted)
	h, _, _ = decide(t, h, Event{Name: EventDischarged}, sender(), monday)
	h, _, _ = decide(t, h, Event{Name: EventDischargeCancelled}, sender(), monday)
	if h.State != StateAccepted || h.Custodian != municipality || !h.Facts.DischargedAt.IsZero() {
		t.Fatalf("%+v", h)
	}
	h, _, _ = decide(t, h, Event{Name: EventNotReady}, sender(), monday)
	if h.State != StateAnnounced || h.Custodian != hospital {
		t.Fatalf("%+v", h)
	}
	h, _, _ = decide(t, h, Event{Name: EventVoided}, sender(), monday)
	if h.State != StateVoided || h.Next.None != NoneError || !h.NextDue().IsZero() {
		t.Errorf("%+v", h)
	}
}

func TestDecide_Invalid_SaysWhatIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		h Handover
		e Event
		a Actor
	}{
		"no next":           {stored(KindReferral, StateInProgress), Event{Name: EventFinished}, receiver()},
		"two nexts":         {stored(KindReferral, StateInProgress), Event{Name: EventFinished, Next: Next{Handover: "h2", None: NoneHome}}, receiver()},
		"itself next":       {stored(KindReferral, StateInProgress), Event{Name: EventFinished, Next: Next{Handover: "h1"}}, receiver()},
		"unknown none":      {stored(KindReferral, StateReceived), Event{Name: EventWithdrawn, Next: Next{None: "bored"}}, sender()},
		"no id":             {Handover{}, Event{Name: EventRequested, Chain: "c", Sender: hospital, Receiver: institution}, sender()},
		"no chain":          {Handover{}, Event{Name: EventRequested, NewID: "h", Sender: hospital, Receiver: institution}, sender()},
		"to itself":         {Handover{}, Event{Name: EventRequested, NewID: "h", Chain: "c", Sender: hospital, Receiver: hospital}, sender()},
		"a day in 2062":     {stored(KindReferral, StateReceived), Event{Name: EventAccepted, Day: monday.AddDate(36, 0, 0)}, receiver()},
		"no such event":     {stored(KindReferral, StateReceived), Event{Name: "vanished"}, sender()},
		"no such state":     {Handover{State: "lost", Sender: hospital}, Event{Name: EventUpdated}, sender()},
		"no such attention": {stored(KindReferral, StateReceived), Event{Name: EventAttentionRaised, Attention: "boredom"}, system()},
		"a wrong mark":      {stored(KindReferral, StateReceived), Event{Name: EventMoved, Attention: AttentionOverdue}, sender()},
	} {
		_, _, reason, f := DefaultPolicy().Decide(KindReferral, c.h, c.e, c.a, monday)
		if f == nil || f.Kind != FaultInvalid || reason != ReasonInvalid || f.Text == "" {
			t.Errorf("%s: %s %v", name, reason, f)
		}
	}
}

func TestDecide_Illegal_ListsWhatIsAllowed(t *testing.T) {
	_, _, _, f := DefaultPolicy().Decide(KindReferral, stored(KindReferral, StateReceived), full(EventStarted), receiver(), monday)
	want := []EventName{EventReceipted, EventAccepted, EventDeferred, EventAnsweredUnclearly, EventDeclined, EventMisaddressed,
		EventForwarded, EventDied, EventMerged, EventMoved, EventLeave, EventUpdated}
	if f == nil || f.Kind != FaultIllegal || !slices.Equal(f.Allowed, want) {
		t.Errorf("%+v", f)
	}
}

func TestInvariant4_MissingReceipt_HardLimitIsAStepOfItsOwn(t *testing.T) {
	h, _, _ := decide(t, Handover{}, opening(EventReady), sender(), monday)
	h.Attentions = nil
	var steps []time.Duration
	for range 7 {
		at := h.NextDue()
		steps = append(steps, at.Sub(monday))
		h, _, _ = decide(t, h, Event{Name: EventDeadlinePassed}, clock(), at)
	}
	hours := []time.Duration{24, 25, 29, 53, 77, 96, 120}
	for i := range hours {
		if steps[i] != hours[i]*time.Hour {
			t.Fatalf("steps after %v", steps)
		}
	}
}

func TestDecide_Readmitted_ToAnotherReceiver_TheFormerIsTold(t *testing.T) {
	h := stored(KindDischarge, StateRequested)
	h, effects, _ := decide(t, h, Event{Name: EventReadmitted, NewID: "h2", Receiver: institution}, sender(), monday)
	expect(t, effects, "publish readmitted", "open admitted @h2", "publish admitted @h2", "tell admitted > solbakken-rehabilitering @h2",
		"tell admitted > dalvik-legesenter @h2", "tell readmitted > dalvik-kommune")
	if h.State != StateWithdrawn || h.Next.Handover != "h2" || h.Next.None != "" {
		t.Errorf("%+v", h)
	}
	gone := stored(KindDischarge, StateDeclined)
	gone.Facts.AccessEnded = true
	for name, e := range map[string]Event{
		"no id":               {Name: EventReadmitted, Receiver: institution},
		"to the sender":       {Name: EventReadmitted, NewID: "h2", Receiver: hospital},
		"to the former wrong": {Name: EventReadmitted, NewID: "h2"},
	} {
		if _, _, _, f := DefaultPolicy().Decide(KindDischarge, gone, e, sender(), monday); f == nil || f.Kind != FaultInvalid {
			t.Errorf("%s: %v", name, f)
		}
	}
}

func TestDecide_Attention_OnlyItsPartyResolvesIt(t *testing.T) {
	h := stored(KindDischarge, StateRequested)
	h, _, _ = decide(t, h, Event{Name: EventAttentionRaised, Attention: AttentionReceiverMayBeWrong}, system(), monday)
	e := Event{Name: EventAttentionResolved, Attention: AttentionReceiverMayBeWrong}
	if _, _, reason, f := DefaultPolicy().Decide(KindDischarge, h, e, reader(municipality), monday); f == nil || f.Kind != FaultForbidden || reason != ReasonForbidden {
		t.Errorf("the receiver resolved what the sender must look at: %v", f)
	}
	h, _, _ = decide(t, h, e, reader(hospital), monday)
	if _, _, reason := decide(t, h, e, reader(hospital), monday); reason != ReasonRepeated {
		t.Errorf("reason %s", reason)
	}
	e.Attention = AttentionOverdue
	if _, _, reason, f := DefaultPolicy().Decide(KindDischarge, h, e, reader(hospital), monday); f == nil || f.Kind != FaultIllegal || reason != ReasonIllegal {
		t.Errorf("lateness was talked away: %v", f)
	}
}

// After it ended as misaddressed an alert must not reach the one who had no right to it.
func TestDecide_Misaddressed_LateAttention_AlertsTheSenderOnly(t *testing.T) {
	h := stored(KindDischarge, StateReceived)
	h, _, _ = decide(t, h, Event{Name: EventDischarged}, sender(), monday)
	h, _, _ = decide(t, h, Event{Name: EventMisaddressed}, receiver(), monday)
	_, effects, _ := decide(t, h, Event{Name: EventDeadlinePassed}, clock(), monday.Add(time.Hour))
	expect(t, effects, "publish deadline-passed discharged-without-acceptance #1", "alert deadline-passed discharged-without-acceptance > fjellheim-sykehus #1")
}

// TestDecide_PlannedEnd_FollowsTheReceiver: an update that says a planned end moves the deadline of a
// stay, and never that of the sender's report.
func TestDecide_PlannedEnd_FollowsTheReceiver(t *testing.T) {
	end := monday.AddDate(0, 0, 20)
	for _, kind := range Kinds() {
		h := stored(kind, StateInProgress)
		after, effects, _ := decide(t, h, Event{Name: EventUpdated, Day: end}, receiver(), monday)
		if !after.Facts.PlannedEnd.Equal(dayOf(end)) || len(effects) != 2 || after.Deadline.Equal(h.Deadline) != (kind == KindDischarge) {
			t.Errorf("%s: %+v %v", kind, after, effects)
		}
		if same, _, _ := decide(t, after, Event{Name: EventUpdated}, receiver(), monday); !reflect.DeepEqual(same, after) {
			t.Errorf("%s: an update without a day changed %+v", kind, same)
		}
	}
}

// TestDecide_DischargedWhileRetracted_IsWithoutAcceptance: it is both parties' to look at, nothing
// ends by itself, and what the receiver or a person says settles it.
func TestDecide_DischargedWhileRetracted_IsWithoutAcceptance(t *testing.T) {
	open := func(h Handover) []AttentionReason {
		var out []AttentionReason
		for _, a := range h.Attentions {
			out = append(out, a.Reason)
		}
		return out
	}
	h, _, _ := decide(t, stored(KindDischarge, StateAccepted), Event{Name: EventRetracted}, receiver(), monday)
	h, effects, reason := decide(t, h, Event{Name: EventDischarged}, sender(), monday)
	expect(t, effects, "publish discharged", "tell discharged > dalvik-kommune", "tell discharged > dalvik-legesenter",
		"publish attention-raised discharged-without-acceptance",
		"alert attention-raised discharged-without-acceptance > fjellheim-sykehus",
		"alert attention-raised discharged-without-acceptance > dalvik-kommune")
	if h.State != StateAccepted || reason != ReasonDischargedUnaccepted || h.Facts.DischargedAt.IsZero() || !slices.Equal(open(h), doubts) {
		t.Fatalf("%s %s %v", h.State, reason, open(h))
	}
	h.Facts.DischargeNoticeReceipted, h.Facts.ReportReceipted = true, true
	if again, _, reason := decide(t, h, Event{Name: EventDischarged}, sender(), monday.Add(time.Minute)); reason != ReasonRepeated || !reflect.DeepEqual(again, h) {
		t.Errorf("a repeat changed something: %s", reason)
	}
	for _, s := range []State{StateAccepted, StateInProgress, StatePaused} {
		doubted := h
		doubted.State = s
		if _, _, follows := DefaultPolicy().Follows(doubted); follows {
			t.Errorf("%s is finished in doubt", s)
		}
		if _, _, _, f := DefaultPolicy().Decide(KindDischarge, doubted, Event{Name: EventFinished}, Actor{Role: RolePolicy}, monday); f == nil {
			t.Errorf("the policy finishes %s in doubt", s)
		}
	}
	for _, e := range []EventName{EventAccepted, EventStarted} {
		if taken, _, _ := decide(t, h, Event{Name: e}, receiver(), monday); taken.State != StateInProgress || len(taken.Attentions) > 0 {
			t.Errorf("%s: %s %v", e, taken.State, open(taken))
		}
	}
	if undone, _, _ := decide(t, h, Event{Name: EventDischargeCancelled}, sender(), monday); undone.State != StateAccepted || !slices.Equal(open(undone), reasons(AttentionRetracted)) {
		t.Errorf("%s %v", undone.State, open(undone))
	}
	settled, _, _ := decide(t, h, Event{Name: EventAttentionResolved, Attention: AttentionRetracted}, reader(municipality), monday)
	if settled.State != StateAccepted || !slices.Equal(open(settled), reasons(AttentionDischargedUnaccepted)) || settled.Deadline.IsZero() {
		t.Errorf("%s %v", settled.State, open(settled))
	}
}
