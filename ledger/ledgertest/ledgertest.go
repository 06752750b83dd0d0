// Package ledgertest holds the suite that every ledger.Store passes: each sentence of the
// contract, attacks on the record, and a comparison with a model in memory.
package ledgertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"stafett/handover"
	"stafett/ledger"
)

// Harness is what the suite needs from a Store's own tests.
type Harness struct {
	// Open returns a new, empty ledger that is closed at the end of the test.
	Open func(t testing.TB) ledger.Store
	// Reopen closes s and opens the same ledger again.
	Reopen func(t testing.TB, s ledger.Store) ledger.Store
	// Exec runs SQL behind the back of s, as one who tampers does.
	Exec func(t testing.TB, s ledger.Store, sql string)
	// Second opens the same ledger beside s; nil where only one process may.
	Second func(t testing.TB, s ledger.Store) ledger.Store
	// Back is SQL that makes a ledger one of schema 1 again.
	Back string
}

// Run runs the whole suite.
func Run(t *testing.T, h Harness) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"Invariant1_UnitWholeOrNot", testUnitWhole},
		{"RoundTrip", testRoundTrip},
		{"OddText", testOddText},
		{"Reopen", testReopen},
		{"Invariant8_Migrated", testMigrated},
		{"Repeat", testRepeat},
		{"Conflicts", testConflicts},
		{"Guards", testGuards},
		{"GuardsConcurrent", testGuardsConcurrent},
		{"MessageUpdate", testMessageUpdate},
		{"MessageState", testMessageState},
		{"Invariant2_Balance", testBalance},
		{"Invariant4_Due", testDue},
		{"HandoverFilter", testHandoverFilter},
		{"Invariant2_Lists", testLists},
		{"ParkedOf", testParkedOf},
		{"KeysAndHide", testKeysAndHide},
		{"Resources", testResources},
		{"ResourcesTogether", testResourcesTogether},
		{"History", testHistory},
		{"CommitTime", testCommitTime},
		{"CommitTimePoller", testCommitTimePoller},
		{"Search", testSearch},
		{"SearchPaging", testSearchPaging},
		{"SearchVisibility", testSearchVisibility},
		{"Show", testShow},
		{"End", testEnd},
		{"Visibility", testVisibility},
		{"Reindex", testReindex},
		{"ClaimOrder", testClaimOrder},
		{"ClaimLease", testClaimLease},
		{"Outbox", testOutbox},
		{"ClaimConcurrent", testClaimConcurrent},
		{"Invariant5_Events", testEvents},
		{"Group", testGroup},
		{"GroupOverload", testGroupOverload},
		{"GroupClose", testGroupClose},
		{"GroupCancel", testGroupCancel},
		{"Invariant8_Tamper", testTamper},
		{"Invariant8_Checkpoint", testCheckpoint},
		{"Invariant8_Erase", testErase},
		{"Model", testModel},
		{"TwoInstances", testTwoInstances},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, h) })
	}
}

var ctx = context.Background()

// must applies units that have to succeed.
func must(t testing.TB, s ledger.Store, units ...ledger.Unit) []ledger.Applied {
	t.Helper()
	results, err := s.Apply(ctx, units)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	out := make([]ledger.Applied, len(results))
	for i, r := range results {
		if r.Err != nil {
			t.Fatalf("unit %d: %v", i, r.Err)
		}
		out[i] = r.Applied
	}
	return out
}

// refuses applies one unit that has to fail with want and to leave nothing behind.
func refuses(t testing.TB, s ledger.Store, want error, u ledger.Unit) {
	t.Helper()
	before, err := s.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	results, err := s.Apply(ctx, []ledger.Unit{u})
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	if !errors.Is(results[0].Err, want) {
		t.Fatalf("unit: got %v, want %v", results[0].Err, want)
	}
	after, err := s.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if after.Head != before.Head || after.Entry != before.Entry || after.Event != before.Event {
		t.Fatalf("a refused unit moved the chain: %+v to %+v", before, after)
	}
}

