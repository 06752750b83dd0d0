package hl7v2

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"

	"stafett/adapters"
	"stafett/handover"
	"stafett/message"
)

// named is a message with a set's name in MSH-18 and a name beyond ASCII in PID-5.
func named(set, family string) string {
	return `MSH|^~\&|EPJ|FJELLHEIM|||20260302||ADT^A01|1|P|2.5||||||` + set + "\rPID|1||||" + family + "^Prøve\r"
}

func encodedIn(t *testing.T, set *charmap.Charmap, text string) string {
	t.Helper()
	out, err := set.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Names of sets as senders spell them; and bytes that give a wrong name away.
func TestDecode_CharacterSetsAsSendersNameThem(t *testing.T) {
	latin := func(set string) string { return encodedIn(t, charmap.ISO8859_1, named(set, "Sørby")) }
	for _, c := range []struct {
		raw, family string
		tolerated   bool
	}{
		{raw: latin("8859/1 "), family: "Sørby"}, {raw: latin("ISO-8859-1"), family: "Sørby"}, {raw: latin("iso8859/1"), family: "Sørby"},
		{raw: named("utf8", "Sørby"), family: "Sørby"}, {raw: named("Unicode UTF-8", "Sørby"), family: "Sørby"}, {raw: named("", "Sørby"), family: "Sørby"},
		{raw: encodedIn(t, charmap.Windows1252, named("WINDOWS-1252", "Sørby–Vik")), family: "Sørby–Vik"},
		{raw: named("8859/1", "Østerås"), family: "Østerås", tolerated: true},
		{raw: named("8859/15", "Sørby"), family: "Sørby", tolerated: true},
		{raw: encodedIn(t, charmap.Windows1252, named("8859/1", "Sørby–Vik")), family: "Sørby–Vik", tolerated: true},
	} {
		m := decode(t, []byte(c.raw))
		if got := m.Root.Text("PID", "5", "1"); got != c.family {
			t.Errorf("%q: PID-5.1 = %q", c.raw, got)
		}
		if slices.Contains(m.Tolerated, ToleratedCharset) != c.tolerated {
			t.Errorf("%q: tolerated %v", c.raw, m.Tolerated)
		}
	}
}

// A party whose messages name no set has its own by the directory; and may have a feed refused.
func TestCodec_AsThePartyWrites(t *testing.T) {
	raw := []byte(encodedIn(t, charmap.ISO8859_1, named("", "Sørby")))
	_, err := (&Codec{}).Decode(raw, message.DefaultLimits())
	wantKind(t, "without a setting", err, handover.FaultMalformed)
	m, err := (&Codec{}).As(adapters.Settings{Charset: "8859/1"}).Decode(raw, message.DefaultLimits())
	if err != nil || m.Root.Text("PID", "5", "1") != "Sørby" {
		t.Errorf("with the setting: %v", err)
	}
	feed := decode(t, er7(`MSH|^~\&|EPJ|FJELLHEIM|||20260302||ADT^A08|1|P|2.5`))
	if _, err := (&Codec{}).Envelope(feed); err != nil {
		t.Errorf("a feed is taken: %v", err)
	}
	_, err = (&Codec{}).As(adapters.Settings{RefuseFeed: true}).Envelope(feed)
	wantKind(t, "feed refused", err, handover.FaultUnsupported)
	_, err = (&Codec{}).As(adapters.Settings{RefuseFeed: true}).Envelope(decode(t, admission))
	if err != nil {
		t.Errorf("an admission is taken: %v", err)
	}
}

// What HL7 gives no parts has none, whatever separators a sender forgot to escape.
func TestDecode_TextHasNoParts(t *testing.T) {
	m := decode(t, header("OBX|1|TX|N^Notat^99X||Kvalme & svimmel, IKKE ^ibuprofen~Linje 2||||||F",
		`OBX|2|CE|K^Kode^99X||J^Ja`, "NTE|1||pH < 7 & fallende", "OBX|3|ST|N||a\\T\\b"))
	if got := m.Root.Children[1].All("5"); len(got) != 2 || got[0].Value != "Kvalme & svimmel, IKKE ^ibuprofen" || got[1].Value != "Linje 2" {
		t.Errorf("OBX[1]-5 is %+v", got)
	}
	if got := m.Root.Children[2].Text("5", "2"); got != "Ja" {
		t.Errorf("OBX[2]-5.2 is %q", got)
	}
	if got := m.Root.Text("NTE", "3"); got != "pH < 7 & fallende" {
		t.Errorf("NTE-3 is %q", got)
	}
	if got := m.Root.Children[4].Text("5"); got != "a&b" {
		t.Errorf("OBX[3]-5 is %q", got)
	}
	if !slices.Contains(m.Tolerated, ToleratedSeparatorInText) {
		t.Errorf("tolerated: %v", m.Tolerated)
	}
}

// Invariant 9: a message about two patients is of neither.
func TestInvariant9_SecondPatientIsRefused(t *testing.T) {
	c := &Codec{}
	for raw, path := range map[string]string{
		string(admission): "",
		string(admission) + "PID|2||12894800264^^^FNR\r":                        "PID[2]",
		string(admission) + "PV1|2|I\r":                                         "PV1[2]",
		string(header("PID|1", "MRG|1", "PID|1", "MRG|2")):                      "PID[2]",
		strings.Replace(string(admission), "PD1|", "PD1|\rPID|\rPID|\rPD1|", 1): "PID[3]",
	} {
		f := c.Check(decode(t, []byte(raw)), adapters.Envelope{})
		switch {
		case path == "" && f == nil:
		case f == nil || f.Path != path || f.Kind != handover.FaultMalformed:
			t.Errorf("%q: got %v, want %s", raw, f, path)
		default:
			if answer := string(c.Answer(adapters.Envelope{}, "", f, noon)); !strings.Contains(answer, "MSA|AE") || !strings.Contains(answer, "100^Segment sequence error") {
				t.Errorf("%s: answered %q", path, answer)
			}
		}
	}
}

// A byte order mark and line ends before the header are passed over.
func TestDecode_WhatStandsBeforeTheHeader(t *testing.T) {
	for _, before := range []string{"\xEF\xBB\xBF", "\r\n", "\xEF\xBB\xBF\r"} {
		m := decode(t, append([]byte(before), admission...))
		if got := m.Root.Text("PID", "5", "1"); got != "MYRVANG" || string(m.Verbatim(m.Root.At("NK1", "3"))) != "SPO" {
			t.Errorf("%q: PID-5.1 = %q", before, got)
		}
		if !slices.Equal(m.Tolerated, []string{ToleratedStart}) {
			t.Errorf("%q: tolerated %v", before, m.Tolerated)
		}
	}
}
