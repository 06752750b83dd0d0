package gateway_test

import (
	"strings"
	"testing"

	"stafett/adapters"
	"stafett/handover"
	"stafett/ledger"
)

var feedTriggers = []string{"A02", "A08", "A12", "A21", "A22", "A28", "A29", "A31", "A34", "A40", "A47", "A52", "A53", "A60"}

// A feed tells of every patient: what begins no handover is taken, and used for none.
func TestFeed_WithoutAHandoverIsApplied(t *testing.T) {
	b := newBench(t)
	for _, trigger := range feedTriggers {
		m := b.message(b.must(b.hl7(adt{trigger: trigger, id: "F" + trigger, visit: "V1"}.String())).Message)
		if m.Disposition != ledger.DispositionApplied || m.Handover != "" {
			t.Errorf("%s: %s %s", trigger, m.Disposition, m.Detail)
		}
	}
	b.deliver()
	if n := len(b.out.to(kommune)); n != 0 {
		t.Errorf("the municipality was told %d times of what is not a handover", n)
	}
	b.balanced()
}

// With a handover they are what follows in it, and nothing that a sender must hear of.
func TestFeed_FollowsInAHandover(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1"}.String()))
	h := b.handover().ID
	for _, trigger := range []string{"A02", "A08", "A21", "A22", "A40"} {
		m := b.message(b.must(b.hl7(adt{trigger: trigger, id: "F" + trigger, visit: "V1"}.String())).Message)
		if m.Disposition == ledger.DispositionRefused || m.Handover != h {
			t.Errorf("%s: %s %s on %q", trigger, m.Disposition, m.Detail, m.Handover)
		}
	}
	b.balanced()
}

func TestFeed_RefusedWhereThePartyAsksForIt(t *testing.T) {
	b := newBench(t, func(b *bench) {
		b.edit = strings.NewReplacer("    facilities: [FJELLHEIM]", "    facilities: [FJELLHEIM]\n    hl7: {refuseFeed: true}")
	})
	if a := b.hl7(adt{trigger: "A08", id: "F1", visit: "V1"}.String()); a.Outcome != adapters.OutcomeRefused || !strings.Contains(string(a.Bytes), "MSA|AR") {
		t.Errorf("%s %q", a.Outcome, a.Bytes)
	}
	b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1"}.String()))
	b.balanced()
}

// A sender's settings: its character set, and where its stays are numbered.
func TestHL7Settings_OfTheSender(t *testing.T) {
	b := newBench(t, func(b *bench) {
		b.edit = strings.NewReplacer("    facilities: [FJELLHEIM]", "    facilities: [FJELLHEIM]\n    hl7: {charset: ISO-8859-1, stayNumber: [PV1-50]}")
	})
	raw := strings.Replace(adt{trigger: "A01", id: "M1"}.String(), "UNICODE UTF-8", "", 1)
	raw = strings.Replace(raw, "MYRVANG^SOLVEIG", "S\xd8RBY^SOLVEIG", 1)
	raw = strings.Replace(raw, "20260225101500|", "20260225101500||||||S-77", 1)
	b.must(b.hl7(raw))
	b.state(handover.StateAnnounced, sykehus)
	b.deliver()
	if told := b.ofType(kommune, "LOG_INNLAGT"); len(told) != 1 || !strings.Contains(string(told[0].Raw), "<FamilyName>SØRBY<") {
		t.Errorf("told %d times", len(told))
	}
	b.must(b.hl7(strings.NewReplacer("A01", "A16", "|M1|", "|M2|").Replace(raw)))
	b.state(handover.StateRequested, sykehus)
}

