package handover

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"
)

// factSet is one combination of what is known beside the state.
type factSet struct {
	name string
	set  func(h *Handover)
}

var factSets = []factSet{
	{"none", func(*Handover) {}},
	{"discharged", func(h *Handover) { h.Facts.DischargedAt = monday }},
	{"receipted", func(h *Handover) { h.Facts.ReceiptedAt = monday; h.Facts.ReadyAt = monday }},
	{"died", func(h *Handover) { h.Facts.DiedAt = monday }},
	{"informed", func(h *Handover) { h.Facts.HealthInfoAt = monday; h.Facts.AdmittedAt = monday.AddDate(0, 0, -3) }},
	{"promised", func(h *Handover) {
		h.Facts.PromisedDay = monday.AddDate(0, 0, 2)
		h.Facts.PlannedEnd = monday.AddDate(0, 0, 9)
	}},
	{"asked", func(h *Handover) { h.Facts.WithdrawalAsked = true }},
	{"delivered", func(h *Handover) {
		h.Facts.DischargedAt, h.Facts.DischargeNoticeReceipted, h.Facts.ReportReceipted = monday, true, true
	}},
	{"undone", func(h *Handover) { h.Facts.NotReadyAt, h.Facts.DischargeCancelledAt = monday, monday }},
	{"nothing but notices", func(h *Handover) {
		h.Facts.WithoutHealthInfo, h.Facts.WithoutReport, h.Facts.DischargeNoticeReceipted, h.Facts.DischargedAt = true, true, true, monday
	}},
	{"access ended", func(h *Handover) { h.Facts.AccessEnded = true }},
	{"late", func(h *Handover) {
		if h.Deadline.IsZero() {
			return
		}
		h.Step, h.Deadline = 2, monday
		h.Attentions = append(h.Attentions, Attention{Reason: AttentionOverdue, Parties: []PartyID{hospital}, Deadline: monday, Step: 2})
	}},
	{"all attentions", func(h *Handover) {
		if h.Deadline.IsZero() {
			return
		}
		for i, r := range AttentionReasons() {
			if r == AttentionOverdue {
				continue
			}
			a := Attention{Reason: r, Parties: []PartyID{hospital, municipality}, Deadline: monday.Add(time.Duration(i-5) * time.Hour), Step: i % 3}
			if r == AttentionUnreachable {
				a.About = []PartyID{municipality, hospital}
			}
			h.Attentions = append(h.Attentions, a)
		}
	}},
	{"forwarded often", func(h *Handover) { h.Hops = []PartyID{"a", "b", "c", "d", "e"} }},
}

// custodianBy is DESIGN's state table: who holds a handover in each state.
func custodianBy(s State) PartyID {
	switch s {
	case StateAccepted, StateInProgress, StatePaused, StateCompleted:
		return municipality
	}
	return hospital
}

func stored(kind Kind, s State) Handover {
	if s == StateNone {
		return Handover{State: StateNone}
	}
	h := Handover{ID: "h1", Chain: "c1", Kind: kind, State: s, Sender: hospital, Receiver: municipality,
		Custodian: custodianBy(s), Copies: []PartyID{copied}, Since: monday.Add(-time.Hour), Version: 3}
	switch {
	case s.Open() || s == StateDeclined:
		h.Deadline = monday.Add(time.Hour)
	case s == StateForwarded:
		h.Next = Next{Handover: "h2"}
	default:
		h.Next = Next{None: NoneReceived}
	}
	return h
}

var everyActor = []Actor{
	sender(), receiver(), {Role: RoleCopy, Party: copied}, system(), {Role: RoleSystem, Party: copied},
	{Role: RoleSystem, Party: hospital}, {Role: RolePolicy}, clock(), reader(hospital), reader(municipality),
	// The wrong ones.
	{Role: RoleSender, Party: municipality}, {Role: RoleReceiver, Party: hospital}, {Role: RoleSender},
	{Role: RoleReceiver, Party: institution}, {Role: RoleCopy, Party: institution}, reader(copied), reader(institution),
	{Role: RoleReader, Party: municipality}, {Role: "stranger", Party: hospital}, {Role: RoleSystem, Party: institution},
}

// full is an event that names everything, so that only role and state can stop it.
func full(name EventName) Event {
	e := Event{Name: name, NewID: "h9", Chain: "c1", Sender: hospital, Receiver: municipality, Copies: []PartyID{copied},
		Day: monday.AddDate(0, 0, 4), ForwardTo: institution, Next: Next{None: NoneHome}, FastReceipt: true}
	switch name {
	case EventAttentionRaised, EventAttentionResolved:
		e.Attention = AttentionIllegalEvent
	case EventMerged:
		e.Attention = AttentionChainsMeet
	case EventMoved:
		e.Attention = AttentionReceiverMayBeWrong
	}
	return e
}

