package rest

import (
	"net/http"

	"stafett/fhir"
	"stafett/fhir/search"
)

// capabilities answers GET metadata (R4 3.1.0.12).
func (a *api) capabilities(*request) (answer, error) {
	return answer{status: http.StatusOK, body: a.metadata}, nil
}

// capabilityStatement says what is served, from the same data that serves it.
func (a *api) capabilityStatement() []byte {
	resources := make([]*fhir.Node, len(a.Types))
	for i, t := range a.Types {
		resources[i] = resourceCapability(t)
	}
	implementation := fhir.Obj("description", "Stafett, the handover gateway between care levels", "url", a.Base)
	return fhir.Obj(
		"resourceType", "CapabilityStatement",
		"status", "active",
		"date", instant(a.Now()),
		"kind", "instance",
		"software", fhir.Obj("name", "Stafett", "version", a.Version),
		"implementation", implementation,
		"fhirVersion", "4.0.1",
		"format", fhir.Arr(fhir.Str("application/fhir+json"), fhir.Str("json")),
		"rest", fhir.Arr(fhir.Obj(
			"mode", "server",
			"security", fhir.Obj("description", "Every interaction but this one needs a bearer token. A party reads what it takes part in; only its author changes a resource, and a Task's requester and owner each their own elements."),
			"resource", resources,
			"interaction", codes("transaction", "batch", "history-system"),
		)),
	).JSON()
}

func resourceCapability(typ string) *fhir.Node {
	var params []*fhir.Node
	for _, p := range search.Params(typ) {
		params = append(params, fhir.Obj("name", p.Code, "type", string(p.Kind)))
	}
	return fhir.Obj(
		"type", typ,
		"interaction", codes("read", "vread", "update", "delete", "history-instance", "history-type", "create", "search-type"),
		"versioning", "versioned-update",
		"readHistory", true,
		"updateCreate", false,
		"conditionalCreate", true,
		"conditionalRead", "full-support",
		"conditionalUpdate", true,
		"conditionalDelete", "single",
		"searchParam", params,
	)
}

func codes(list ...string) *fhir.Node {
	items := make([]*fhir.Node, len(list))
	for i, c := range list {
		items[i] = fhir.Obj("code", c)
	}
	return fhir.Arr(items...)
}