// Invariant 9: a message about two patients discloses neither to the other's receiver.
func TestInvariant9_SecondPatientInAMessage(t *testing.T) {
	b := newBench(t)
	a := b.hl7(adt{trigger: "A01", id: "M1", visit: "V1", extra: "PID|2||12894800264^^^FNR^FNR||ANNEN^PERSON||19480912|M\r"}.String())
	if a.Outcome != adapters.OutcomeRefused || !strings.Contains(string(a.Bytes), "MSA|AE|M1") || !strings.Contains(string(a.Bytes), "|100^") {
		t.Fatalf("%s %q", a.Outcome, a.Bytes)
	}
	b.deliver()
	if n := len(b.out.to(kommune)); n != 0 {
		t.Errorf("told %d times", n)
	}
	b.balanced()
}

// A time that decides and cannot be read is replaced by no other: a person asks for it. In a
// feed nobody does.
func TestUnreadableTime_IsParkedWhereItDecides(t *testing.T) {
	b := newBench(t)
	unreadable := func(m adt) string { return strings.Replace(m.String(), "20260225101500", "20260225101500Z", 1) }
	m := b.message(b.must(b.hl7(unreadable(adt{trigger: "A01", id: "M1", visit: "V1"}))).Message)
	if m.Disposition != ledger.DispositionParked || !strings.Contains(m.Detail, "PV1-44") {
		t.Errorf("%s %s", m.Disposition, m.Detail)
	}
	m = b.message(b.must(b.hl7(unreadable(adt{trigger: "A01", id: "M2", visit: "V2", noNeed: true}))).Message)
	if m.Disposition != ledger.DispositionApplied {
		t.Errorf("of a feed: %s %s", m.Disposition, m.Detail)
	}
	b.deliver()
	if n := len(b.out.to(kommune)); n != 0 {
		t.Errorf("told %d times", n)
	}
	a := b.hl7(strings.Replace(adt{trigger: "A01", id: "M3", visit: "V3"}.String(), "EVN||20260302095500|||HJEL01|20260302093000", "EVN|", 1))
	if a.Outcome != adapters.OutcomeRefused || !strings.Contains(string(a.Bytes), "|101^") {
		t.Errorf("without the time of its event: %s %q", a.Outcome, a.Bytes)
	}
	b.balanced()
}

// A death ends the handover, with its time or without, said by PID-30, PID-29 or PV1-36.
func TestDeath_WithAndWithoutATime(t *testing.T) {
	for name, edit := range map[string]*strings.Replacer{
		"PID-30": strings.NewReplacer("||^PRN^PH^^^^70000000", "||^PRN^PH^^^^70000000"+strings.Repeat("|", 17)+"Y"),
		"PID-29": strings.NewReplacer("||^PRN^PH^^^^70000000", "||^PRN^PH^^^^70000000"+strings.Repeat("|", 16)+"20260302090000|Y"),
		"PV1-36": strings.NewReplacer("|V1|||||||||||||||||1|", "|V1|||||||||||||||||20|"),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1"}.String()))
			b.must(b.hl7(edit.Replace(adt{trigger: "A03", id: "M2", visit: "V1"}.String())))
			if h := b.handover(); h.State != handover.StateWithdrawn || h.Next.None != handover.NoneDied {
				t.Errorf("%s, %s", h.State, h.Next.None)
			}
			b.deliver()
			if told := b.ofType(kommune, "LOG_UTSKREVET"); len(told) != 1 || !strings.Contains(string(told[0].Raw), `<Uttilstand V="2"`) {
				t.Errorf("told %d times that the patient left, dead", len(told))
			}
			b.balanced()
		})
	}
}

// Invariant 2: what a wire did not take whole is a refused message of who called.
func TestInvariant2_BrokenMessageIsRefusedAndCounted(t *testing.T) {
	b := newBench(t)
	broken := &handover.Fault{Kind: handover.FaultTooLarge, Text: "the message has more bytes than are taken: 21000000"}
	for _, raw := range []string{adt{trigger: "A01", id: "M1", visit: "V1"}.String()[:120], "no header at all"} {
		a := b.g.Take(t.Context(), adapters.Inbound{Wire: handover.WireHL7v2, Caller: sykehus, Raw: []byte(raw), Correlation: "c", Broken: broken})
		if a.Outcome != adapters.OutcomeRefused || !strings.Contains(string(a.Bytes), "MSA|AR") {
			t.Fatalf("%s %q", a.Outcome, a.Bytes)
		}
		m := b.message(a.Message)
		if m.Disposition != ledger.DispositionRefused || m.Caller != sykehus || m.Reason != handover.FaultTooLarge || !strings.Contains(m.Detail, "21000000") {
			t.Errorf("%s %s %s by %s", m.Disposition, m.Reason, m.Detail, m.Caller)
		}
	}
	if sum := b.balanced(); sum.Received != 2 || sum.Refused != 2 {
		t.Errorf("the balance is %+v", sum)
	}
}

