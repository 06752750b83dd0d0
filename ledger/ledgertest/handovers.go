package ledgertest

import (
	"testing"
	"time"

	"stafett/handover"
	"stafett/ledger"
)

func handoverIDs(list []handover.Handover) []handover.ID {
	out := make([]handover.ID, len(list))
	for i := range list {
		out[i] = list[i].ID
	}
	return out
}

func testHandoverFilter(t *testing.T, h Harness) {
	s := h.Open(t)
	a, b, c, d := sampleHandover("a", Start), sampleHandover("b", Start), sampleHandover("c", Start), sampleHandover("d", Start)
	b.Sender, b.Receiver, b.Copies = municipality, institution, nil
	c.State, c.Deadline = handover.StateCompleted, time.Time{}
	c.Copies = nil
	d.Chain, d.Copies = a.Chain, []handover.PartyID{"nabo", "dalvik"}
	d.Attentions = []handover.Attention{{Reason: handover.AttentionOverdue, Deadline: Start}}
	wrong := sampleHandover("wrong", Start)
	wrong.Receiver, wrong.Copies, wrong.Facts.AccessEnded = "feil", nil, true
	wrong.State, wrong.Deadline = handover.StateDeclined, time.Time{}
	must(t, s, ledger.Unit{Handovers: []handover.Handover{wrong}}, ledger.Unit{Handovers: []handover.Handover{a, b}}, ledger.Unit{Handovers: []handover.Handover{c, d}})
	for _, test := range []struct {
		name string
		f    ledger.HandoverFilter
		want []handover.ID
	}{
		{"all, newest first", ledger.HandoverFilter{}, []handover.ID{"d", "c", "b", "a", "wrong"}},
		{"limit", ledger.HandoverFilter{Limit: 2}, []handover.ID{"d", "c"}},
		{"open", ledger.HandoverFilter{OpenOnly: true}, []handover.ID{"d", "b", "a"}},
		{"sender or receiver", ledger.HandoverFilter{Party: municipality}, []handover.ID{"d", "c", "b", "a"}},
		{"receiver or copy", ledger.HandoverFilter{Party: institution}, []handover.ID{"b", "a"}},
		{"copy by whole name", ledger.HandoverFilter{Party: "dalvik"}, []handover.ID{"d"}},
		{"sender whose receiver's access ended", ledger.HandoverFilter{Party: hospital, Chain: wrong.Chain}, []handover.ID{"wrong"}},
		{"receiver whose access ended", ledger.HandoverFilter{Party: "feil"}, nil},
		{"no wildcard", ledger.HandoverFilter{Party: "%"}, nil},
		{"chain", ledger.HandoverFilter{Chain: a.Chain}, []handover.ID{"d", "a"}},
		{"attention", ledger.HandoverFilter{Attention: true}, []handover.ID{"d"}},
		{"together", ledger.HandoverFilter{Party: hospital, Chain: a.Chain, OpenOnly: true}, []handover.ID{"d", "a"}},
	} {
		same(t, test.name, handoverIDs(must1(s.Handovers(ctx, test.f)).Items), test.want)
	}
	u := messageUnit("m1", "", "1")
	u.Message.Handover = "a"
	u2 := messageUnit("m2", "", "2")
	u2.Message.Handover = "a"
	must(t, s, u, u2)
	if of := must1(s.MessagesOf(ctx, "a")); len(of) != 2 || of[0].ID != "m1" {
		t.Errorf("messages of a handover: %d", len(of))
	}
	if of := must1(s.MessagesOf(ctx, "")); len(of) != 0 {
		t.Errorf("messages of no handover: %d", len(of))
	}
}

func testKeysAndHide(t *testing.T, h Harness) {
	s := h.Open(t)
	key := func(party handover.PartyID, value string, id handover.ID) ledger.HandoverKey {
		return ledger.HandoverKey{Kind: ledger.KeyVisit, Party: party, Value: value, Handover: id}
	}
	must(t, s, ledger.Unit{
		Handovers: []handover.Handover{sampleHandover("a", Start), sampleHandover("b", Start)},
		Keys:      []ledger.HandoverKey{key(hospital, "V1", "a"), key(hospital, "V1", "b"), key(municipality, "V1", "b"), key(hospital, "V1", "a")},
		Resources: []ledger.ResourceWrite{sampleResource("Task", "a", "a", 1, Start), sampleResource("Task", "b", "b", 1, Start)},
	})
	find := func(party handover.PartyID, value string) []handover.ID {
		return handoverIDs(must1(s.FindHandovers(ctx, ledger.KeyVisit, party, value)))
	}
	same(t, "newest first, once", find(hospital, "V1"), []handover.ID{"b", "a"})
	same(t, "other namespace", find(municipality, "V1"), []handover.ID{"b"})
	same(t, "other value", find(hospital, "V2"), []handover.ID(nil))
	same(t, "other kind", handoverIDs(must1(s.FindHandovers(ctx, ledger.KeyPatient, hospital, "V1"))), []handover.ID(nil))

	must(t, s, ledger.Unit{Hide: []ledger.Hidden{{Party: municipality, Handover: "b"}}})
	same(t, "hidden key", find(municipality, "V1"), []handover.ID(nil))
	same(t, "key of another party", find(hospital, "V1"), []handover.ID{"b", "a"})
	same(t, "hidden resource", must1(s.Resource(ctx, "Task", "b")).Visible, []handover.PartyID{hospital})
	same(t, "resource of another handover", must1(s.Resource(ctx, "Task", "a")).Visible, []handover.PartyID{municipality, hospital})
	again := sampleResource("Task", "b", "b", 1, Start)
	again.Expect = -1
	must(t, s, ledger.Unit{Resources: []ledger.ResourceWrite{again}, Hide: []ledger.Hidden{{Party: municipality, Handover: "b"}}})
	same(t, "hiding comes last in a unit", must1(s.Resource(ctx, "Task", "b")).Visible, []handover.PartyID{hospital})
	whole(t, s)
}

