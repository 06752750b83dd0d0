package adaptertest

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stafett/adapters"
	"stafett/handover"
	"stafett/message"
)

// Prescribed is what RunRules needs of one wire.
type Prescribed struct {
	// ID is how an outgoing identity is spelled.
	ID *regexp.Regexp
	// The rest is for a wire with a Codec. TimeLayout reads back what Codec.Time spells.
	TimeLayout string
	// Types are message types as the wire spells them, Texts what is not spelled as one.
	Types, Texts []string
}

// RunRules runs the suite against the rules of a wire, and of its format where it has a
// Codec.
func RunRules(t *testing.T, r adapters.Rules, p Prescribed) {
	for _, test := range []struct {
		name string
		test func(t *testing.T, r adapters.Rules, p Prescribed)
	}{
		{"SchemesTellPlainFromEncrypted", schemes},
		{"EveryEventHasAType", everyEventHasAType},
		{"IDsAreUniqueAndOfRightForm", idsAreUnique},
		{"EveryKindHasARank", ranks},
	} {
		t.Run(test.name, func(t *testing.T) { test.test(t, r, p) })
	}
	c, ok := r.(adapters.Codec)
	if !ok {
		return
	}
	for _, test := range []struct {
		name string
		test func(t *testing.T, c adapters.Codec, p Prescribed)
	}{
		{"EveryTypeIsShown", everyTypeIsShown},
		{"ACancellationRepeatsAType", cancellationRepeats},
		{"TypesAreShownAsCodesOnly", typesAreCodes},
		{"TimeIsReadBack", timeIsReadBack},
		{"FaultsAreRefusedOrParked", refusedOrParked},
		{"ReceiptTypeIsOfWhatRelayMakes", receiptType},
		{"ACommitAnswerIsAskedForOnce", commitAnswer},
	} {
		t.Run(test.name, func(t *testing.T) { test.test(t, c, p) })
	}
}

func schemes(t *testing.T, r adapters.Rules, _ Prescribed) {
	if plain, encrypted := r.Schemes(); plain == "" || encrypted == "" || plain == encrypted {
		t.Errorf("schemes %q and %q", plain, encrypted)
	}
}

// tellings calls f for everything that can be told.
func tellings(f func(k handover.Kind, event handover.EventName, bySender bool)) {
	for _, k := range handover.Kinds() {
		for _, event := range handover.EventNames() {
			f(k, event, true)
			f(k, event, false)
		}
	}
}

func everyEventHasAType(t *testing.T, r adapters.Rules, _ Prescribed) {
	tellings(func(k handover.Kind, event handover.EventName, bySender bool) {
		if typ := r.TypeFor(k, event, bySender); typ == "" || !code.MatchString(typ) {
			t.Errorf("%s of a %s (by its sender: %t) is told as %q", event, k, bySender, typ)
		}
	})
}

func everyTypeIsShown(t *testing.T, c adapters.Codec, _ Prescribed) {
	tellings(func(k handover.Kind, event handover.EventName, bySender bool) {
		if typ := c.TypeFor(k, event, bySender); c.TypeCode(typ) != typ {
			t.Errorf("%s of a %s (by its sender: %t) is told as %q and shown as %q", event, k, bySender, typ, c.TypeCode(typ))
		}
	})
	if c.Notice("") || c.Notice(c.ReceiptType()) {
		t.Error("a receipt carries no text for people")
	}
}

// cancellationRepeats: what cancels a message is of a type that also tells something else,
// for there must be one to cancel.
func cancellationRepeats(t *testing.T, c adapters.Codec, _ Prescribed) {
	for _, k := range handover.Kinds() {
		for _, bySender := range []bool{true, false} {
			told := map[string]bool{}
			for _, event := range handover.EventNames() {
				told[c.TypeFor(k, event, bySender)] = told[c.TypeFor(k, event, bySender)] || !c.Cancels(event)
			}
			for _, event := range handover.EventNames() {
				if typ := c.TypeFor(k, event, bySender); !told[typ] {
					t.Errorf("%s of a %s cancels %s, which nothing is told by", event, k, typ)
				}
			}
		}
	}
}