// A message that says tens of thousands of things is refused before they are stored, and counted.
func TestCrowdedMessage_IsRefusedAndCounted(t *testing.T) {
	b := newBench(t)
	crowd := func(id string, n int, segment string) string {
		return adt{trigger: "A01", id: id, visit: id, extra: strings.Repeat(segment, n)}.String()
	}
	for id, raw := range map[string]string{
		"M1": crowd("M1", 32_000, "OBX|2|NM|8867-4^P^LN||72\r"),
		"M2": crowd("M2", 3000, "OBX|2|NM|8867-4^P^LN||72\r"),
		"M3": strings.Replace(crowd("M3", 0, ""), "MYRVANG^", strings.Repeat("ALIAS^~", 20_000)+"MYRVANG^", 1),
	} {
		a := b.hl7(raw)
		if a.Outcome != adapters.OutcomeRefused || b.message(a.Message).Reason != handover.FaultTooLarge {
			t.Errorf("%s: %s, %v", id, a.Outcome, a.Fault)
		}
	}
	b.must(b.hl7(crowd("M4", 300, "OBX|2|NM|8867-4^P^LN||72\r")))
	b.balanced()
}

// Two records of one person: the handover is found by either number, and where both have
// chains a person must put them together.
func TestMerge_FindsTheHandoverByEitherNumber(t *testing.T) {
	const other = "52834840170"
	merge := func(id string) string {
		return adt{trigger: "A40", id: id, extra: "MRG|" + other + "^^^DNR^DNR\r"}.String()
	}
	b := newBench(t)
	b.must(b.hl7(strings.Replace(adt{trigger: "A01", id: "M1", visit: "V1", fnr: other}.String(), "^^^FNR^FNR", "^^^DNR^DNR", 1)))
	h := b.handover().ID
	if m := b.message(b.must(b.hl7(merge("M2"))).Message); m.Handover != h || len(b.handover().Attentions) != 0 {
		t.Errorf("found by the number before: %q, %+v", m.Handover, b.handover().Attentions)
	}
	// What follows with the number that stays, and no stay number, finds it too.
	if m := b.message(b.must(b.hl7(strings.Replace(adt{trigger: "A31", id: "M3"}.String(), "20260225101500", "", 1))).Message); m.Handover != h {
		t.Errorf("found by the number that stays: %s %s", m.Disposition, m.Detail)
	}
	b.balanced()

	b = newBench(t)
	b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1", fnr: other}.String()))
	b.must(b.hl7(adt{trigger: "A01", id: "M2", visit: "V2"}.String()))
	b.must(b.hl7(merge("M3")))
	hs, err := b.store.Handovers(t.Context(), ledger.HandoverFilter{})
	if err != nil {
		t.Fatal(err)
	}
	meeting := 0
	for _, h := range hs.Items {
		for _, a := range h.Attentions {
			if a.Reason == handover.AttentionChainsMeet {
				meeting++
			}
		}
	}
	if len(hs.Items) != 2 || meeting != 1 {
		t.Errorf("%d handovers, %d of them meet another chain", len(hs.Items), meeting)
	}
	b.balanced()
}