// Invariant 4: what is due is found when it is due, and NextDue tells when to look.
func testDue(t *testing.T, h Harness) {
	s := h.Open(t)
	if next := must1(s.NextDue(ctx)); !next.IsZero() {
		t.Errorf("empty ledger is due at %v", next)
	}
	hour := func(n int) time.Time { return Start.Add(time.Duration(n) * time.Hour) }
	early, late, ended := sampleHandover("early", Start), sampleHandover("late", Start), sampleHandover("ended", Start)
	early.Deadline = hour(9)
	early.Attentions = []handover.Attention{{Reason: handover.AttentionOverdue, Deadline: hour(5)}}
	late.Deadline = hour(8)
	ended.State, ended.Deadline = handover.StateCompleted, time.Time{}
	parked := messageUnit("parked", "", "p")
	parked.Message.Disposition, parked.Message.Contact, parked.Message.Deadline = ledger.DispositionParked, "vakt", hour(4)
	awaiting, warned, refused := deliveryIn("awaiting", "", ledger.DeliveryAwaiting), deliveryIn("warned", "", ledger.DeliveryAwaiting), deliveryIn("refused", "", ledger.DeliveryRefused)
	awaiting.Deadline, warned.WarnAt, warned.Deadline, refused.Deadline = hour(3), hour(2), hour(90), hour(6)
	pending, receipted := deliveryIn("pending", "", ledger.DeliveryPending), deliveryIn("receipted", "", ledger.DeliveryReceipted)
	pending.NextAttempt, receipted.Deadline = hour(1), hour(1)
	waiting := messageUnit("waiting", "", "w")
	waiting.Message.Disposition, waiting.Message.Deadline = ledger.DispositionMoving, hour(7)
	must(t, s, waiting)
	parked.Handovers = []handover.Handover{early, late, ended}
	parked.Deliveries = []ledger.Delivery{awaiting, warned, refused, pending, receipted}
	must(t, s, parked)

	for _, at := range []struct {
		hours                          int
		handovers                      []handover.ID
		messages, deliveries, claimed  int
		next                           int
		parkedDeliveries, parkedLetter int
	}{
		{0, nil, 0, 0, 0, 1, 1, 1},
		{3, nil, 0, 2, 1, 2, 1, 1},
		{4, nil, 1, 2, 0, 2, 1, 1},
		{5, []handover.ID{"early"}, 1, 2, 0, 2, 1, 1},
		{8, []handover.ID{"early", "late"}, 2, 3, 0, 2, 1, 1},
	} {
		now := hour(at.hours)
		same(t, "handovers", handoverIDs(must1(s.DueHandovers(ctx, now, 10))), at.handovers)
		same(t, "messages", len(must1(s.DueMessages(ctx, now, 10))), at.messages)
		same(t, "deliveries", len(must1(s.DueDeliveries(ctx, now, 10))), at.deliveries)
		same(t, "claimed", len(must1(s.ClaimDeliveries(ctx, "me", now, 100*time.Hour, 10))), at.claimed)
		same(t, "next", must1(s.NextDue(ctx)), hour(at.next))
		same(t, "parked deliveries", must1(s.ParkedDeliveries(ctx, ledger.ParkedFilter{})).Total, at.parkedDeliveries)
		same(t, "parked messages", must1(s.ParkedMessages(ctx, ledger.ParkedFilter{})).Total, at.parkedLetter)
	}
	resolved := must1(s.Message(ctx, "parked"))
	resolved.Resolution, resolved.Person = "closed", "kari"
	must(t, s, ledger.Unit{Messages: []ledger.MessageUpdate{{Message: resolved}}})
	same(t, "resolved messages are not due", len(must1(s.DueMessages(ctx, hour(99), 10))), 1)
	same(t, "resolved messages are not parked", must1(s.ParkedMessages(ctx, ledger.ParkedFilter{})).Total, 0)
}
