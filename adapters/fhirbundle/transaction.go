package fhirbundle

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"stafett/fhir"
)

// SystemMessage is the system of Bundle.identifier: the id of an outgoing message.
const SystemMessage = "urn:stafett:message"

// Bundle makes a transaction Bundle that stores each resource under the id that it
// has here (PUT Type/id), so that sending it twice changes nothing. id is the message's
// identity. The resources are not changed; those without type or id are the caller's
// mistake and come out as they are.
func (w Wire) Bundle(id string, at time.Time, resources []*fhir.Node) []byte {
	entries := make([]*fhir.Node, len(resources))
	for i, r := range resources {
		target := r.ResourceType() + "/" + r.ID()
		entries[i] = fhir.Obj("fullUrl", w.fullURL(target), "resource", r,
			"request", fhir.Obj("method", "PUT", "url", target))
	}
	return fhir.Obj("resourceType", "Bundle",
		"identifier", fhir.Identifier(SystemMessage, id),
		"type", "transaction",
		"timestamp", at.UTC().Format("2006-01-02T15:04:05.000Z"),
		"entry", entries).JSON()
}

func (w Wire) fullURL(target string) string {
	if w.Base != "" {
		return strings.TrimSuffix(w.Base, "/") + "/" + target
	}
	return urn([]byte(target))
}

// urn is the same UUID for the same content, because a message is made once and may be
// made again after a crash.
func urn(content []byte) string {
	return "urn:uuid:" + uuid.NewSHA1(uuid.NameSpaceURL, append([]byte("urn:stafett:"), content...)).String()
}