// got unwraps a result that must be there.
func got[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// same compares by value; empty and nil slices are the same.
func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// whole fails unless the record verifies.
func whole(t testing.TB, s ledger.Store) ledger.Verification {
	t.Helper()
	v := got2(t)(s.Verify(ctx, nil))
	if v.Finding != nil {
		t.Fatalf("the record is not whole: %+v", *v.Finding)
	}
	return v
}

func got2(t testing.TB) func(ledger.Verification, error) ledger.Verification {
	return func(v ledger.Verification, err error) ledger.Verification {
		t.Helper()
		return got(t, v, err)
	}
}

func testUnitWhole(t *testing.T, h Harness) {
	s := h.Open(t)
	must(t, s, Unit(1))
	broken := []struct {
		name string
		unit func(*ledger.Unit)
	}{
		{"handover of another version", func(u *ledger.Unit) { u.Handovers[0].Version = 7 }},
		{"resource that exists not", func(u *ledger.Unit) { u.Resources[3].Expect = 4 }},
		{"delivery of another version", func(u *ledger.Unit) { u.Deliveries[0].Version = 2 }},
		{"update of no message", func(u *ledger.Unit) {
			u.Messages = []ledger.MessageUpdate{{Message: ledger.Message{ID: "none", Version: 1}}}
		}},
		{"delivery id twice", func(u *ledger.Unit) { u.Deliveries = append(u.Deliveries, u.Deliveries[0]) }},
		{"erasure of nothing", func(u *ledger.Unit) { u.Erase = []ledger.Erasure{{Message: "none", Person: "a", Reason: "b"}} }},
	}
	for i, b := range broken {
		t.Run(b.name, func(t *testing.T) {
			good1, bad, good2 := Unit(100+3*i), Unit(101+3*i), Unit(102+3*i)
			b.unit(&bad)
			results, err := s.Apply(ctx, []ledger.Unit{good1, bad, good2})
			if err != nil {
				t.Fatal(err)
			}
			if results[0].Err != nil || results[2].Err != nil || results[1].Err == nil {
				t.Fatalf("the bad unit alone must fail: %v %v %v", results[0].Err, results[1].Err, results[2].Err)
			}
			if results[2].Applied.Entry != results[0].Applied.Entry+1 || results[2].Applied.Events[0] != results[0].Applied.Events[0]+1 {
				t.Error("a failed unit left a gap in the chain or the events")
			}
			assertAbsent(t, s, &bad)
		})
	}
	whole(t, s)
}

// assertAbsent fails when anything of a refused unit is stored.
func assertAbsent(t *testing.T, s ledger.Store, u *ledger.Unit) {
	t.Helper()
	_, err := s.Message(ctx, u.Message.ID)
	wantNotFound(t, "message", err)
	_, err = s.Handover(ctx, u.Handovers[0].ID)
	wantNotFound(t, "handover", err)
	_, err = s.Delivery(ctx, u.Deliveries[0].ID)
	wantNotFound(t, "delivery", err)
	for _, r := range u.Resources {
		_, err = s.Resource(ctx, r.Type, r.ID)
		wantNotFound(t, "resource", err)
	}
	audits, err := s.AuditOf(ctx, ledger.AuditFilter{Message: u.Message.ID})
	if err != nil || audits.Total != 0 {
		t.Errorf("audit of a refused unit: %d, %v", audits.Total, err)
	}
}

func wantNotFound(t testing.TB, what string, err error) {
	t.Helper()
	if !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("%s: got %v, want ErrNotFound", what, err)
	}
}

