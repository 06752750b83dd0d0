package ledgertest

import (
	"strings"
	"testing"

	"stafett/fhir/search"
	"stafett/ledger"
)

// fill makes five entries; rows of entries 2 to 4 are attacked.
func fill(t testing.TB, s ledger.Store) ledger.Checkpoint {
	t.Helper()
	for i := range 5 {
		must(t, s, Unit(i+1))
	}
	c := must1(s.Head(ctx))
	whole(t, s)
	return c
}

// Invariant 8: each kind of tampering with each table is found, at the right entry.
func testTamper(t *testing.T, h Harness) {
	for _, test := range []struct {
		sql     string
		entry   int64
		problem string
	}{
		{"DELETE FROM entry WHERE n = 3", 3, ledger.ProblemRemoved},
		{"DELETE FROM entry WHERE n = 1", 1, ledger.ProblemRemoved},
		{"DELETE FROM entry WHERE n = 5", 5, ledger.ProblemCutOff},
		{"DELETE FROM entry WHERE n >= 4", 4, ledger.ProblemCutOff},
		{"DELETE FROM entry", 1, ledger.ProblemCutOff},
		{"DELETE FROM entry WHERE n = 3; UPDATE entry SET n = 3 WHERE n = 4; UPDATE entry SET n = 4 WHERE n = 5", 3, ledger.ProblemRemoved},
		{"UPDATE entry SET n = 99 WHERE n = 2; UPDATE entry SET n = 2 WHERE n = 4; UPDATE entry SET n = 4 WHERE n = 99", 2, ledger.ProblemReordered},
		{"UPDATE entry SET body = (SELECT body FROM entry e WHERE e.n = 3) WHERE n = 4", 4, ledger.ProblemRemoved},
		{"UPDATE entry SET digest = (SELECT digest FROM entry e WHERE e.n = 3) WHERE n = 4", 4, ledger.ProblemChanged},
		{"UPDATE head SET digest = (SELECT digest FROM entry e WHERE e.n = 3)", 5, ledger.ProblemChanged},
		{"UPDATE head SET event = 4", 5, ledger.ProblemChanged},
		{"UPDATE message SET sender = 'x' WHERE pos = 3", 3, ledger.ProblemChanged},
		{"UPDATE message SET received_at = received_at + 1 WHERE pos = 3", 3, ledger.ProblemChanged},
		{"UPDATE message SET disposition = 'refused' WHERE pos = 3", 3, ledger.ProblemChanged},
		{"UPDATE message SET erased = 1 WHERE pos = 3", 3, ledger.ProblemChanged},
		{"UPDATE message SET erased = 1 WHERE pos = 3; UPDATE message_content SET raw = NULL, answer = NULL, envelope = NULL, report = NULL WHERE pos = 3", 3, ledger.ProblemChanged},
		{"UPDATE message_content SET raw = (SELECT raw FROM message_content c WHERE c.pos = 2) WHERE pos = 3", 3, ledger.ProblemChanged},
		{"UPDATE message_content SET answer = NULL WHERE pos = 3", 3, ledger.ProblemChanged},
		{"UPDATE message_content SET report = raw WHERE pos = 3", 3, ledger.ProblemChanged},
		{"DELETE FROM message_content WHERE pos = 3; DELETE FROM message WHERE pos = 3", 3, ledger.ProblemRemoved},
		{"UPDATE message SET entry = 4 WHERE pos = 3", 3, ledger.ProblemChanged},
		{"UPDATE message SET entry = 2 WHERE pos = 3", 3, ledger.ProblemChanged},
		{"UPDATE message SET entry = 77 WHERE pos = 3", 3, ledger.ProblemChanged},
		{"UPDATE handover SET receiver = 'x' WHERE pos = 3", 3, ledger.ProblemChanged},
		{"UPDATE handover SET doc = (SELECT doc FROM handover h WHERE h.pos = 2) WHERE pos = 3", 3, ledger.ProblemChanged},
		{"UPDATE handover SET due = 0 WHERE pos = 3", 3, ledger.ProblemChanged},
		{"DELETE FROM handover WHERE pos = 3", 3, ledger.ProblemRemoved},
		{"UPDATE delivery SET receiver = 'x' WHERE ord = 3", 3, ledger.ProblemChanged},
		{"UPDATE delivery SET state = 'receipted' WHERE ord = 3", 3, ledger.ProblemChanged},
		{"UPDATE message SET unheard = 'x' WHERE pos = 3", 3, ledger.ProblemChanged},
		{"UPDATE delivery SET told = 'x' WHERE ord = 3", 3, ledger.ProblemChanged},
		{"UPDATE delivery SET next_attempt = 0 WHERE ord = 3", 3, ledger.ProblemChanged},
		{"UPDATE delivery_content SET raw = report WHERE ord = 3", 3, ledger.ProblemChanged},
		{"DELETE FROM delivery_content WHERE ord = 3; DELETE FROM delivery WHERE ord = 3", 3, ledger.ProblemRemoved},
		{"UPDATE resource_version SET json = NULL WHERE vid = 10", 3, ledger.ProblemChanged},
		{"UPDATE resource_version SET author = 'x' WHERE vid = 10", 3, ledger.ProblemChanged},
		{"DELETE FROM resource_version WHERE vid = 10", 3, ledger.ProblemRemoved},
		{"UPDATE resource SET vid = 9 WHERE rid = 10", 3, ledger.ProblemChanged},
		{"UPDATE resource SET deleted = 1 WHERE rid = 10", 3, ledger.ProblemChanged},
		{"UPDATE resource SET handover = 'x' WHERE rid = 10", 3, ledger.ProblemChanged},
		{"UPDATE event SET receiver = 'x' WHERE seq = 3", 3, ledger.ProblemChanged},
		{"UPDATE event SET chain_head = '' WHERE seq = 3", 3, ledger.ProblemChanged},
		{"DELETE FROM event WHERE seq = 3", 3, ledger.ProblemRemoved},
		{"DELETE FROM event WHERE seq = 5; UPDATE head SET event = 4", 5, ledger.ProblemRemoved},
		{"UPDATE audit SET person = 'x' WHERE id = 8", 3, ledger.ProblemChanged},
		{"UPDATE audit SET at = at + 1 WHERE id = 8", 3, ledger.ProblemChanged},
		{"DELETE FROM audit WHERE id = 8", 3, ledger.ProblemRemoved},
		{"INSERT INTO audit SELECT 99, entry, at, action, party, person, message, handover, delivery, resource, outcome, detail, correlation FROM audit WHERE id = 8", 3, ledger.ProblemChanged},
		{"INSERT INTO event SELECT 6, entry, handover, chain, kind, name, sender, receiver, state, actor, role, reason, attention, message, at, chain_head FROM event WHERE seq = 3; UPDATE head SET event = 6", 3, ledger.ProblemChanged},
	} {
		t.Run(strings.NewReplacer(" ", "_", "/", "_").Replace(test.sql[:min(60, len(test.sql))]), func(t *testing.T) {
			t.Parallel()
			s := h.Open(t)
			fill(t, s)
			h.Exec(t, s, test.sql)
			v := must1(s.Verify(ctx, nil))
			if v.Finding == nil {
				t.Fatalf("not found: %s", test.sql)
			}
			if v.Finding.Entry != test.entry || v.Finding.Problem != test.problem {
				t.Errorf("%s\ngot %+v, want %s at %d", test.sql, *v.Finding, test.problem, test.entry)
			}
		})
	}
}

