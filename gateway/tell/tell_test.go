package tell_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"stafett/adapters"
	"stafett/adapters/fhirbundle"
	"stafett/adapters/hl7v2"
	"stafett/adapters/kith"
	"stafett/directory"
	"stafett/fhir"
	"stafett/gateway/act"
	"stafett/gateway/tell"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings"
	"stafett/mappings/account"
)

const (
	hospital     handover.PartyID = "fjellheim-sykehus"
	municipality handover.PartyID = "dalvik-kommune"
	institution  handover.PartyID = "solbakken-rehabilitering"
	another      handover.PartyID = "fjordgloett-rehabilitering"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// promised is 4 March in Norway, and still the third in UTC.
var promised = time.Date(2026, 3, 3, 23, 0, 0, 0, time.UTC)

// room is a teller with real codecs, mappings and parties over a snapshot without a store.
type room struct {
	t *testing.T
	tell.Teller
	s *act.Snapshot
}

func newRoom(t *testing.T, edit ...string) *room {
	t.Helper()
	text, err := os.ReadFile("../testdata/directory.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := directory.Parse("directory.yaml", []byte(strings.NewReplacer(edit...).Replace(string(text))), &hl7v2.Codec{}, kith.Codec{}, fhirbundle.Wire{})
	if err != nil {
		t.Fatal(err)
	}
	set, err := mappings.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	rules := map[handover.Wire]adapters.Rules{handover.WireHL7v2: &hl7v2.Codec{}, handover.WireKITH: kith.Codec{}, handover.WireFHIR: fhirbundle.Wire{}}
	n := 0
	return &room{t, tell.Teller{Mappings: set, Rules: rules, Self: account.Address{HER: "80009", Name: "Stafett"}},
		&act.Snapshot{Now: noon, Settings: act.Settings{Directory: dir, Policy: handover.DefaultPolicy(), Operator: hospital,
			Wires: func(k handover.Kind) []handover.Wire { return adapters.ByRank(rules, k) },
			Fast:  func(w handover.Wire) bool { return rules[w] != nil && rules[w].FastReceipt() },
			Fresh: func() string { n++; return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }}}}
}

// store puts a resource into the record, for the eyes of some.
func (r *room) store(n *fhir.Node, visible ...handover.PartyID) {
	r.s.Resources.Put(ledger.ResourceKey{Type: n.ResourceType(), ID: n.ID()},
		ledger.Resource{Type: n.ResourceType(), ID: n.ID(), Version: 1, JSON: n.JSON(), Visible: visible}, true)
}

// made is the delivery of one telling. What the snapshot does not hold is not there.
func (r *room) made(telling act.Telling) ledger.Delivery {
	r.t.Helper()
	for range 5 {
		p := &act.Plan{Tellings: []act.Telling{telling}}
		r.AddDeliveries(r.s, p)
		err := r.s.Settle()
		if r.s.Complete() {
			if err != nil || len(p.Unit.Deliveries) != 1 {
				r.t.Fatalf("%d deliveries, %v", len(p.Unit.Deliveries), err)
			}
			return p.Unit.Deliveries[0]
		}
		for _, key := range r.s.Resources.Take() {
			r.s.Resources.Put(key, ledger.Resource{}, false)
		}
		for _, id := range r.s.Sent.Take() {
			r.s.Sent.Put(id, nil, false)
		}
		for _, id := range r.s.Handovers.Take() {
			r.s.Handovers.Put(id, handover.Handover{}, false)
		}
	}
	r.t.Fatal("the telling is never satisfied")
	return ledger.Delivery{}
}

func stay() handover.Handover {
	return handover.Handover{ID: "h1", Chain: "c1", Kind: handover.KindDischarge, State: handover.StateRequested, Sender: hospital, Receiver: municipality,
		Custodian: hospital, Since: noon}
}

func referral() handover.Handover {
	h := stay()
	h.Kind, h.Sender, h.Receiver, h.Custodian = handover.KindReferral, municipality, institution, municipality
	return h
}

func taskNode() *fhir.Node {
	return fhir.Obj("resourceType", "Task", "id", "h1", "status", "requested", "intent", "order", "authoredOn", "2026-03-02T10:00:00+01:00",
		"restriction", fhir.Obj("period", fhir.Obj("start", "2026-03-02", "end", "2026-03-03")),
		"for", fhir.Obj("reference", "Patient/p"), "encounter", fhir.Obj("reference", "Encounter/e"), "focus", fhir.Obj("reference", "ServiceRequest/q"))
}

// stored puts the resources of a handover into the record.
func (r *room) stored(h handover.Handover) {
	both := []handover.PartyID{h.Sender, h.Receiver}
	r.store(fhir.Obj("resourceType", "Patient", "id", "p", "identifier", []*fhir.Node{fhir.Identifier(fhir.SystemFNR, "12034800241")},
		"name", []*fhir.Node{fhir.Obj("family", "Myrvang", "given", []*fhir.Node{fhir.Str("Solveig")})}, "gender", "female", "birthDate", "1948-03-12"), both...)
	r.store(fhir.Obj("resourceType", "Encounter", "id", "e", "status", "in-progress", "class", fhir.Coding("http://terminology.hl7.org/CodeSystem/v3-ActCode", "IMP", ""),
		"identifier", []*fhir.Node{fhir.Identifier("urn:fjellheim:stay", "V1")}, "subject", fhir.Obj("reference", "Patient/p"),
		"period", fhir.Obj("start", "2026-02-25T10:15:00+01:00", "end", "2026-03-02T09:30:00+01:00")), both...)
	r.store(fhir.Obj("resourceType", "ServiceRequest", "id", "q", "status", "active", "intent", "order", "subject", fhir.Obj("reference", "Patient/p")), both...)
}

// telling is an event by one of a handover's parties, told to the other.
func telling(h handover.Handover, by handover.PartyID, event handover.EventName) act.Telling {
	return act.Telling{Purpose: ledger.PurposeTell, To: act.Counterpart(h, by), From: by, Event: event,
		Scene: act.Scene{Actor: act.ActorOf(by, h), Handover: h, Task: taskNode()}}
}

// texts say what happened, after the name of the party that acted; of a promised day, too.
var texts = map[handover.EventName]string{
	handover.EventAdmitted:            "har lagt inn pasienten.",
	handover.EventReady:               "melder pasienten utskrivningsklar.",
	handover.EventAccepted:            "kan ta imot pasienten 04.03.2026.",
	handover.EventDeferred:            "kan ikke ta imot pasienten nå, men fra 04.03.2026.",
	handover.EventRequested:           "har sendt en henvisning.",
	handover.EventAnsweredUnclearly:   "har svart i fritekst. Svaret må leses av en person og registreres.",
	handover.EventDeclined:            "har avslått.",
	handover.EventMisaddressed:        "melder at meldingen er feiladressert.",
	handover.EventForwarded:           "har sendt henvisningen videre.",
	handover.EventRetracted:           "trekker tilbake at pasienten kan tas imot.",
	handover.EventTakenBack:           "tar ansvaret for overføringen tilbake.",
	handover.EventNotReady:            "melder at pasienten ikke lenger er utskrivningsklar.",
	handover.EventWithdrawn:           "har trukket overføringen tilbake.",
	handover.EventWithdrawalAsked:     "ber om at overføringen trekkes tilbake.",
	handover.EventWithdrawalConsented: "samtykker i at overføringen trekkes tilbake.",
	handover.EventWithdrawalRefused:   "samtykker ikke i at overføringen trekkes tilbake.",
	handover.EventVoided:              "melder at overføringen ble registrert ved en feil.",
	handover.EventStarted:             "har begynt oppfølgingen.",
	handover.EventDischarged:          "har skrevet ut pasienten.",
	handover.EventDischargeCancelled:  "melder at utskrivningen er trukket tilbake.",
	handover.EventPaused:              "har satt oppfølgingen på vent.",
	handover.EventResumed:             "har gjenopptatt oppfølgingen.",
	handover.EventFinished:            "har avsluttet oppfølgingen.",
	handover.EventReadmitted:          "har lagt inn pasienten på nytt.",
	handover.EventDied:                "melder at pasienten er død.",
	handover.EventMerged:              "melder at pasienten var registrert flere ganger, og at opplysningene er slått sammen.",
	handover.EventMoved:               "har flyttet pasienten til en annen enhet.",
	handover.EventLeave:               "melder at pasienten har permisjon eller er tilbake fra permisjon.",
	handover.EventUpdated:             "har sendt oppdaterte opplysninger.",
	handover.EventHealthInfoSent:      "har sendt helseopplysninger.",
	handover.EventReportSent:          "har sendt utskrivningsrapport.",
	handover.EventReceipted:           "har mottatt meldingen.",
}

// asksToReceive are the texts of a discharge that was asked for as a Task.
var asksToReceive = map[handover.EventName]string{
	handover.EventRequested: "har sendt en forespørsel om å ta imot pasienten etter utskrivning.",
	handover.EventForwarded: "har sendt forespørselen videre.",
}

// national are the events of a stay that a municipality is told in a message of their own,
// and its status.
var national = map[handover.EventName][2]string{
	handover.EventAdmitted: {"LOG_INNLAGT", "N"}, handover.EventVoided: {"LOG_INNLAGT", "C"},
	handover.EventReady: {"LOG_UTSKRIVNINGSKLAR", "N"}, handover.EventNotReady: {"LOG_AVMELDING", "N"},
	handover.EventStarted: {"LOG_UTSKREVET", "N"}, handover.EventDischarged: {"LOG_UTSKREVET", "N"}, handover.EventDischargeCancelled: {"LOG_UTSKREVET", "C"},
	handover.EventDied: {"LOG_UTSKREVET", "N"},
}

// TestTelling_EachEventOnEachWire: the type of the message, and its text where it has one.
func TestTelling_EachEventOnEachWire(t *testing.T) {
	for _, tt := range []struct {
		name string
		h    handover.Handover
		by   handover.PartyID
		says string // the name of who acted
		wire handover.Wire
		typ  string // where no national message is the event's
	}{
		{"the hospital tells the municipality", stay(), hospital, "Fjellheim sykehus", handover.WireKITH, "DIALOG_HELSEFAGLIG"},
		{"the municipality tells the hospital", stay(), municipality, "Dalvik kommune", handover.WireHL7v2, "MDM^T02"},
		{"the municipality tells the institution", referral(), municipality, "Dalvik kommune", handover.WireFHIR, "transaction"},
		{"the institution tells the municipality", referral(), institution, "Solbakken rehabilitering", handover.WireFHIR, "transaction"},
	} {
		for event, text := range texts {
			t.Run(tt.name+" "+string(event), func(t *testing.T) {
				r := newRoom(t)
				r.stored(tt.h)
				tt.h.Facts.PromisedDay = promised
				d := r.made(telling(tt.h, tt.by, event))
				want, isNational := national[event]
				if isNational = isNational && tt.wire == handover.WireKITH; !isNational {
					want = [2]string{tt.typ}
				}
				if d.State != ledger.DeliveryPending || d.Wire != tt.wire || d.Type != want[0] || d.Receiver != act.Counterpart(tt.h, tt.by) || d.Event != event {
					t.Fatalf("%s on %s to %s, %s: %s", d.Type, d.Wire, d.Receiver, d.State, d.Error)
				}
				raw := string(d.Raw)
				if asks, ok := asksToReceive[event]; ok && tt.h.Kind == handover.KindDischarge {
					text = asks
				}
				if !strings.Contains(raw, d.ExternalID) || !strings.Contains(strings.ToLower(raw), "myrvang") {
					t.Errorf("without its id or its patient: %s", raw)
				}
				if isNational {
					if !strings.Contains(raw, `Forsendelsesstatus V="`+want[1]+`"`) {
						t.Errorf("not of status %s: %s", want[1], raw)
					}
				} else if !strings.Contains(raw, tt.says+" "+text) {
					t.Errorf("does not say %q: %s", tt.says+" "+text, raw)
				}
			})
		}
	}
}

// TestTelling_WhatIsToBeKnown: health information and the report at discharge are messages of
// their own, to a municipality that takes them.
func TestTelling_WhatIsToBeKnown(t *testing.T) {
	for event, typ := range map[handover.EventName]string{handover.EventHealthInfoSent: "HELSEOPPL_SOKNAD", handover.EventReportSent: "UTSKRIVNINGSRAPPORT"} {
		r := newRoom(t, "takes: [LOG_INNLAGT,", "takes: [HELSEOPPL_SOKNAD, UTSKRIVNINGSRAPPORT, LOG_INNLAGT,")
		r.stored(stay())
		if d := r.made(telling(stay(), hospital, event)); d.Type != typ || d.State != ledger.DeliveryPending || !strings.Contains(string(d.Raw), `Hendelsekode V="1"`) {
			t.Errorf("%s: %s, %s: %s %s", event, d.Type, d.State, d.Error, d.Raw)
		}
	}
}

// TestTelling_InItsOwnKind: what no event says is told as it was, whoever of the two says it: to a
// party that takes the kind, with its own status where it follows another; else in words.
func TestTelling_InItsOwnKind(t *testing.T) {
	ref := func(name string) *fhir.Node { return fhir.Obj("reference", account.ReferencePrefix+name) }
	report := telling(stay(), municipality, handover.EventUpdated)
	report.Content = account.Canonical{Kind: handover.KindDischarge, Event: handover.EventUpdated, Header: account.Header{Type: "INNLEGGELSESRAPPORT", Status: "M"}, Resources: []account.Named{
		{Name: "patient", Resource: fhir.Obj("resourceType", "Patient", "identifier", []*fhir.Node{fhir.Identifier(fhir.SystemFNR, "12034800241")},
			"name", []*fhir.Node{fhir.Obj("family", "Myrvang", "given", []*fhir.Node{fhir.Str("Solveig")})})},
		{Name: "unit", Resource: fhir.Obj("resourceType", "Organization", "name", "Hjemmesykepleien nord")},
		{Name: "condition-1", Resource: fhir.Obj("resourceType", "Condition", "subject", ref("patient"), "code", fhir.Obj("text", "Falt hjemme"))},
		{Name: "task", Resource: fhir.Obj("resourceType", "Task", "intent", "order", "for", ref("patient"))}}}
	for _, c := range []struct{ takes, earlier, typ, says string }{
		{`["*"]`, "", "INNLEGGELSESRAPPORT", `Forsendelsesstatus V="N"`},
		{`["*"]`, "INNLEGGELSESRAPPORT", "INNLEGGELSESRAPPORT", `Forsendelsesstatus V="M"`},
		{`[DIALOG_HELSEFAGLIG]`, "", "DIALOG_HELSEFAGLIG", "har sendt oppdaterte opplysninger"},
	} {
		r := newRoom(t, `wire: hl7v2, url: "mllp://127.0.0.1:2575", takes: ["*"]`, `wire: kith, url: "http://127.0.0.1:8089/", takes: `+c.takes)
		r.stored(stay())
		if c.earlier != "" {
			r.s.Sent.Put("h1", []ledger.Delivery{{Receiver: hospital, Wire: handover.WireKITH, Type: c.earlier, ExternalID: "earlier"}}, true)
		}
		d := r.made(report)
		raw := string(d.Raw)
		if d.Type != c.typ || d.State != ledger.DeliveryPending || !strings.Contains(raw, c.says) {
			t.Errorf("%s, %s: %s %s", d.Type, d.State, d.Error, raw)
		}
		if own := strings.Contains(raw, "Hjemmesykepleien nord") && strings.Contains(raw, "DiagnoseBeskrivelse>Falt hjemme<"); own != (c.typ == "INNLEGGELSESRAPPORT") {
			t.Errorf("%s without its own content: %s", c.typ, raw)
		}
	}
}

// TestTelling_TheSendersOwnMessage: its own content goes on, with the Task as the handover
// now stands, and whatever is stored of it besides stays where it is.
func TestTelling_TheSendersOwnMessage(t *testing.T) {
	r := newRoom(t)
	r.stored(stay())
	own := telling(stay(), hospital, handover.EventAdmitted)
	ref := func(name string) *fhir.Node { return fhir.Obj("reference", account.ReferencePrefix+name) }
	own.Content = account.Canonical{Kind: handover.KindDischarge, Event: handover.EventAdmitted, Resources: []account.Named{
		{Name: "patient", Resource: fhir.Obj("resourceType", "Patient", "identifier", []*fhir.Node{fhir.Identifier(fhir.SystemFNR, "30095100186")},
			"name", []*fhir.Node{fhir.Obj("family", "Lunde", "given", []*fhir.Node{fhir.Str("Odd")})})},
		{Name: "encounter", Resource: fhir.Obj("resourceType", "Encounter", "status", "in-progress", "subject", ref("patient"))},
		{Name: "task", Resource: fhir.Obj("resourceType", "Task", "intent", "order", "for", ref("patient"), "encounter", ref("encounter"))}}}
	before := string(own.Content.Resource("task").JSON())
	d := r.made(own)
	raw := string(d.Raw)
	if d.State != ledger.DeliveryPending || d.Type != "LOG_INNLAGT" || !strings.Contains(raw, "30095100186") || strings.Contains(raw, "12034800241") {
		t.Errorf("%s, %s: %s %s", d.Type, d.State, d.Error, raw)
	}
	if !strings.Contains(raw, `TidspunktForHendelse V="2026-03-02T1`) {
		t.Errorf("not of the time at which the Task was authored: %s", raw)
	}
	if after := string(own.Content.Resource("task").JSON()); after != before {
		t.Errorf("the message's own Task has become %s", after)
	}
}

// TestTelling_DayUnknown: an answer without a day says so.
func TestTelling_DayUnknown(t *testing.T) {
	for event, text := range map[handover.EventName]string{
		handover.EventAccepted: "Dalvik kommune kan ta imot pasienten.",
		handover.EventDeferred: "Dalvik kommune kan ikke ta imot pasienten nå. Dagen er ikke kjent.",
	} {
		r := newRoom(t)
		r.stored(stay())
		if d := r.made(telling(stay(), municipality, event)); !strings.Contains(string(d.Raw), text) {
			t.Errorf("does not say %q: %s", text, d.Raw)
		}
	}
}

// TestTelling_RefersToWhatItFollows: a cancellation, and what is told again, to the last message
// of the same type to the same party; both in the conversation of the first.
func TestTelling_RefersToWhatItFollows(t *testing.T) {
	r := newRoom(t)
	r.stored(stay())
	r.s.Sent.Put("h1", []ledger.Delivery{
		{Receiver: municipality, Wire: handover.WireKITH, Type: "LOG_INNLAGT", ExternalID: "first-to-it"}, {Receiver: municipality, Wire: handover.WireKITH, Type: "LOG_INNLAGT", ExternalID: "last-to-it"},
		{Receiver: municipality, Wire: handover.WireKITH, Type: "LOG_UTSKREVET", ExternalID: "another-type"}, {Receiver: another, Wire: handover.WireKITH, Type: "LOG_INNLAGT", ExternalID: "to-another"}}, true)
	for _, event := range []handover.EventName{handover.EventVoided, handover.EventAdmitted} {
		raw := string(r.made(telling(stay(), hospital, event)).Raw)
		if !strings.Contains(raw, "<RefToParent>last-to-it</RefToParent><RefToConversation>first-to-it<") || strings.Contains(raw, "to-another") || strings.Contains(raw, "another-type") {
			t.Errorf("%s: %s", event, raw)
		}
	}
	if raw := string(r.made(telling(stay(), hospital, handover.EventUpdated)).Raw); !strings.Contains(raw, "<RefToParent>another-type</RefToParent><RefToConversation>another-type<") {
		t.Errorf("words follow the latest notice: %s", raw)
	}
}

// TestTelling_AnAnswerRefersToTheReceiversOwnMessage: not to what was made of it.
func TestTelling_AnAnswerRefersToTheReceiversOwnMessage(t *testing.T) {
	r := newRoom(t, `wire: hl7v2, url: "mllp://127.0.0.1:2575"`, `wire: kith, url: "http://127.0.0.1:8089/"`)
	r.stored(stay())
	r.s.Sent.Put("h1", []ledger.Delivery{{Receiver: municipality, Wire: handover.WireKITH, Type: "LOG_UTSKRIVNINGSKLAR", ExternalID: "ours", Message: "m1"}}, true)
	r.s.Messages.Put("m1", ledger.Message{ID: "m1", Sender: hospital, ExternalID: "theirs"}, true)
	answer := telling(stay(), municipality, handover.EventAccepted)
	answer.Content.Header.Parent = "ours"
	if raw := string(r.made(answer).Raw); !strings.Contains(raw, "<RefToParent>theirs</RefToParent><RefToConversation>theirs<") {
		t.Error(raw)
	}
}

// TestTelling_TakesBackAsItWasTold: with the content of before the act, whatever its message says.
func TestTelling_TakesBackAsItWasTold(t *testing.T) {
	for notice, typ := range map[handover.EventName]string{handover.EventAdmitted: "LOG_INNLAGT", handover.EventReady: "LOG_UTSKRIVNINGSKLAR", handover.EventDischarged: "LOG_UTSKREVET"} {
		r := newRoom(t)
		r.stored(stay())
		r.s.Sent.Put("h1", []ledger.Delivery{{Receiver: municipality, Wire: handover.WireKITH, Type: typ, ExternalID: "told"}}, true)
		back := telling(stay(), hospital, handover.EventVoided)
		was := back.Scene
		back.TakesBack, back.Was = notice, &was
		back.Content.Resources = []account.Named{{Name: "patient", Resource: fhir.Obj("resourceType", "Patient", "name", []*fhir.Node{fhir.Obj("family", "Lunde")})}}
		d := r.made(back)
		raw := string(d.Raw)
		if d.Type != typ || d.Event != handover.EventVoided || !strings.Contains(raw, `Forsendelsesstatus V="C"`) || !strings.Contains(raw, "12034800241") ||
			strings.Contains(raw, "Lunde") || !strings.Contains(raw, "<RefToParent>told<") {
			t.Errorf("%s: %s of %s, %s: %s", notice, d.Type, d.Event, d.Error, raw)
		}
	}
}

// TestTelling_DeathIsSaidInTheNationalMessage: Uttilstand 2, with or without a time of death.
func TestTelling_DeathIsSaidInTheNationalMessage(t *testing.T) {
	for _, element := range []*fhir.Node{nil, fhir.Str("2026-03-02T08:00:00+01:00")} {
		r := newRoom(t)
		r.stored(stay())
		patient := fhir.Obj("resourceType", "Patient", "id", "p", "deceasedDateTime", element,
			"identifier", []*fhir.Node{fhir.Identifier(fhir.SystemFNR, "12034800241")}, "name", []*fhir.Node{fhir.Obj("family", "Myrvang")})
		r.store(patient, hospital, municipality)
		if raw := string(r.made(telling(stay(), hospital, handover.EventDied)).Raw); !strings.Contains(raw, `Uttilstand V="2"`) {
			t.Errorf("%v: %s", element, raw)
		}
	}
}

// TestAlert_GoesToTheContactOfItsStep: the first, the second, and then the last one for
// good; to the operator's where the party is not known.
func TestAlert_GoesToTheContactOfItsStep(t *testing.T) {
	r := newRoom(t, "{name: Leder tildelingskontoret, service: sykepleietjeneste}", "{name: Leder tildelingskontoret, service: koordinering-fhir}")
	r.stored(stay())
	for _, tt := range []struct {
		to           handover.PartyID
		number       int
		told         handover.PartyID
		service, typ string
	}{
		{municipality, 1, municipality, "sykepleietjeneste", "DIALOG_HELSEFAGLIG"},
		{municipality, 2, municipality, "koordinering-fhir", "transaction"},
		{municipality, 3, municipality, "koordinering-fhir", "transaction"},
		{municipality, 9, municipality, "koordinering-fhir", "transaction"},
		{hospital, 1, hospital, "slagenheten", "MDM^T02"},
		{hospital, 2, hospital, "slagenheten", "MDM^T02"},
		{"nobody", 1, hospital, "slagenheten", "MDM^T02"},
	} {
		a := telling(stay(), hospital, handover.EventDeadlinePassed)
		a.Purpose, a.To, a.From, a.Number, a.Attention = ledger.PurposeAlert, tt.to, "", tt.number, handover.AttentionUnreachable
		a.Actor = handover.Actor{Role: handover.RoleClock}
		d := r.made(a)
		if d.State != ledger.DeliveryPending || d.Receiver != tt.told || d.Service != tt.service || d.Type != tt.typ {
			t.Errorf("%s, alert %d: %s to %s at %s, %s: %s", tt.to, tt.number, d.Type, d.Receiver, d.Service, d.State, d.Error)
		}
		text := fmt.Sprintf("Varsel fra overføringsportalen, trinn %d. En melding er ikke bekreftet mottatt", tt.number)
		if !strings.Contains(string(d.Raw), text) || !strings.Contains(string(d.Raw), "forespurt siden 02.03.2026 kl. 13:00") {
			t.Errorf("%s, alert %d says %s", tt.to, tt.number, d.Raw)
		}
	}
}

// TestTelling_WhatCannotBeMadeIsParked: in the record with its reason, at the contact of the
// one that wanted it told, and without bytes.
func TestTelling_WhatCannotBeMadeIsParked(t *testing.T) {
	withoutPatient := telling(stay(), hospital, handover.EventReady)
	withoutPatient.Task.Delete("for")
	unreadable := telling(stay(), municipality, handover.EventAccepted)
	unreadable.Task.Set("status", fhir.Obj())
	unknown := telling(stay(), hospital, handover.EventReady)
	unknown.To = "nobody"
	alert := telling(stay(), municipality, handover.EventDeadlinePassed)
	alert.Purpose, alert.Number, alert.To = ledger.PurposeAlert, 1, municipality
	alert.Task.Set("status", fhir.Obj())
	const ward, desk, operator = "fjellheim-sykehus/Koordinator Slagenheten", "dalvik-kommune/Vakttelefon sykepleietjenesten", "solbakken-rehabilitering/Inntaksteam"
	for _, tt := range []struct {
		name    string
		telling act.Telling
		contact string
		reason  string
	}{
		{"no patient", withoutPatient, ward, "the patient needs a name"},
		{"a Task that cannot be read", unreadable, desk, "the message could not be made"},
		{"no such party", unknown, ward, "no service of the receiver takes this message"},
		{"an alert is the operator's", alert, operator, "the message could not be made"},
		{"of no handover", act.Telling{Purpose: ledger.PurposeTell, To: "nobody", Event: handover.EventUpdated}, operator, "no service of the receiver takes this message"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRoom(t)
			r.s.Operator = institution
			r.stored(stay())
			d := r.made(tt.telling)
			if d.State != ledger.DeliveryParked || d.Contact != tt.contact || !strings.Contains(d.Error, tt.reason) || d.Error == "" || d.Deadline.IsZero() || len(d.Raw) > 0 {
				t.Errorf("%s at %q: %q, due %v, %d bytes", d.State, d.Contact, d.Error, d.Deadline, len(d.Raw))
			}
			if strings.Contains(strings.ToLower(d.Error), "myrvang") {
				t.Errorf("the reason names the patient: %s", d.Error)
			}
		})
	}
}

// entries are the resources of a Bundle, in order.
func entries(t *testing.T, d ledger.Delivery) []string {
	t.Helper()
	n, err := fhir.Parse(d.Raw, fhir.DefaultLimits())
	if err != nil {
		t.Fatalf("%v: %s", err, d.Error)
	}
	var out []string
	for _, e := range n.Each("entry") {
		r := e.Get("resource")
		if r.ResourceType() == "Communication" {
			out = append(out, "note")
			continue
		}
		out = append(out, r.ResourceType()+"/"+r.ID())
	}
	return out
}

func write(typ, id string, visible ...handover.PartyID) ledger.ResourceWrite {
	w := ledger.ResourceWrite{Type: typ, ID: id, JSON: fhir.Obj("resourceType", typ, "id", id, "note", "written").JSON()}
	for _, p := range visible {
		w.Grants = append(w.Grants, ledger.Grant{Party: p, Handover: "h1"})
	}
	return w
}

// TestBundle_EachOnceAndOnlyWhatItsReceiverMaySee: what the act writes, what the Task
// refers to, then the Task and last the note.
func TestBundle_EachOnceAndOnlyWhatItsReceiverMaySee(t *testing.T) {
	both := []handover.PartyID{municipality, institution}
	ended := referral()
	ended.Facts.AccessEnded = true
	deleted := write("Observation", "gone", both...)
	deleted.JSON, deleted.Deleted = nil, true
	for _, tt := range []struct {
		name            string
		h               handover.Handover
		written, before []ledger.ResourceWrite
		hidden          string // of the stored resources
		want            string
	}{
		{"as it stands", referral(), nil, nil, "", "Patient/p Encounter/e ServiceRequest/q Task/h1 note"},
		{"with what is written", referral(), []ledger.ResourceWrite{write("Observation", "o", both...)}, nil, "",
			"Observation/o Patient/p Encounter/e ServiceRequest/q Task/h1 note"},
		{"written and referred to", referral(), []ledger.ResourceWrite{write("ServiceRequest", "q", both...), write("Task", "h1", both...), write("Patient", "p", both...)}, nil, "",
			"ServiceRequest/q Patient/p Encounter/e Task/h1 note"},
		{"written for other eyes", referral(), []ledger.ResourceWrite{write("Observation", "o", municipality), write("Encounter", "e", municipality, another)}, nil, "",
			"Patient/p ServiceRequest/q Task/h1 note"},
		{"written before is not told for itself", referral(), nil, []ledger.ResourceWrite{write("Observation", "o", both...), write("Encounter", "e", municipality)}, "",
			"Patient/p ServiceRequest/q Task/h1 note"},
		{"deleted", referral(), []ledger.ResourceWrite{deleted}, nil, "", "Patient/p Encounter/e ServiceRequest/q Task/h1 note"},
		{"one it may not see", referral(), nil, nil, "Encounter/e", "Patient/p ServiceRequest/q Task/h1 note"},
		{"after its access has ended", ended, []ledger.ResourceWrite{write("Observation", "o", both...)}, nil, "", "note"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRoom(t)
			r.stored(tt.h)
			if typ, id, ok := strings.Cut(tt.hidden, "/"); ok {
				r.store(fhir.Obj("resourceType", typ, "id", id), municipality, another)
			}
			told := telling(tt.h, municipality, handover.EventUpdated)
			told.Written, told.Before = tt.written, tt.before
			d := r.made(told)
			if got := strings.Join(entries(t, d), " "); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			knows := strings.Contains(string(d.Raw), "Patient/p") || strings.Contains(string(d.Raw), "Task/h1")
			if knows != strings.Contains(tt.want, "Task/h1") {
				t.Errorf("the note names what is not its receiver's: %s", d.Raw)
			}
			if len(tt.written) == 3 && strings.Count(string(d.Raw), `"note":"written"`) != 2 {
				t.Errorf("not as the act leaves it: %s", d.Raw)
			}
		})
	}
}

