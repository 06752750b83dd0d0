package rest

import (
	"net/http"
	"slices"

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
	versioning := "versioned"
	if typ == "Task" {
		versioning = "versioned-update" // it is changed under If-Match
	}
	conditionalDelete := "single"
	if !writable(typ, "delete") {
		conditionalDelete = "not-supported"
	}
	return fhir.Obj(
		"type", typ,
		"interaction", codes(interactions(typ)...),
		"versioning", versioning,
		"readHistory", true,
		"updateCreate", false,
		"conditionalCreate", writable(typ, "create"),
		"conditionalRead", "full-support",
		"conditionalUpdate", writable(typ, "update"),
		"conditionalDelete", conditionalDelete,
		"searchParam", params,
	)
}

// withheld are the interactions that a type is not served with: a handover is not deleted, a
// record of what happened is not changed, and a subscription would stay dead.
var withheld = map[string][]string{
	"Task": {"delete"}, "AuditEvent": {"update", "delete"}, "Provenance": {"update", "delete"}, "Subscription": {"create", "update"},
}

func writable(typ, interaction string) bool { return !slices.Contains(withheld[typ], interaction) }

func interactions(typ string) []string {
	all := []string{"read", "vread", "update", "delete", "history-instance", "history-type", "create", "search-type"}
	return slices.DeleteFunc(all, func(i string) bool { return !writable(typ, i) })
}

func codes(list ...string) *fhir.Node {
	items := make([]*fhir.Node, len(list))
	for i, c := range list {
		items[i] = fhir.Obj("code", c)
	}
	return fhir.Arr(items...)
}