func variants(name EventName) []Event {
	out := []Event{full(name), {Name: name}}
	if name == EventReceipted {
		for _, n := range []EventName{EventAdmitted, EventDischarged, EventReportSent, EventHealthInfoSent} {
			out = append(out, Event{Name: name, Notice: n})
		}
	}
	return out
}

// eachCase ranges over kind x state x facts x event x actor, and fails when f writes to
// the handover that it is given.
func eachCase(t *testing.T, f func(kind Kind, h Handover, facts string, e Event, a Actor)) {
	t.Helper()
	for _, kind := range Kinds() {
		for _, s := range States() {
			for _, fs := range factSets {
				h := stored(kind, s)
				if s != StateNone {
					fs.set(&h)
				}
				keep := clone(h)
				for _, name := range EventNames() {
					for _, e := range variants(name) {
						for _, a := range everyActor {
							f(kind, h, fs.name, e, a)
						}
					}
				}
				if !reflect.DeepEqual(h, keep) {
					t.Errorf("%s %s (%s): the input was changed", kind, s, fs.name)
				}
			}
		}
	}
}

func TestInvariant3_4_7_EveryOutcome(t *testing.T) {
	p := DefaultPolicy()
	failures := 0
	eachCase(t, func(kind Kind, h Handover, facts string, e Event, a Actor) {
		if failures > 20 {
			return
		}
		after, effects, reason, fault := p.Decide(kind, h, e, a, monday)
		problems := judge(kind, h, e, a, after, effects, reason, fault)
		if len(problems) > 0 {
			failures++
			t.Errorf("%s %s (%s) %s by %s %s: %v\nbefore %+v\nafter %+v", kind, h.State, facts, e.Name, a.Role, a.Party, problems, h, after)
		}
	})
}

// judge holds one outcome against the invariants.
func judge(kind Kind, h Handover, e Event, a Actor, after Handover, effects []Effect, reason Reason, fault *Fault) []string {
	var bad []string
	fail := func(ok bool, format string, args ...any) {
		if !ok {
			bad = append(bad, fmt.Sprintf(format, args...))
		}
	}
	fail(slices.Contains(Reasons(), reason), "reason %q is not of the set", reason)
	if fault != nil {
		fail(same(after, h), "a fault changed the handover")
		fail(effects == nil, "a fault has effects")
		fail(slices.Contains([]Reason{ReasonBeforeOriginal, ReasonIllegal, ReasonForbidden, ReasonInvalid}, reason), "fault with reason %q", reason)
		fail(fault.Kind == FaultIllegal || len(fault.Allowed) == 0, "allowed events without illegal")
		return bad
	}
	judgeCustody(fail, h, e, a, after)
	judgeClocks(fail, after)
	judgeActor(fail, h, e, a, after)
	judgeEffects(fail, h, e, a, after, effects)
	fail(after.Kind == kind && after.ID != "" && after.Chain != "", "identity is incomplete")
	fail(after.Version == h.Version, "the version is the ledger's")
	return bad
}

// same compares without reflection: it runs a million times. Attentions that were not
// copied are the same by their place in memory.
func same(a, b Handover) bool {
	return a.State == b.State && a.Facts == b.Facts && a.Custodian == b.Custodian && a.Next == b.Next && a.Deadline.Equal(b.Deadline) &&
		a.Since.Equal(b.Since) && a.Step == b.Step && a.Sender == b.Sender && a.Receiver == b.Receiver && a.ID == b.ID && a.Version == b.Version &&
		slices.Equal(a.Copies, b.Copies) && slices.Equal(a.Hops, b.Hops) && len(a.Attentions) == len(b.Attentions) &&
		(len(a.Attentions) == 0 || &a.Attentions[0] == &b.Attentions[0])
}

type failer func(ok bool, format string, args ...any)

func judgeCustody(fail failer, h Handover, e Event, a Actor, after Handover) {
	fail(after.Custodian == after.Sender || after.Custodian == after.Receiver, "invariant 3: custodian %q", after.Custodian)
	if after.Custodian != h.Custodian && h.Custodian != "" {
		consented := e.Name == EventWithdrawalConsented && h.Facts.WithdrawalAsked
		fail(after.Custodian == a.Party || consented, "invariant 3: custody moved to %s by %s", after.Custodian, a.Party)
	}
	want := custodianBy(after.State)
	switch {
	case e.Name == EventReadmitted:
		want = hospital
	case e.Name == EventDied && h.Custodian != "":
		want = h.Custodian
	case h.State == after.State:
		want = h.Custodian
	}
	if h.State != StateNone {
		fail(after.Custodian == want, "custodian %s in %s, want %s", after.Custodian, after.State, want)
	}
	if after.State != h.State && !after.State.Open() && after.State != StateDeclined {
		fail((after.Next.Handover == "") != (after.Next.None == ""), "invariant 3: ended without naming what is next")
	}
}

