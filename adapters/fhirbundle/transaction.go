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
		entries[i] = fhir.Obj("fullUrl", w.fullURL(target), "resource", content(r),
			"request", fhir.Obj("method", "PUT", "url", target))
	}
	return fhir.Obj("resourceType", "Bundle",
		"identifier", fhir.Identifier(SystemMessage, id),
		"type", "transaction",
		"timestamp", at.UTC().Format("2006-01-02T15:04:05.000Z"),
		"entry", entries).JSON()
}

// content is a resource without what meta says of its version here, which is not the
// receiver's (R4 3.1.0.2: a server sets it anew).
func content(r *fhir.Node) *fhir.Node {
	meta := r.Get("meta")
	if meta.Get("versionId") == nil && meta.Get("lastUpdated") == nil {
		return r
	}
	r = r.Clone()
	meta = r.Get("meta")
	meta.Delete("versionId")
	meta.Delete("lastUpdated")
	if len(meta.Members) == 0 {
		r.Delete("meta")
	}
	return r
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