// A merge that tells of a protected address waits for a person, like any other message of the
// stay: its receiver is told nothing.
func TestInvariant9_MergeThatProtects(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1"}.String()))
	b.deliver()
	before := len(b.ofType(kommune, "DIALOG_HELSEFAGLIG"))
	merge := adt{trigger: "A40", id: "M2", extra: "MRG|52834840170^^^DNR^DNR\r"}.String()
	m := b.message(b.must(b.hl7(strings.Replace(merge, "PD1||||||||||||N", "PD1||||||||||||Y", 1))).Message)
	if m.Disposition != ledger.DispositionParked {
		t.Errorf("the merge is %s: %s", m.Disposition, m.Detail)
	}
	b.deliver()
	if after := len(b.ofType(kommune, "DIALOG_HELSEFAGLIG")); after != before {
		t.Errorf("the municipality was told %d texts before, and now %d", before, after)
	}
	b.balanced()
}

// A fact that the policy decides on and that says neither yes nor no is a person's to read;
// deleted, or of another system, it is none.
func TestPolicyFact_ThatCannotBeReadIsParked(t *testing.T) {
	fact := func(id, code, value, status string) string {
		return adt{trigger: "A01", id: id, visit: id, noNeed: true,
			extra: "OBX|1|CE|" + code + "||" + value + "||||||" + status + "\r"}.String()
	}
	b := newBench(t)
	for _, c := range []struct {
		raw  string
		want ledger.Disposition
	}{
		{fact("M1", "KOMTJ^Mottar^99STAFETT", "Y^Yes", "F"), ledger.DispositionParked},
		{fact("M2", "KOMBEHOV^Behov^99STAFETT", "ukjent", "F"), ledger.DispositionParked},
		{fact("M3", "KOMTJ^Mottar^99STAFETT", "J^Ja", "D"), ledger.DispositionApplied},
		{fact("M4", "KOMTJ^Noe^99ANNET", "J^Ja", "F"), ledger.DispositionApplied},
		{fact("M5", "KOMTJ^Mottar^99STAFETT", "N^Nei", "F"), ledger.DispositionApplied},
	} {
		m := b.message(b.must(b.hl7(c.raw)).Message)
		if m.Disposition != c.want || m.Handover != "" {
			t.Errorf("%s: %s %s", m.ExternalID, m.Disposition, m.Detail)
		}
	}
	b.balanced()
}

// A leave tells whether the patient is away or back.
func TestLeave_TellsWhetherThePatientIsAway(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String()))
	for _, c := range []struct{ trigger, says string }{
		{"A21", "har permisjon."}, {"A22", "er tilbake fra permisjon."}, {"A53", "har permisjon."}, {"A52", "er tilbake fra permisjon."},
	} {
		b.must(b.hl7(adt{trigger: c.trigger, id: c.trigger, visit: "V1"}.String()))
		b.deliver()
		told := b.ofType(kommune, "DIALOG_HELSEFAGLIG")
		if len(told) == 0 || !strings.Contains(string(told[len(told)-1].Raw), c.says) {
			t.Errorf("%s: the municipality is not told that the patient %s", c.trigger, c.says)
		}
	}
	b.balanced()
}

// A merge that gives a first national number to a patient who was told under the hospital's own
// is told at once.
func TestMerge_FirstNationalNumberIsTold(t *testing.T) {
	for name, prior := range map[string]string{"an H-number": "H123456^^^FJELLHEIM^HNR", "the hospital's own": "77001^^^FJELLHEIM^PI"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			before := func(a adt) string {
				return strings.Replace(a.String(), solveig+"^^^FNR^FNR", prior, 1)
			}
			b.must(b.hl7(before(adt{trigger: "A01", id: "M1", visit: "V1"})))
			b.must(b.hl7(before(adt{trigger: "A16", id: "M2", visit: "V1"})))
			b.receiptAll()
			told := len(b.out.to(kommune))
			merge := strings.Replace(adt{trigger: "A40", id: "M3", extra: "MRG|" + prior + "\r"}.String(), "|V1|", "||", 1)
			a := b.must(b.hl7(merge))
			b.deliver()
			if m := b.message(a.Message); m.Handover == "" {
				t.Fatalf("%s: %s", m.Disposition, m.Detail)
			}
			sent := b.out.to(kommune)
			if len(sent) == told || !strings.Contains(string(sent[len(sent)-1].Raw), "Fødselsnummer: "+solveig+" (nytt)") {
				t.Errorf("told %d more, and not the number", len(sent)-told)
			}
			b.balanced()
		})
	}
}