func judgeClocks(fail failer, after Handover) {
	owing := after.State.Open() || (after.State == StateDeclined && after.Next.IsZero())
	fail(owing != after.Deadline.IsZero(), "invariant 4: deadline %v in %s", after.Deadline, after.State)
	if !owing && after.State != StateDeclined {
		fail(len(after.Attentions) == 0 && after.NextDue().IsZero(), "a closed handover has clocks")
	}
	seen := map[AttentionReason]bool{}
	for _, at := range after.Attentions {
		fail(!at.Deadline.IsZero() && len(at.Parties) > 0, "invariant 4: attention %s without deadline or contact", at.Reason)
		fail(!seen[at.Reason], "attention %s twice", at.Reason)
		seen[at.Reason] = true
	}
	fail(seen[AttentionOverdue] == (after.Step > 0), "overdue and step %d disagree", after.Step)
}

func judgeActor(fail failer, h Handover, e Event, a Actor, after Handover) {
	if after.State == h.State {
		return
	}
	technical := (e.Name == EventReceipted && after.State == StateReceived) || (e.Name == EventDied && after.State == StateWithdrawn) ||
		(a.Role == RolePolicy && e.Name == EventFinished && after.State == StateCompleted)
	switch a.Role {
	case RoleCopy:
		fail(false, "a copy receiver changed the state")
	case RoleClock:
		fail(false, "a clock changed the state")
	case RoleSystem, RolePolicy:
		fail(technical, "invariant 7: %s by %s answered clinically", e.Name, a.Role)
	}
}

func judgeEffects(fail failer, h Handover, e Event, a Actor, after Handover, effects []Effect) {
	count := map[EffectKind]int{}
	published := map[string]int{}
	for _, ef := range effects {
		count[ef.Kind]++
		if ef.Kind == EffectPublish && ef.Handover.ID == "" {
			published[string(ef.Event)+" "+string(ef.Attention)]++
		}
		if ef.Kind == EffectTell || ef.Kind == EffectAlert {
			fail(ef.Party != "", "told nobody")
			gone := h.Facts.AccessEnded && ef.Party == h.Receiver && ef.Handover.ID == ""
			fail(!gone, "%s to a receiver whose access ended", ef.Kind)
		}
		if ef.Kind == EffectTell && ef.Handover.ID == "" && a.Role != RoleSystem {
			fail(ef.Party != a.Party, "told the one who told us")
		}
		if ef.Kind == EffectOpen {
			n := ef.Handover
			fail(n.Chain == after.Chain && n.ID == after.Next.Handover && n.Custodian == n.Sender && n.Sender == h.Sender &&
				n.State.Open() && !n.Deadline.IsZero() && n.Version == 0, "opened %+v", n)
		}
	}
	if after.State != h.State {
		fail(count[EffectPublish] > 0 && effects[0].Event == e.Name, "the event is not published first")
	}
	fail(count[EffectOpen] == 0 || after.Next.Handover != "", "opened without being named")
	for _, at := range h.Attentions {
		if !slices.ContainsFunc(after.Attentions, func(x Attention) bool { return x.Reason == at.Reason }) {
			fail(published["attention-resolved "+string(at.Reason)] == 1, "end of %s announced %d times", at.Reason, published["attention-resolved "+string(at.Reason)])
		}
	}
	for _, at := range after.Attentions {
		if !slices.ContainsFunc(h.Attentions, func(x Attention) bool { return x.Reason == at.Reason }) {
			fail(published["attention-raised "+string(at.Reason)] == 1 && (count[EffectAlert] > 0 || at.Reason == AttentionNoHealthInfo), "%s raised silently", at.Reason)
		}
	}
}

func TestDecide_WrongParty_Forbidden(t *testing.T) {
	p := DefaultPolicy()
	wrong := everyActor[10:19]
	eachCase(t, func(kind Kind, h Handover, facts string, e Event, a Actor) {
		if h.State == StateNone || !slices.Contains(wrong, a) {
			return
		}
		_, _, reason, fault := p.Decide(kind, h, e, a, monday)
		if fault == nil || fault.Kind != FaultForbidden || reason != ReasonForbidden {
			t.Fatalf("%s %s by %+v: %v", h.State, e.Name, a, fault)
		}
	})
}

func TestDecide_AllowedEvents_AreAllowed(t *testing.T) {
	p := DefaultPolicy()
	for _, kind := range Kinds() {
		for _, s := range States() {
			for _, a := range everyActor {
				h := stored(kind, s)
				h.Sender, h.Receiver = hospital, municipality
				for _, name := range p.AllowedEvents(kind, h, a, monday.Add(2*time.Hour)) {
					if _, _, _, f := p.Decide(kind, h, full(name), a, monday.Add(2*time.Hour)); f != nil {
						t.Errorf("%s %s %s by %s is listed and refused: %v", kind, s, name, a.Role, f)
					}
				}
			}
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	p := DefaultPolicy()
	h := stored(KindDischarge, StateReceived)
	e, a := full(EventAccepted), receiver()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, f := p.Decide(KindDischarge, h, e, a, monday); f != nil {
			b.Fatal(f)
		}
	}
}
