package gateway_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"stafett/adapters"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/language"
)

// TestRefused_IsJudgedAnew: a refusal is no first answer for those bytes.
func TestRefused_IsJudgedAnew(t *testing.T) {
	b := newBench(t, func(b *bench) {
		b.edit = strings.NewReplacer("facilities: [FJELLHEIM]", "facilities: [FJELLHEIM2]")
	})
	raw := adt{trigger: "A01", id: "M1", visit: "V1"}.String()
	for range 2 {
		if a := b.hl7(raw); a.Outcome != adapters.OutcomeRefused {
			t.Fatalf("%s", a.Outcome)
		}
	}
	b.balanced()
	b.close()
	b.edit = nil
	b.open()
	a := b.must(b.hl7(raw))
	if m := b.message(a.Message); m.Disposition != ledger.DispositionApplied {
		t.Fatalf("%s for %s", m.Disposition, m.Reason)
	}
	b.state(handover.StateAnnounced, sykehus)
	if a := b.must(b.hl7(raw)); a.Message == "" {
		t.Error("the repeat is not answered as the first time")
	}
	if sum := b.balanced(); sum.Repeated != 1 {
		t.Errorf("%+v", sum)
	}
}

// TestRefused_ByAReceiptIsFinal: what a negative AppRec told is told once; another message is
// its sender's to make.
func TestRefused_ByAReceiptIsFinal(t *testing.T) {
	b, klar := ready(t)
	bad := strings.Replace(notat("n1", klar.ID, yes), "<GenDate>2026-03-02T11:00:00<", "<GenDate>2026-03-02<", 1)
	first := b.kith(bad)
	again := b.kith(bad)
	if again.Outcome != adapters.OutcomeRefused || again.Message != first.Message {
		t.Fatalf("%s: %v", again.Outcome, again.Fault)
	}
	if n := len(b.receipts(kommune)); n != 1 {
		t.Errorf("%d receipts", n)
	}
	if sum := b.balanced(); sum.Refused != 1 || sum.Repeated != 1 {
		t.Errorf("%+v", sum)
	}
}

// withMistake is a gateway whose own mapping makes what is no valid resource.
func withMistake(t *testing.T) func(*bench) {
	fsys := fstest.MapFS{}
	err := fs.WalkDir(os.DirFS("../mappings"), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".map") {
			return err
		}
		data, err := os.ReadFile(filepath.Join("../mappings", path))
		data = bytes.Replace(data, []byte("PID-7 = patient.birthDate : tsdate"), []byte("PID-7 = patient.birthDate : tsdate\nfhir patient.link[0].type = \"seealso\""), 1)
		fsys[path] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	set, err := language.Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return func(b *bench) { b.mappings = set }
}

// TestOwnFault_IsParkedWithTheOperator: what our mapping made wrong is never told to the sender
// as the sender's, and is taken again when it is mended.
func TestOwnFault_IsParkedWithTheOperator(t *testing.T) {
	b := newBench(t, withMistake(t), func(b *bench) { b.operator = kommune })
	a := b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1"}.String()))
	m := b.message(a.Message)
	if m.Disposition != ledger.DispositionParked || m.Reason != handover.FaultInvalid || !strings.HasPrefix(m.Contact, string(kommune)+"/") {
		t.Fatalf("%s for %s, contact %q", m.Disposition, m.Reason, m.Contact)
	}
	b.pass(2 * time.Hour)
	b.watch()
	b.deliver()
	if len(b.out.to(sykehus)) != 0 || b.leaks(kommune, solveig, "Myrvang") {
		t.Error("the sender was told of our fault, or the operator of the patient")
	}
	b.close()
	b.mappings = nil
	b.open()
	m, err := b.g.Reprocess(t.Context(), asOperator, a.Message)
	if err != nil || m.Disposition != ledger.DispositionApplied {
		t.Fatalf("%s, %v", m.Disposition, err)
	}
	b.balanced()
}

// TestCancellation_AuditsItsBeginningAndItsEnd: not each try between.
func TestCancellation_AuditsItsBeginningAndItsEnd(t *testing.T) {
	for name, arrives := range map[string]bool{"its original comes": true, "it never comes": false} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			a := b.must(b.hl7(adt{trigger: "A11", id: "M2", visit: "V1"}.String()))
			want := "received waiting, parked ambiguous"
			for i := range 96 * 4 {
				b.pass(15 * time.Minute)
				b.watch()
				if arrives && i == 40 {
					b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1"}.String()))
					want = "received waiting, received voided"
				}
				if m := b.message(a.Message); m.Disposition == ledger.DispositionMoving && m.Deadline.Before(b.now()) {
					t.Fatal("its deadline is past")
				}
			}
			var outcomes []string
			lines, err := b.store.AuditOf(t.Context(), ledger.AuditFilter{Message: a.Message})
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range lines.Items {
				outcomes = append(outcomes, string(l.Action)+" "+l.Outcome)
			}
			if got := strings.Join(outcomes, ", "); got != want {
				t.Errorf("%s, want %s", got, want)
			}
			b.balanced()
		})
	}
}