func typesAreCodes(t *testing.T, c adapters.Codec, p Prescribed) {
	for _, typ := range append(slices.Clone(p.Types), "", c.ReceiptType()) {
		if got := c.TypeCode(typ); got != typ {
			t.Errorf("%q is shown as %q", typ, got)
		}
	}
	texts := append(slices.Clone(p.Texts), "Nordmann Kari", "NORDMANN", "Nordmann^Kari", "Nordmann_Kari", "12034800241", " ", "ACK\n", "POST Nordmann")
	for _, text := range texts {
		if got := c.TypeCode(text); got != adapters.TypeUnreadable {
			t.Errorf("%q is shown as %q", text, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		typ := rapid.String().Draw(t, "typ")
		got := c.TypeCode(typ)
		if got != typ && got != adapters.TypeUnreadable {
			t.Fatalf("%q is shown as %q", typ, got)
		}
		if got == typ && !code.MatchString(typ) {
			t.Fatalf("%q is shown", typ)
		}
	})
}

// code is what a type may be spelled with on any wire.
var code = regexp.MustCompile(`^[A-Za-z0-9_^ -]{0,80}\z`)

func idsAreUnique(t *testing.T, r adapters.Rules, p Prescribed) {
	seen := map[string]bool{}
	for range 1000 {
		id := r.NewID()
		if seen[id] {
			t.Fatalf("%s was given out twice", id)
		}
		if !p.ID.MatchString(id) {
			t.Fatalf("%s does not match %s", id, p.ID)
		}
		seen[id] = true
	}
}

func timeIsReadBack(t *testing.T, c adapters.Codec, p Prescribed) {
	oslo, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		t.Fatal(err)
	}
	zones := []*time.Location{oslo, time.UTC, time.FixedZone("", -(3*3600 + 1800))}
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "second"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanosecond"))
		zone := rapid.SampledFrom(zones).Draw(t, "zone")
		text := c.Time(at, zone)
		got, err := time.Parse(p.TimeLayout, text)
		if err != nil || !got.Equal(at.Truncate(time.Second)) {
			t.Fatalf("%v in %v is spelled %s, read as %v, %v", at, zone, text, got, err)
		}
		_, want := at.In(zone).Zone()
		if _, offset := got.Zone(); offset != want {
			t.Fatalf("%s: offset %d, want %d", text, offset, want)
		}
	})
}

// hopeless are the faults that nobody here can put right, so that parking would only hide
// them from the sender.
var hopeless = []handover.FaultKind{handover.FaultTooLarge, handover.FaultMalformed, handover.FaultUnsupported,
	handover.FaultBadMessageID, handover.FaultSenderUnknown, handover.FaultUnauthenticated, handover.FaultForbidden}

func refusedOrParked(t *testing.T, c adapters.Codec, _ Prescribed) {
	for _, kind := range handover.FaultKinds() {
		refused := c.Refuses(kind)
		switch {
		case !refused && slices.Contains(hopeless, kind):
			t.Errorf("%s is parked, where nobody can help", kind)
		case !refused && kind.Temporary():
			t.Errorf("%s is parked; the sender must keep the message", kind)
		}
	}
	if !c.Refuses("a kind that is not known") {
		t.Error("an unknown kind is parked")
	}
}

// receiptType: receipts that are messages have a type, and only they.
func receiptType(t *testing.T, c adapters.Codec, p Prescribed) {
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	env := adapters.Envelope{Type: p.Types[0], ID: c.NewID(), Time: c.Time(at, time.UTC), Version: "2.5", CommitAnswer: true, ReceiptWanted: true,
		Sender: adapters.Address{HER: "80001", Name: "Fjellheim sykehus"}, Receiver: adapters.Address{HER: "80002", Name: "Dalvik kommune"}}
	raw, err := c.Relay(env, adapters.Receipt{Positive: true}, c.NewID(), at)
	if err != nil {
		t.Fatal(err)
	}
	if raw == nil || c.ReceiptType() == "" {
		t.Fatalf("receipt type %q of %d bytes", c.ReceiptType(), len(raw))
	}
	m, err := c.Decode(raw, message.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Envelope(m)
	if err != nil {
		t.Fatal(err)
	}
	if code, _, _ := strings.Cut(got.Type, "^"); code != c.ReceiptType() || got.Receipt == nil {
		t.Errorf("a %s is announced as %s", got.Type, c.ReceiptType())
	}
}

func ranks(t *testing.T, r adapters.Rules, _ Prescribed) {
	for _, k := range handover.Kinds() {
		if r.Rank(k) < 1 {
			t.Errorf("%s has rank %d", k, r.Rank(k))
		}
	}
}

func commitAnswer(t *testing.T, c adapters.Codec, _ Prescribed) {
	c.AskCommitAnswer(nil)
	for _, root := range []*message.Node{{}, {Name: "odd", Children: []*message.Node{{Name: "child"}}}} {
		before := len(root.Children)
		c.AskCommitAnswer(root)
		c.AskCommitAnswer(root)
		if len(root.Children) != before {
			t.Errorf("%s of no message of the wire was changed", root.Name)
		}
	}
}
