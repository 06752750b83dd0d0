package rest

import (
	"net/http"
	"net/url"
	"strconv"

	"stafett/fhir"
	"stafett/handover"
)

// Page sizes.
const (
	countDefault = 50
	countMax     = 1000
)

// pageParameter carries the opaque position behind which a page begins.
const pageParameter = "_after"

// history answers GET on _history of an instance, a type or the system (R4 3.1.0.10),
// newest first.
func (a *api) history(r *request) (answer, error) {
	values, err := r.query()
	if err != nil {
		return answer{}, err
	}
	count, before := countDefault, ""
	for name, list := range values {
		switch {
		case len(list) != 1:
			return answer{}, parameterFault("a parameter is given twice")
		case name == "_count":
			if count, err = strconv.Atoi(list[0]); err != nil || count < 1 {
				return answer{}, parameterFault("_count must be a number of 1 or more")
			}
			count = min(count, countMax)
		case name == pageParameter:
			before = list[0]
		default:
			return answer{}, parameterFault("history takes _count only")
		}
	}
	page, err := a.Reader.History(r.Context(), r.caller, r.typ, r.id, count, before)
	if err != nil {
		return answer{}, hidden(err)
	}
	b := newBundle("history", page.Total, r.links(r.historyPath(), values, page.Next)...)
	for _, v := range page.Versions {
		r.addVersion(b, v)
	}
	return answer{status: http.StatusOK, body: b.bytes()}, nil
}

func (r *request) historyPath() string {
	path := "/_history"
	if r.id != "" {
		path = "/" + r.id + path
	}
	if r.typ != "" {
		path = "/" + r.typ + path
	}
	return path
}

// addVersion adds a version with the request that made it, as far as that is known: the
// first version counts as a create.
func (r *request) addVersion(b *bundle, v fhir.Version) {
	method, target, status := http.MethodPut, v.Type+"/"+v.ID, http.StatusOK
	resource := v.JSON
	switch {
	case v.Deleted:
		method, status, resource = http.MethodDelete, http.StatusNoContent, nil
	case v.Version == 1:
		method, target, status = http.MethodPost, v.Type, http.StatusCreated
	}
	b.add(r.url(v.Type, v.ID, 0), resource,
		fhir.Member{Name: "request", Value: fhir.Obj("method", method, "url", target)},
		fhir.Member{Name: "response", Value: fhir.Obj("status", statusLine(status), "etag", etag(v.Version), "lastModified", instant(v.At))})
}

// query returns the parameters of the URL that are for the interaction.
func (r *request) query() (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, parameterFault("the query is not of the form name=value&name=value")
	}
	return plain(values), nil
}

// plain drops the parameters that negotiation has dealt with.
func plain(values url.Values) url.Values {
	values.Del("_format")
	values.Del("_pretty")
	return values
}

func parameterFault(text string) error {
	return wireFault(http.StatusBadRequest, "value", handover.FaultInvalid, text, "")
}

// links are self, and next when there is more.
func (r *request) links(path string, values url.Values, next string) []link {
	at := func(v url.Values) string {
		u := r.base() + path
		if q := v.Encode(); q != "" {
			u += "?" + q
		}
		return u
	}
	links := []link{{"self", at(values)}}
	if next != "" {
		more := url.Values{}
		for name, list := range values {
			more[name] = list
		}
		more.Set(pageParameter, next)
		links = append(links, link{"next", at(more)})
	}
	return links
}