// testCheckpoint: what the ledger itself cannot know, a checkpoint kept outside tells.
func testCheckpoint(t *testing.T, h Harness) {
	s := h.Open(t)
	c := fill(t, s)
	finding := func(c ledger.Checkpoint) *ledger.Finding {
		return must1(s.Verify(ctx, &c)).Finding
	}
	if f := finding(c); f != nil {
		t.Fatalf("the ledger's own checkpoint: %+v", *f)
	}
	must(t, s, Unit(6))
	if f := finding(c); f != nil {
		t.Fatalf("an older checkpoint: %+v", *f)
	}
	later := must1(s.Head(ctx))
	wrong := c
	wrong.Head = later.Head
	same(t, "rewritten", finding(wrong).Entry, int64(5))
	wrong = c
	wrong.Epoch = "other"
	same(t, "another ledger", finding(wrong).Problem, ledger.ProblemChanged)
	wrong = later
	wrong.Entry = 7
	same(t, "cut off", *finding(wrong), ledger.Finding{Entry: 7, Problem: ledger.ProblemCutOff, Detail: finding(wrong).Detail})
	wrong = later
	wrong.Event = 9
	same(t, "events cut off", finding(wrong).Problem, ledger.ProblemCutOff)

	// Everything of the last unit removed, and the head set back: consistent in itself.
	h.Exec(t, s, `DELETE FROM message_content WHERE pos = 6; DELETE FROM message WHERE pos = 6; DELETE FROM handover WHERE pos = 6;
		DELETE FROM delivery_content WHERE ord = 6; DELETE FROM delivery WHERE ord = 6; DELETE FROM event WHERE seq = 6;
		DELETE FROM audit WHERE id > 15; DELETE FROM resource_version WHERE vid > 20; DELETE FROM resource WHERE rid > 20; DELETE FROM entry WHERE n = 6;
		UPDATE head SET entry = 5, event = 5, digest = (SELECT digest FROM entry WHERE n = 5)`)
	if f := finding(c); f != nil {
		t.Fatalf("the test's tampering is not consistent: %+v", *f)
	}
	f := finding(later)
	if f == nil || f.Entry != 6 || f.Problem != ledger.ProblemCutOff {
		t.Errorf("cut off at the end: %+v", f)
	}
}

