package events

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"stafett/handover"
	"stafett/ledger"
)

var update = flag.Bool("update", false, "rewrite the schema files")

func TestSchemas_AreTheClosedSet(t *testing.T) {
	due := map[string]bool{}
	for _, name := range handover.EventNames() {
		file := filepath.Join("schema", string(name)+".json")
		due[file] = true
		want := schemaOf(t, name)
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		have, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(have, want) {
			t.Errorf("%s is not what the vocabulary says; run with -update", file)
		}
	}
	files, err := filepath.Glob("schema/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !due[f] {
			t.Errorf("%s describes no event", f)
		}
	}
}

// schemaOf makes an event's schema from the closed sets of package handover, so that a new
// word cannot be published undescribed.
func schemaOf(t *testing.T, name handover.EventName) []byte {
	t.Helper()
	kinds, states, roles := handover.Kinds(), handover.States()[1:], handover.ActorRoles()
	id := map[string]any{"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,200}$"}
	party := map[string]any{"type": "string", "pattern": "^[a-z0-9-]{1,64}$"}
	code := map[string]any{"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9 .:_-]{0,199}$"}
	path := map[string]any{"type": "string", "pattern": "^/[A-Za-z0-9._:/-]{1,250}$"}
	schema := map[string]any{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"$id":         SchemaID(name),
		"title":       "Stafett event " + string(name),
		"description": "Ids, codes and links only; no personal data.",
		"type":        "object",
		"required": []string{"sequence", "id", "handover", "chain", "kind", "event", "from", "to",
			"state", "at", "links"},
		"additionalProperties": false,
		"properties": map[string]any{
			"sequence":  map[string]any{"type": "integer", "minimum": 1},
			"id":        id,
			"handover":  id,
			"chain":     id,
			"kind":      map[string]any{"enum": kinds},
			"event":     map[string]any{"const": name},
			"from":      party,
			"to":        party,
			"state":     map[string]any{"enum": states},
			"actor":     party,
			"role":      map[string]any{"enum": roles},
			"reason":    code,
			"attention": map[string]any{"enum": handover.AttentionReasons()},
			"message":   id,
			"at":        map[string]any{"type": "string", "format": "date-time"},
			"chainHead": map[string]any{"type": "string", "pattern": "^[0-9a-f]{64}$"},
			"links": map[string]any{
				"type": "object", "required": []string{"task"}, "additionalProperties": false,
				"properties": map[string]any{"task": path, "message": path},
			},
		},
	}
	b, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

func TestEncode_EveryEventIsValidAndSaysOnlyIDsCodesAndLinks(t *testing.T) {
	m := &memory{epoch: "e1"}
	m.add(len(handover.EventNames()) * 3)
	for _, e := range m.events {
		for _, attention := range append([]handover.AttentionReason{""}, handover.AttentionReasons()...) {
			e.Attention = attention
			checkEvent(t, e)
		}
	}
	bare := m.events[0]
	bare.Actor, bare.Role, bare.Reason, bare.Message, bare.ChainHead = "", "", "", "", ""
	checkEvent(t, bare)
}

var schemas = map[handover.EventName]*jsonschema.Schema{}

// compiled is an event's schema, under the name it gives itself.
func compiled(t *testing.T, name handover.EventName) *jsonschema.Schema {
	t.Helper()
	if s := schemas[name]; s != nil {
		return s
	}
	raw, err := os.ReadFile(filepath.Join("schema", string(name)+".json"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("file:///event.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("file:///event.json")
	if err != nil {
		t.Fatal(err)
	}
	schemas[name] = s
	return s
}

func checkEvent(t *testing.T, e ledger.Event) {
	t.Helper()
	msg, err := Encode(e, "e1")
	if err != nil {
		t.Fatal(err)
	}
	schema := compiled(t, e.Name)
	if got := msg.Header.Get(headerSchema); got != schema.ID {
		t.Errorf("dataschema %s, the schema is %s", got, schema.ID)
	}
	data, err := jsonschema.UnmarshalJSON(bytes.NewReader(msg.Data))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(data); err != nil {
		t.Fatalf("%s: %v", e.Name, err)
	}
	for _, h := range []string{headerSpecVersion, headerID, headerSource, headerType, headerTime, headerSubject, headerContentType, headerSchema} {
		if msg.Header.Get(h) == "" {
			t.Errorf("%s: no header %s", e.Name, h)
		}
	}
	if got := msg.Header.Get(headerType); got != "no.stafett.handover.v1."+string(e.Kind)+"."+string(e.Name) {
		t.Error(got)
	}
	again, _ := Encode(e, "e1")
	if digestOf(msg.Subject, msg.Header, msg.Data) != digestOf(again.Subject, again.Header, again.Data) {
		t.Error("the same event gave other bytes")
	}
}

func TestSubject_IsSafeAndOneToOne(t *testing.T) {
	e := ledger.Event{Kind: "discharge", Name: "ready", From: hospital, To: "kommune-4601"}
	if got := Subject(e); got != "handover.v1.discharge.ready.fjellheim-sykehus.kommune-4601" {
		t.Fatal(got)
	}
	seen := map[string]string{}
	for _, bad := range []string{"", "a.b", "*", ">", "a b", "a_2eb", "a\x00", "Ås", "ås", "_"} {
		s := Subject(ledger.Event{Kind: "discharge", Name: "ready", From: handover.PartyID(bad), To: "x"})
		if strings.Count(s, ".") != 5 || strings.ContainsAny(s, "*> \x00") {
			t.Errorf("%q gives %q", bad, s)
		}
		if other, ok := seen[s]; ok {
			t.Errorf("%q and %q give the same subject", bad, other)
		}
		seen[s] = bad
	}
}

func TestWeaker_AcceptsItsOwn(t *testing.T) {
	if err := weaker(requiredStream(3, 1), requiredStream(3, 1)); err != nil {
		t.Fatal(err)
	}
}