// TestTelling_AMappedMessageHoldsNothingItsReceiverMayNotSee: as for a Bundle.
func TestTelling_AMappedMessageHoldsNothingItsReceiverMayNotSee(t *testing.T) {
	secret := fhir.Obj("resourceType", "Encounter", "id", "e", "status", "finished", "subject", fhir.Obj("reference", "Patient/p"),
		"hospitalization", fhir.Obj("dischargeDisposition", fhir.Obj("text", "HEMMELIG")))
	seen := func(h handover.Handover, event handover.EventName, visible ...handover.PartyID) string {
		r := newRoom(t)
		r.stored(h)
		r.store(secret, visible...)
		return string(r.made(telling(h, hospital, event)).Raw)
	}
	if raw := seen(stay(), handover.EventDischarged, hospital, municipality); !strings.Contains(raw, "HEMMELIG") {
		t.Errorf("its receiver may see it: %s", raw)
	}
	if raw := seen(stay(), handover.EventDischarged, hospital, another); raw == "" || strings.Contains(raw, "HEMMELIG") {
		t.Errorf("its receiver may not see it: %s", raw)
	}
	ended := stay()
	ended.Facts.AccessEnded = true
	for _, event := range []handover.EventName{handover.EventDischarged, handover.EventUpdated} {
		if raw := strings.ToLower(seen(ended, event, hospital, municipality)); strings.Contains(raw, "hemmelig") || strings.Contains(raw, "myrvang") {
			t.Errorf("its access has ended: %s", raw)
		}
	}
}

// TestTexts_EachEventIsToldInWords: the tables of these tests leave no event out but those
// that no message tells.
func TestTexts_EachEventIsToldInWords(t *testing.T) {
	untold := []handover.EventName{handover.EventUnreachable, handover.EventDeadlinePassed, handover.EventAttentionRaised,
		handover.EventAttentionResolved, handover.EventNextNamed}
	for _, e := range handover.EventNames() {
		if texts[e] == "" && !slices.Contains(untold, e) {
			t.Errorf("%s has no text", e)
		}
	}
}
