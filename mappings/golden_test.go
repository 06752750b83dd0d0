package mappings_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"stafett/adapters"
	"stafett/adapters/hl7v2"
	"stafett/adapters/kith"
	"stafett/fhir"
	"stafett/handover"
	"stafett/mappings"
	"stafett/mappings/account"
	"stafett/mappings/engine"
	"stafett/mappings/language"
	"stafett/message"
)

var update = flag.Bool("update", false, "write the golden files anew")

var codecs = map[handover.Wire]adapters.Codec{
	handover.WireHL7v2: &hl7v2.Codec{Types: append(hl7v2.DefaultTypes(), "MDM^T02")},
	handover.WireKITH:  kith.Codec{},
}

func embedded(t testing.TB) *language.Set {
	t.Helper()
	set, err := mappings.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// golden is one case: a message or a canonical form, what it becomes, and what others are
// told of it.
type golden struct {
	file    string
	archive *txtar.Archive
	overlay string
	// tell lists "WIRE TYPE" of the messages that are made of the canonical form.
	tell []string
	// changed lists paths whose value the way back writes differently, with good reason.
	changed map[string]bool
	// oneWay says why the way back does not mean the same: senders' habits are not written.
	oneWay string
}

func readGolden(t testing.TB, file string) *golden {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	g := &golden{file: file, archive: a, changed: map[string]bool{}}
	for _, line := range strings.Split(string(a.Comment), "\n") {
		key, value, _ := strings.Cut(line, ": ")
		switch key {
		case "overlay":
			g.overlay = value
		case "tell":
			g.tell = append(g.tell, value)
		case "oneway":
			g.oneWay = value
		case "changed":
			g.changed[value] = true
		}
	}
	return g
}

func (g *golden) section(name string) ([]byte, bool) {
	for _, f := range g.archive.Files {
		if f.Name == name {
			return f.Data, true
		}
	}
	return nil, false
}

// expect compares got with a section, or writes it with -update.
func (g *golden) expect(t *testing.T, name string, got []byte) {
	t.Helper()
	if len(got) > 0 && got[len(got)-1] != '\n' {
		got = append(got, '\n')
	}
	if *update {
		for i := range g.archive.Files {
			if g.archive.Files[i].Name == name {
				g.archive.Files[i].Data = got
				return
			}
		}
		g.archive.Files = append(g.archive.Files, txtar.File{Name: name, Data: got})
		return
	}
	want, ok := g.section(name)
	if !ok {
		t.Errorf("%s has no section %s; run the test with -update and read what it writes", g.file, name)
		return
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); d != "" {
		t.Errorf("%s, section %s (-want +got):\n%s", g.file, name, d)
	}
}

// source decodes the message section: ER7 with a line for each segment, or XML.
func (g *golden) source(t testing.TB) (*message.Message, adapters.Envelope) {
	t.Helper()
	data, ok := g.section("message")
	if !ok {
		return nil, adapters.Envelope{}
	}
	wire := handover.WireKITH
	if bytes.HasPrefix(data, []byte("MSH")) {
		wire = handover.WireHL7v2
		data = bytes.ReplaceAll(data, []byte("\n"), []byte("\r"))
	}
	return decode(t, wire, data)
}

func decode(t testing.TB, wire handover.Wire, raw []byte) (*message.Message, adapters.Envelope) {
	t.Helper()
	m, err := codecs[wire].Decode(raw, message.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	env, err := codecs[wire].Envelope(m)
	if err != nil {
		t.Fatal(err)
	}
	return m, env
}

func headerOf(env adapters.Envelope) account.Header {
	return account.Header{ID: env.ID, Time: env.Time, Type: env.Type, Version: env.Version,
		Conversation: env.Conversation, Parent: env.Parent,
		Sender: addressOf(env.Sender), Receiver: addressOf(env.Receiver)}
}

func addressOf(a adapters.Address) account.Address {
	return account.Address{HER: a.HER, HERService: a.HERService, OrgNumber: a.OrgNumber,
		Application: a.Application, Facility: a.Facility, Name: a.Name, ServiceName: a.ServiceName}
}

// canonicalJSON spells a canonical form for people.
func canonicalJSON(t testing.TB, c account.Canonical) []byte {
	t.Helper()
	type named struct {
		Name     string          `json:"name"`
		Key      string          `json:"key,omitempty"`
		Resource json.RawMessage `json:"resource"`
	}
	out := struct {
		Event     handover.EventName
		Kind      handover.Kind
		Day       string `json:",omitempty"`
		Header    account.Header
		Facts     map[string]string
		Resources []named
	}{Event: c.Event, Kind: c.Kind, Day: c.Day, Header: c.Header, Facts: c.Facts}
	for _, r := range c.Resources {
		out.Resources = append(out.Resources, named{r.Name, r.Key, r.Resource.JSON()})
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(out); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// readCanonical reads what canonicalJSON writes.
func readCanonical(t testing.TB, data []byte) account.Canonical {
	t.Helper()
	var in struct {
		Event     handover.EventName
		Kind      handover.Kind
		Day       string
		Header    account.Header
		Facts     map[string]string
		Resources []struct {
			Name, Key string
			Resource  json.RawMessage
		}
	}
	if err := json.Unmarshal(data, &in); err != nil {
		t.Fatal(err)
	}
	c := account.Canonical{Event: in.Event, Kind: in.Kind, Day: in.Day, Header: in.Header, Facts: in.Facts}
	for _, r := range in.Resources {
		n, err := fhir.Parse(r.Resource, fhir.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		c.Resources = append(c.Resources, account.Named{Name: r.Name, Key: r.Key, Resource: n})
	}
	return c
}

func fateLines(fates []message.ElementFate) []byte {
	var b bytes.Buffer
	for _, f := range fates {
		fmt.Fprintf(&b, "%s %s", f.Path, f.Fate)
		if f.Target != "" {
			b.WriteString(" -> " + f.Target)
		}
		if f.Reason != "" {
			b.WriteString(" (" + f.Reason + ")")
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// readableXML puts each element on a line of its own, for the golden files only.
func readableXML(raw []byte) []byte {
	return bytes.ReplaceAll(raw, []byte("><"), []byte(">\n<"))
}

func encode(t testing.TB, wire handover.Wire, tree *message.Node) []byte {
	t.Helper()
	raw, err := codecs[wire].Encode(tree)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// wellFormed: what is sent on HL7 v2 is read without any tolerance, and is written the same.
func wellFormed(t testing.TB, wire handover.Wire, raw []byte) {
	t.Helper()
	if wire != handover.WireHL7v2 {
		return
	}
	m, _ := decode(t, wire, raw)
	if len(m.Tolerated) > 0 {
		t.Errorf("not as the standard says: %v in %q", m.Tolerated, raw)
	}
	if again := encode(t, wire, m.Root); !bytes.Equal(again, raw) {
		t.Errorf("read and written again it is %q, was %q", again, raw)
	}
}

func shown(wire handover.Wire, raw []byte) []byte {
	if wire == handover.WireHL7v2 {
		return bytes.ReplaceAll(raw, []byte("\r"), []byte("\n"))
	}
	return readableXML(raw)
}

// tellHeader is the envelope of what the cases tell others.
func tellHeader(wire handover.Wire) account.Header {
	if wire == handover.WireHL7v2 {
		return account.Header{ID: "STAFETT-0001", Time: "20261120101502",
			Sender:   account.Address{Application: "STAFETT", Facility: "STAFETT"},
			Receiver: account.Address{Application: "DIPS", Facility: "FJELLHEIM"}}
	}
	return account.Header{ID: "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", Time: "2026-11-20T10:15:02",
		Sender:   account.Address{HER: "80001", HERService: "80101", Name: "Fjellheim sykehus", ServiceName: "Slagenheten"},
		Receiver: account.Address{HER: "80002", HERService: "80202", Name: "Dalvik kommune", ServiceName: "Saksbehandling"}}
}

func goldenFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden cases in testdata", err)
	}
	return files
}

func TestGolden(t *testing.T) {
	for _, file := range goldenFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			g := readGolden(t, file)
			g.run(t)
			if *update {
				if err := os.WriteFile(file, txtar.Format(g.archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func (g *golden) run(t *testing.T) {
	set := embedded(t)
	var c account.Canonical
	if m, env := g.source(t); m != nil {
		mapping, ok := set.For(m.Wire, env.Type, env.Version, g.overlay)
		if !ok {
			t.Fatalf("no mapping takes %s %s", env.Type, env.Version)
		}
		var report account.Report
		var err error
		c, report, err = engine.ToFHIR(mapping, m, engine.Context{Header: headerOf(env)})
		if err != nil {
			t.Fatal(err)
		}
		g.expect(t, "canonical", canonicalJSON(t, c))
		g.expect(t, "fates", fateLines(report.Fates))
		g.roundTrip(t, mapping, m, c, report)
	} else {
		data, ok := g.section("canonical")
		if !ok {
			t.Fatal("the case has neither a message nor a canonical form")
		}
		c = readCanonical(t, data)
	}
	for _, tell := range g.tell {
		g.told(t, set, c, tell)
	}
}

// roundTrip: the message that the same mapping makes of the canonical form holds every
// mapped value at its place, and means the same.
func (g *golden) roundTrip(t *testing.T, mapping *language.Program, m *message.Message, c account.Canonical, report account.Report) {
	t.Helper()
	tree, _, err := engine.FromFHIR(mapping, c, engine.Context{})
	if err != nil {
		t.Fatal(err)
	}
	raw := encode(t, m.Wire, tree)
	g.expect(t, "back", shown(m.Wire, raw))
	validateXML(t, m.Wire, raw)
	wellFormed(t, m.Wire, raw)
	back, env := decode(t, m.Wire, raw)
	if g.oneWay != "" {
		return
	}
	before, after := leaves(m), leaves(back)
	for _, f := range report.Fates {
		if f.Fate != message.FateMapped || g.changed[f.Path] {
			continue
		}
		if got, want := after[f.Path], before[f.Path]; got != want {
			t.Errorf("%s: mapped, but the way back has another value (%q, was %q)", f.Path, got, want)
		}
	}
	again, _, err := engine.ToFHIR(mapping, back, engine.Context{Header: headerOf(env)})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(canonicalJSON(t, withoutCarried(c))), string(canonicalJSON(t, withoutCarried(again)))); d != "" {
		t.Errorf("message -> FHIR -> message -> FHIR differs (-first +second):\n%s", d)
	}
}

func withoutCarried(c account.Canonical) account.Canonical {
	kept := c.Resources[:0:0]
	for _, r := range c.Resources {
		if r.Name != "carried" {
			kept = append(kept, r)
		}
	}
	c.Resources = kept
	return c
}

// told makes the message of another wire or type.
func (g *golden) told(t *testing.T, set *language.Set, c account.Canonical, tell string) {
	t.Helper()
	wire, typ, _ := strings.Cut(tell, " ")
	mapping, ok := set.For(handover.Wire(wire), typ, "", "")
	if !ok {
		t.Fatalf("no mapping makes %s", tell)
	}
	h := tellHeader(mapping.Wire)
	h.Conversation, h.Parent = c.Header.Conversation, c.Header.Parent
	tree, report, err := engine.FromFHIR(mapping, c, engine.Context{Header: h})
	if err != nil {
		t.Fatal(err)
	}
	raw := encode(t, mapping.Wire, tree)
	name := strings.NewReplacer(" ", "-", "^", "-").Replace(tell)
	g.expect(t, name, shown(mapping.Wire, raw))
	g.expect(t, name+"-left", account.Readable(report.Leftover, "nb"))
	validateXML(t, mapping.Wire, raw)
	wellFormed(t, mapping.Wire, raw)
}