func testRoundTrip(t *testing.T, h Harness) {
	s := h.Open(t)
	u := Unit(1)
	odd := time.Date(2026, 3, 29, 2, 30, 0, 123456789, time.FixedZone("X", 7200))
	m := u.Message
	m.ReceivedAt, m.Deadline, m.Disposition = odd, odd.Add(time.Hour), ledger.DispositionParked
	m.Reason, m.Detail, m.Conversation, m.Contact, m.Step = handover.FaultInvalid, "PV1-19", "conv", "vakt", 2
	m.Resolution, m.Person, m.ResolvedAt, m.Repeats, m.Unheard = "read", "kari", odd, "m-0", "no-handover"
	d := &u.Deliveries[0]
	d.WarnAt, d.Error, d.SentAt, d.EndedAt, d.Receipt, d.Contact, d.Step = odd, "timeout", odd, odd, "m-9", "vakt", 1
	d.Told, d.Resolution, d.Person = "abc", "resent", "kari"
	d.Service, d.LeaseOwner, d.LeaseUntil, d.Attempts = "Slagenheten", "node", odd, 3
	hd := &u.Handovers[0]
	hd.Attentions = []handover.Attention{{Reason: handover.AttentionUnreachable, Parties: []handover.PartyID{hospital}, RaisedAt: odd, Deadline: odd, Step: 1}}
	hd.Hops, hd.Next, hd.Step, hd.Deadline = []handover.PartyID{institution}, handover.Next{None: handover.NoneHome}, 2, odd
	u.Events[0].Attention = handover.AttentionUnreachable
	u.Audit[0].Person, u.Audit[0].Delivery, u.Audit[0].Resource, u.Audit[0].Detail = "kari", d.ID, "Task/1", "x"
	applied := must(t, s, u)[0]
	us := odd.UTC().Truncate(time.Microsecond)

	want := *m
	want.Version, want.ReceivedAt, want.Deadline, want.ResolvedAt = 1, us, us.Add(time.Hour), us
	same(t, "message", got(t, must1(s.Message(ctx, m.ID)), nil), want)
	wantD := *d
	wantD.Version, wantD.Order, wantD.WarnAt, wantD.SentAt, wantD.EndedAt, wantD.LeaseUntil = 1, 1, us, us, us, us
	same(t, "delivery", must1(s.Delivery(ctx, d.ID)), wantD)
	wantH := *hd
	wantH.Version, wantH.Deadline = 1, us
	wantH.Attentions = []handover.Attention{{Reason: handover.AttentionUnreachable, Parties: []handover.PartyID{hospital}, RaisedAt: us, Deadline: us, Step: 1}}
	same(t, "handover", must1(s.Handover(ctx, hd.ID)), wantH)
	meta := must1(s.Meta(ctx))
	wantE := u.Events[0]
	wantE.Seq, wantE.ID, wantE.ChainHead = 1, meta.Epoch+"-1", ""
	same(t, "events", must1(s.Events(ctx, 0, 10)), []ledger.Event{wantE})
	same(t, "audit", must1(s.AuditOf(ctx, ledger.AuditFilter{Handover: hd.ID})).Items, u.Audit)
	r := u.Resources[0]
	same(t, "resource", must1(s.Resource(ctx, r.Type, r.ID)), ledger.Resource{Type: r.Type, ID: r.ID, Version: 1, Entry: applied.Entry,
		Author: r.Author, JSON: r.JSON, At: applied.Resources[0].At, Handover: r.Handover,
		Visible: []handover.PartyID{municipality, hospital}})
	same(t, "applied", applied, ledger.Applied{Entry: 1, Head: must1(s.Head(ctx)).Head, Events: []int64{1}, Resources: applied.Resources})
	whole(t, s)
}

// must1 panics on an error, for comparisons in one line.
func must1[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func testOddText(t *testing.T, h Harness) {
	s := h.Open(t)
	u := Unit(1)
	u.Message.ExternalID, u.Message.Detail = "a\x00b\xffc", "tab\tÆØÅ \U0001F600"
	u.Message.Raw = []byte{0, 255, 1, 0}
	u.Audit[0].Detail = "\x00"
	must(t, s, u)
	m := must1(s.Message(ctx, u.Message.ID))
	same(t, "external id", m.ExternalID, "a\uFFFDb\uFFFDc")
	same(t, "detail", m.Detail, u.Message.Detail)
	same(t, "raw", m.Raw, u.Message.Raw)
	found := must1(s.MessagesByExternalID(ctx, hospital, u.Message.ExternalID))
	if len(found) != 1 {
		t.Errorf("found %d by the external id as sent", len(found))
	}
	whole(t, s)
}

func testReopen(t *testing.T, h Harness) {
	s := h.Open(t)
	must(t, s, Unit(1), Unit(2))
	meta, head := must1(s.Meta(ctx)), must1(s.Head(ctx))
	if meta.Epoch == "" || len(meta.Secret) != 32 || meta.Schema < 1 {
		t.Errorf("meta of a new ledger: epoch %q, %d bytes of secret, schema %d", meta.Epoch, len(meta.Secret), meta.Schema)
	}
	again := h.Reopen(t, s)
	if _, err := s.Apply(ctx, []ledger.Unit{Unit(3)}); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("Apply on a closed store: %v", err)
	}
	if _, err := s.Head(ctx); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("Head on a closed store: %v", err)
	}
	same(t, "meta", must1(again.Meta(ctx)), meta)
	after := must1(again.Head(ctx))
	after.At = head.At
	same(t, "head", after, head)
	if err := again.Ready(ctx); err != nil {
		t.Error(err)
	}
	must(t, again, Unit(3))
	whole(t, again)
	if other := must1(h.Open(t).Meta(ctx)); other.Epoch == meta.Epoch || string(other.Secret) == string(meta.Secret) {
		t.Error("two ledgers share epoch or secret")
	}
}

