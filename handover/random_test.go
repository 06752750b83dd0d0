package handover

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Random lives of a chain: whatever is said in whatever order, one custodian, a clock on
// everything that is open, the same answer to the same question, and no input written to.
func TestInvariant3_4_RandomLives(t *testing.T) {
	p := DefaultPolicy()
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(Kinds()).Draw(t, "kind")
		chain := []Handover{{}}
		now := monday
		for i := range rapid.IntRange(1, 40).Draw(t, "length") {
			at := rapid.IntRange(0, len(chain)-1).Draw(t, "which")
			h := chain[at]
			e := drawEvent(t, i)
			a := drawActor(t, h)
			now = now.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "minutes")) * time.Minute)
			keep := clone(h)
			after, effects, reason, fault := p.Decide(kind, h, e, a, now)
			after2, effects2, reason2, _ := p.Decide(kind, h, e, a, now)
			if !reflect.DeepEqual(after, after2) || !reflect.DeepEqual(effects, effects2) || reason != reason2 {
				t.Fatal("the same question was answered differently")
			}
			if !reflect.DeepEqual(h, keep) {
				t.Fatal("the input was changed")
			}
			if fault != nil {
				continue
			}
			chain[at] = after
			for _, ef := range effects {
				if ef.Kind == EffectOpen {
					chain = append(chain, ef.Handover)
				}
			}
			checkChain(t, chain, h, after, a)
		}
	})
}

func drawEvent(t *rapid.T, i int) Event {
	e := full(rapid.SampledFrom(EventNames()).Draw(t, "event"))
	e.NewID = ID(rapid.StringMatching(`h[0-9]{6}`).Draw(t, "id"))
	e.ForwardTo = rapid.SampledFrom([]PartyID{institution, municipality, "nordvik-kommune", "bjerka-kommune"}).Draw(t, "to")
	e.Notice = rapid.SampledFrom([]EventName{"", EventReady, EventAdmitted, EventDischarged, EventReportSent}).Draw(t, "notice")
	e.Day = monday.AddDate(0, 0, rapid.IntRange(-5, 30).Draw(t, "day"))
	if e.Name == EventAttentionRaised || e.Name == EventAttentionResolved {
		e.Attention = rapid.SampledFrom(AttentionReasons()).Draw(t, "attention")
	}
	return e
}

// drawActor prefers those who may speak, so that lives get long.
func drawActor(t *rapid.T, h Handover) Actor {
	from, to := hospital, municipality
	if h.ID != "" {
		from, to = h.Sender, h.Receiver
	}
	return rapid.SampledFrom([]Actor{
		{Role: RoleSender, Party: from}, {Role: RoleReceiver, Party: to}, {Role: RoleSender, Party: from}, {Role: RoleReceiver, Party: to},
		reader(from), reader(to), system(), clock(), {Role: RolePolicy}, {Role: RoleCopy, Party: copied}, {Role: RoleReceiver, Party: institution},
	}).Draw(t, "actor")
}

func checkChain(t *rapid.T, chain []Handover, before, after Handover, a Actor) {
	custodian := PartyID("")
	for _, h := range chain {
		if h.State.Open() {
			if custodian != "" && h.Custodian != custodian {
				t.Fatalf("invariant 3: two custodians, %s and %s", custodian, h.Custodian)
			}
			custodian = h.Custodian
		}
	}
	fail := func(ok bool, format string, args ...any) {
		if !ok {
			t.Fatalf(format, args...)
		}
	}
	judgeClocks(fail, after)
	judgeActor(fail, before, Event{Name: EventReceipted}, Actor{Role: RoleSender, Party: a.Party}, after)
	if before.Custodian != "" && after.Custodian != before.Custodian && a.Party != after.Custodian && !before.Facts.WithdrawalAsked {
		t.Fatalf("invariant 3: custody moved to %s by %s", after.Custodian, a.Party)
	}
}
