package events

import (
	"embed"
	"encoding/json"
	"fmt"

	"stafett/handover"
)

//go:embed schema/*.json
var schemaFiles embed.FS

// Schema returns the JSON Schema (2020-12) of an event's data.
func Schema(name handover.EventName) ([]byte, error) {
	b, err := schemaFiles.ReadFile("schema/" + string(name) + ".json")
	if err != nil {
		return nil, fmt.Errorf("events: no schema for event %q", name)
	}
	return b, nil
}

// generateSchema makes an event's schema from the closed sets of package handover; a
// test holds the files to it, so that a new word cannot be published undescribed.
func generateSchema(name handover.EventName) ([]byte, error) {
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
		return nil, fmt.Errorf("events: make schema of %q: %w", name, err)
	}
	return append(b, '\n'), nil
}