// endedUnits are handovers that an older schema knows to have ended, each with a Task of four
// versions: the last but one is what its end said, the last came later. What is new came later too.
func endedUnits() []ledger.Unit {
	var out []ledger.Unit
	for id, states := range map[handover.ID][]handover.State{
		"declined":  {handover.StateRequested, handover.StateDeclined, handover.StateDeclined, handover.StateDeclined},
		"withdrawn": {handover.StateRequested, handover.StateDeclined, handover.StateWithdrawn, handover.StateWithdrawn},
		"completed": {handover.StateRequested, handover.StateAccepted, handover.StateCompleted, handover.StateCompleted},
	} {
		for version, now := range states {
			at := sampleHandover(id, Start)
			at.State, at.Version = now, int64(version)
			r := sampleResource("Task", string(id), id, 7, Start)
			r.Expect, r.Grants = int64(version), granted(hospital, id, hospital, municipality, institution)
			u := ledger.Unit{Handovers: []handover.Handover{at}, Resources: []ledger.ResourceWrite{r}}
			if e := sampleEvent(id, "", Start); version < 3 {
				e.State = now
				u.Events = []ledger.Event{e}
			}
			out = append(out, u)
		}
	}
	late := sampleResource("Task", "new", "withdrawn", 8, Start)
	late.Grants = granted(hospital, "withdrawn", hospital, municipality, institution)
	return append(out, ledger.Unit{Resources: []ledger.ResourceWrite{late}})
}

// testMigrated: what was stored under an older schema verifies, counts and lists as it did.
func testMigrated(t *testing.T, h Harness) {
	s := h.Open(t)
	closed := parkedMessage("closed", hospital)
	closed.Message.Disposition, closed.Message.Resolution, closed.Message.Person = ledger.DispositionApplied, "phoned", "kari"
	resent := messageUnit("resent", "", "resent")
	refused := deliveryIn("d-refused", "resent", ledger.DeliveryClosed)
	refused.Error = "negative receipt: T01"
	resent.Deliveries = []ledger.Delivery{refused, deliveryIn("d-again", "resent", ledger.DeliveryReceipted)}
	ended := messageUnit("ended", "", "ended")
	ended.Deliveries = []ledger.Delivery{deliveryIn("d-closed", "ended", ledger.DeliveryClosed)}
	must(t, s, Unit(1), closed, resent, ended)
	must(t, s, endedUnits()...)
	before := must1(s.Head(ctx))
	h.Exec(t, s, h.Back)
	s = h.Reopen(t, s)
	same(t, "head", must1(s.Head(ctx)).Head, before.Head)
	whole(t, s)
	same(t, "balance", must1(s.Balance(ctx)), ledger.Balance{Received: 4, Delivered: 1, Closed: 2, Moving: 1})
	same(t, "closed before", must1(s.ResolvedMessages(ctx, ledger.ParkedFilter{})).Total, 1)
	must(t, s, Unit(2))
	whole(t, s)

	for id, want := range map[string]map[handover.PartyID][]int64{
		"declined":  {hospital: {4, 3, 2, 1}, municipality: {3, 2, 1}, institution: {4, 3, 2, 1}},
		"withdrawn": {hospital: {4, 3, 2, 1}, municipality: {3, 2, 1}, institution: {3, 2, 1}},
		"completed": {hospital: {4, 3, 2, 1}, municipality: {4, 3, 2, 1}, institution: {4, 3, 2, 1}},
		"new":       {hospital: {1}, municipality: nil, institution: nil},
	} {
		for p, versions := range want {
			var got []int64
			for _, r := range must1(s.History(ctx, "Task", id, p, 100, "")).Resources {
				got = append(got, r.Version)
			}
			same(t, string(p)+" reads of what was "+id, got, versions)
		}
	}

	u := Unit(1)
	r := u.Resources[0]
	reads := func() []handover.PartyID { return must1(s.Resource(ctx, r.Type, r.ID)).Visible }
	same(t, "who reads", reads(), []handover.PartyID{municipality, hospital})
	same(t, "of the handover", len(must1(s.ResourcesOf(ctx, r.Handover))), len(u.Resources))
	must(t, s, ledger.Unit{Hide: []ledger.Hidden{{Party: municipality, Handover: r.Handover}, {Party: hospital, Handover: r.Handover}}})
	same(t, "who reads when access to the handover ended", reads(), []handover.PartyID{hospital})
}