// A merge names the number that goes by its digits alone: it is of those that stay.
func TestMerge_PriorNumberWithoutAuthority(t *testing.T) {
	b := newBench(t)
	own := func(a adt, number string) string {
		return strings.Replace(a.String(), solveig+"^^^FNR^FNR", number+"^^^FJELLHEIM^PI", 1)
	}
	b.must(b.hl7(own(adt{trigger: "A01", id: "M1", visit: "V1"}, "77001")))
	a := b.must(b.hl7(strings.Replace(own(adt{trigger: "A40", id: "M2", extra: "MRG|77001\r"}, "77002"), "|V1|", "||", 1)))
	if m := b.message(a.Message); m.Handover == "" {
		t.Errorf("%s: %s", m.Disposition, m.Detail)
	}
	b.balanced()
}

// A number of no authority names nobody beyond its stay: two facilities give it to two people.
func TestInvariant9_LocalNumberOfNoAuthority(t *testing.T) {
	b := newBench(t)
	const bare = "77001^^^^PI"
	own := func(a adt) string { return strings.Replace(a.String(), solveig+"^^^FNR^FNR", bare, 1) }
	b.must(b.hl7(own(adt{trigger: "A16", id: "M1", visit: "V1"})))
	b.receiptAll()
	told := len(b.out.to(kommune))
	other := strings.NewReplacer("MYRVANG^SOLVEIG^TESTDATTER||19480312|F", "ANNEN^PER||19710203|M", "|V1|", "||", "20260225101500", "")
	for i, trigger := range []string{"A08", "A03"} {
		b.must(b.hl7(other.Replace(own(adt{trigger: trigger, id: []string{"M2", "M3"}[i], visit: "V1"}))))
	}
	b.deliver()
	if n := len(b.out.to(kommune)) - told; n != 0 {
		t.Errorf("a stranger's messages told the municipality %d times", n)
	}
	b.state(handover.StateReceived, sykehus)
	b.balanced()
}

// A message with the time of admission and no number of the stay is about the patient's only one.
func TestFeed_TimeOfAdmissionIsNoNumber(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A01", id: "M1", visit: "V1"}.String()))
	b.receiptAll()
	b.must(b.hl7(strings.NewReplacer("|V1|", "||", "MYRVANG^", "MYRVANG-LUND^").Replace(adt{trigger: "A08", id: "M2", visit: "V1"}.String())))
	b.deliver()
	texts := b.ofType(kommune, "DIALOG_HELSEFAGLIG")
	if len(texts) == 0 || !strings.Contains(string(texts[len(texts)-1].Raw), "MYRVANG-LUND (tidligere MYRVANG)") {
		t.Errorf("%d texts", len(texts))
	}
	b.balanced()
}

// Whose record was the wrong one is told anew of all that holds.
func TestInvariant9_CorrectedNumberIsToldAllThatHolds(t *testing.T) {
	b := newBench(t)
	b.must(b.hl7(adt{trigger: "A16", id: "M1", visit: "V1"}.String() + infection("positiv")))
	b.receiptAll()
	b.must(b.hl7(adt{trigger: "A08", id: "M2", visit: "V1", fnr: "12834800126"}.String()))
	b.deliver()
	texts := b.ofType(kommune, "DIALOG_HELSEFAGLIG")
	if len(texts) == 0 || !strings.Contains(string(texts[len(texts)-1].Raw), "Observasjon MRSA, Resultat: positiv (nytt)") {
		t.Errorf("the right record is not told of the infection, in %d texts", len(texts))
	}
	b.balanced()
}