func testErase(t *testing.T, h Harness) {
	s := h.Open(t)
	fill(t, s)
	u := Unit(3)
	d := must1(s.Delivery(ctx, u.Deliveries[0].ID))
	by := func(e ledger.Erasure) ledger.Unit {
		e.Person, e.Reason = "kari", "pasientjournalloven"
		return ledger.Unit{Erase: []ledger.Erasure{e}}
	}
	refuses(t, s, ledger.ErrConflict, by(ledger.Erasure{Delivery: d.ID}))
	refuses(t, s, ledger.ErrConflict, ledger.Unit{Erase: []ledger.Erasure{{Message: u.Message.ID}}})
	refuses(t, s, ledger.ErrNotFound, by(ledger.Erasure{Type: "Task", ID: "none"}))
	d.State = ledger.DeliveryReceipted
	must(t, s, ledger.Unit{Deliveries: []ledger.Delivery{d}})
	r := u.Resources[0]
	must(t, s, by(ledger.Erasure{Message: u.Message.ID}), by(ledger.Erasure{Delivery: d.ID}), by(ledger.Erasure{Type: r.Type, ID: r.ID}))

	m := must1(s.Message(ctx, u.Message.ID))
	if m.Raw != nil || m.Answer != nil || m.Envelope != nil || m.Report != nil || m.Digest != u.Message.Digest {
		t.Error("the message's content is still there, or its digest is gone")
	}
	if d = must1(s.Delivery(ctx, d.ID)); d.Raw != nil || d.Report != nil {
		t.Error("the delivery's content is still there")
	}
	if res := must1(s.Resource(ctx, r.Type, r.ID)); res.JSON != nil || !res.Deleted {
		t.Error("the resource's content is still there")
	}
	found := must1(s.Search(ctx, search.Query{Type: r.Type, Count: 100, Clauses: []search.Clause{{Param: "identifier", Kind: search.KindToken, Values: []search.Value{{Value: "00000000003"}}}}}, ""))
	same(t, "search rows are gone", len(found.Resources), 0)
	audits := must1(s.AuditOf(ctx, ledger.AuditFilter{Message: u.Message.ID})).Items
	if last := audits[len(audits)-1]; last.Person != "kari" || last.Outcome != "erased" {
		t.Errorf("audit of the erasure: %+v", last)
	}
	same(t, "erased rows", whole(t, s).Erased, int64(3))
	m.Resolution, m.Answer = "noted", []byte("again")
	must(t, s, ledger.Unit{Messages: []ledger.MessageUpdate{{Message: m}}})
	same(t, "content stays gone", must1(s.Message(ctx, m.ID)).Answer, []byte(nil))
	whole(t, s)
	h.Exec(t, s, "UPDATE message_content SET raw = (SELECT raw FROM message_content c WHERE c.pos = 2) WHERE pos = 3")
	if must1(s.Verify(ctx, nil)).Finding == nil {
		t.Error("content put in the place of what was erased is not found")
	}
}
