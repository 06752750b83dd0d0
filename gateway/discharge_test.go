package gateway_test

import (
	"stafett/gateway/desk"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"stafett/adapters"
	"stafett/handover"
	"stafett/ledger"
)

func uuidOf(name string) string { return uuid.NewSHA1(uuid.NameSpaceOID, []byte(name)).String() }

func TestDischarge_WholePath(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1"}.String()))
	b.state(handover.StateAnnounced, sykehus)
	b.deliver()
	innlagt := b.ofType(kommune, "LOG_INNLAGT")
	if len(innlagt) != 1 {
		t.Fatalf("%d LOG_INNLAGT", len(innlagt))
	}
	b.must(b.kith(appRec(innlagt[0], "1")))
	b.state(handover.StateAnnounced, sykehus)

	b.must(b.hl7(adt{trigger: "A16", id: "M2", visit: "V1"}.String()))
	b.state(handover.StateRequested, sykehus)
	b.deliver()
	klar := b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")
	if len(klar) != 1 {
		t.Fatalf("%d LOG_UTSKRIVNINGSKLAR", len(klar))
	}
	b.must(b.kith(appRec(klar[0], "1")))
	b.state(handover.StateReceived, sykehus)

	// Free text moves nothing; a named person's reading does (invariant 3).
	b.must(b.kith(notat("n1", klar[0].ID, "Vi ser på saken og kommer tilbake.")))
	b.state(handover.StateReceived, sykehus)
	b.attention(handover.AttentionAnswerNeedsReading)
	_, err := b.g.RecordAnswer(t.Context(), asOperator, desk.Answer{Handover: b.handover().ID, Event: handover.EventDeferred,
		Day: time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	b.state(handover.StateDeferred, sykehus)
	b.deliver()
	mdm := b.ofType(sykehus, "MDM^T02")
	if len(mdm) == 0 || !strings.Contains(string(mdm[len(mdm)-1].Raw), "05.03.2026") {
		t.Fatalf("the hospital was not told of the day: %d messages", len(mdm))
	}

	b.must(b.kith(notat("n2", klar[0].ID, "SVAR=KAN_MOTTA;DATO=2026-03-04")))
	b.state(handover.StateAccepted, kommune)
	b.must(b.hl7(adt{trigger: "A03", id: "M3", visit: "V1"}.String()))
	b.state(handover.StateInProgress, kommune)
	b.deliver()
	utskrevet := b.ofType(kommune, "LOG_UTSKREVET")
	if len(utskrevet) != 1 {
		t.Fatalf("%d LOG_UTSKREVET", len(utskrevet))
	}
	b.receiptAll()
	sum := b.balanced()
	if sum.Parked+sum.Refused+sum.Moving != 0 {
		t.Fatalf("%+v", sum)
	}
}

// TestInvariant2_RepeatIsAnsweredAsTheFirstTime: same sender, id and digest.
func TestInvariant2_RepeatIsAnsweredAsTheFirstTime(t *testing.T) {
	b := newBench(t)
	first := b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	again := b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	if string(first.Bytes) != string(again.Bytes) {
		t.Fatalf("answers differ:\n%q\n%q", first.Bytes, again.Bytes)
	}
	b.deliver()
	if n := len(b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")); n != 1 {
		t.Fatalf("%d messages for one", n)
	}
	// The same id with other content is a message of its own.
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V2", fnr: "30095100186"}.String()))
	sum := b.balanced()
	if sum.Repeated != 1 || sum.Received != 3 {
		t.Fatalf("%+v", sum)
	}
}

func TestDischarge_WithoutAnswer(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	b.deliver()
	klar := b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[0]
	b.must(b.kith(appRec(klar, "1")))
	b.must(b.hl7(adt{trigger: "A03", id: "M2", visit: "V1"}.String()))
	b.state(handover.StateReceived, sykehus)
	if b.handover().Facts.DischargedAt.IsZero() {
		t.Fatal("the fact is not recorded")
	}
	if a := b.attention(handover.AttentionDischargedUnaccepted); len(a.Parties) != 2 {
		t.Fatalf("attention at %v", a.Parties)
	}
	b.deliver()
	if len(b.ofType(kommune, "DIALOG_HELSEFAGLIG")) == 0 || len(b.ofType(sykehus, "MDM^T02")) == 0 {
		t.Fatal("attention was not delivered to both")
	}
	b.must(b.kith(notat("n1", klar.ID, "SVAR=KAN_MOTTA;DATO=2026-03-02")))
	b.state(handover.StateInProgress, kommune)
	b.balanced()
}

func TestDischarge_Cancellations(t *testing.T) {
	tests := []struct {
		name     string
		triggers []string
		accept   bool
		last     string
		want     handover.State
		custody  handover.PartyID
		sent     string
	}{
		{"admission cancelled", []string{"A01"}, false, "A11", handover.StateVoided, sykehus, "LOG_INNLAGT"},
		{"pending discharge cancelled", []string{"A01", "A16"}, false, "A25", handover.StateAnnounced, sykehus, "LOG_AVMELDING"},
		{"discharge cancelled", []string{"A01", "A16", "A03"}, true, "A13", handover.StateAccepted, kommune, "LOG_UTSKREVET"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			for _, trigger := range tt.triggers {
				b.must(b.hl7(adt{trigger: trigger, id: "M" + trigger, visit: "V1"}.String()))
				b.deliver()
				if trigger == "A16" && tt.accept {
					b.must(b.kith(notat("n1", b.ofType(kommune, "LOG_UTSKRIVNINGSKLAR")[0].ID, "SVAR=KAN_MOTTA;DATO=2026-03-02")))
				}
			}
			before := len(b.ofType(kommune, tt.sent))
			b.must(b.hl7(adt{trigger: tt.last, id: "M" + tt.last, visit: "V1"}.String()))
			b.deliver()
			b.state(tt.want, tt.custody)
			if n := len(b.ofType(kommune, tt.sent)); n != before+1 {
				t.Fatalf("%d %s, want %d", n, tt.sent, before+1)
			}
			b.balanced()
		})
	}
}

// TestCancellation_BeforeItsOriginal_Waits: out of order is normal.
func TestCancellation_BeforeItsOriginal_Waits(t *testing.T) {
	b := newBench(t)
	a := b.must(b.hl7(adt{trigger: "A11", id: "M2", visit: "V1"}.String()))
	if m := b.message(a.Message); m.Disposition != ledger.DispositionMoving {
		t.Fatalf("the cancellation is %s", m.Disposition)
	}
	b.balanced()
	b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1"}.String()))
	b.state(handover.StateVoided, sykehus)
	if m := b.message(a.Message); m.Disposition != ledger.DispositionApplied {
		t.Fatalf("the cancellation is %s: %s", m.Disposition, m.Detail)
	}
	b.balanced()
}

func TestCancellation_WithoutItsOriginal_IsParked(t *testing.T) {
	b := newBench(t)
	a := b.must(b.hl7(adt{trigger: "A11", id: "M2", visit: "V1"}.String()))
	for range 97 {
		b.pass(time.Hour)
		b.watch()
	}
	m := b.message(a.Message)
	if m.Disposition != ledger.DispositionParked || m.Contact == "" || m.Deadline.IsZero() {
		t.Fatalf("%s, contact %q", m.Disposition, m.Contact)
	}
	b.balanced()
}

func TestFeed_IsNoHandover(t *testing.T) {
	b := newBench(t)
	for _, trigger := range []string{"A01", "A16", "A03", "A11"} {
		b.must(b.hl7(adt{trigger: trigger, id: "M" + trigger, visit: "V1", noNeed: true}.String()))
	}
	hs, err := b.store.Handovers(t.Context(), ledger.HandoverFilter{})
	if err != nil || hs.Total != 0 {
		t.Fatalf("%d handovers, %v", hs.Total, err)
	}
	if sum := b.balanced(); sum.Applied != 4 {
		t.Fatalf("%+v", sum)
	}
}

func TestBadInput(t *testing.T) {
	good := adt{trigger: "A16", id: "M1", visit: "V1"}
	tests := []struct {
		name    string
		send    func(b *bench) adapters.Answer
		outcome adapters.Outcome
		want    ledger.Disposition
		reason  handover.FaultKind
		appRecs int
	}{
		{"no patient id", func(b *bench) adapters.Answer {
			return b.hl7(strings.Replace(good.String(), "PID|1||"+solveig+"^^^FNR^FNR||MYRVANG^SOLVEIG^TESTDATTER||19480312|F", "PID|1||||||", 1))
		}, adapters.OutcomeRefused, ledger.DispositionRefused, handover.FaultPatientUnidentified, 0},
		{"another party's facility", func(b *bench) adapters.Answer {
			return b.hl7(strings.Replace(good.String(), "|FJELLHEIM|", "|ELSEWHERE|", 1))
		}, adapters.OutcomeRefused, ledger.DispositionRefused, handover.FaultSenderUnknown, 0},
		{"no route", func(b *bench) adapters.Answer {
			return b.hl7(adt{trigger: "A16", id: "M1", visit: "V1", kommunenummer: "9999"}.String())
		},
			adapters.OutcomeStored, ledger.DispositionParked, handover.FaultNoRoute, 0},
		{"receiver that is not served", func(b *bench) adapters.Answer {
			return b.hl7(strings.Replace(good.String(), "|STAFETT||", "|STAFETT|NOWHERE|", 1))
		}, adapters.OutcomeStored, ledger.DispositionParked, handover.FaultReceiverUnknown, 0},
		{"unsupported trigger", func(b *bench) adapters.Answer { return b.hl7(strings.ReplaceAll(good.String(), "A16", "A24")) },
			adapters.OutcomeRefused, ledger.DispositionRefused, handover.FaultUnsupported, 0},
		{"truncated XML", func(b *bench) adapters.Answer { return b.kith(notat("n1", uuidOf("x"), "tekst")[:900]) },
			adapters.OutcomeRefused, ledger.DispositionRefused, handover.FaultMalformed, 1},
		{"message id is no UUID", func(b *bench) adapters.Answer {
			return b.kith(strings.Replace(notat("n1", uuidOf("x"), "tekst"), uuidOf("n1"), "12", 1))
		}, adapters.OutcomeRefused, ledger.DispositionRefused, handover.FaultBadMessageID, 1},
		{"answer to nothing known", func(b *bench) adapters.Answer { return b.kith(notat("n1", uuidOf("x"), "tekst")) },
			adapters.OutcomeStored, ledger.DispositionParked, handover.FaultAmbiguous, 0},
		{"organisation that is not served", func(b *bench) adapters.Answer {
			return b.kith(strings.Replace(notat("n1", uuidOf("x"), "tekst"), "<Id>80001</Id>", "<Id>89999</Id>", 1))
		}, adapters.OutcomeStored, ledger.DispositionParked, handover.FaultReceiverUnknown, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			a := tt.send(b)
			if a.Outcome != tt.outcome {
				t.Fatalf("answer %s (%v) %q, want %s", a.Outcome, a.Fault, a.Bytes, tt.outcome)
			}
			m := b.message(a.Message)
			if m.Disposition != tt.want || m.Reason != tt.reason || len(m.Raw) == 0 {
				t.Fatalf("%s for %s (%s), want %s for %s", m.Disposition, m.Reason, m.Detail, tt.want, tt.reason)
			}
			b.deliver()
			if n := len(b.ofType(kommune, "APPREC")); n != tt.appRecs {
				t.Fatalf("%d negative receipts, want %d", n, tt.appRecs)
			}
			b.balanced()
		})
	}
}
