package rest

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"stafett/fhir"
	"stafett/fhir/search"
	"stafett/handover"
)

// formBytesMax bounds the form of a search by POST.
const formBytesMax = 64 << 10

var formTypes = map[string]bool{"application/x-www-form-urlencoded": true}

// search answers GET [type]?… (R4 3.1.0.9).
func (a *api) search(r *request) (answer, error) {
	values, err := r.query()
	if err != nil {
		return answer{}, err
	}
	page, err := a.searchset(r, r.typ, values)
	return answer{status: http.StatusOK, body: page}, err
}

// searchForm answers POST [type]/_search, which keeps what is searched for out of URLs,
// and so out of the logs of whatever stands between. The next link repeats it; a caller
// that minds sends that link's parameters as a form again.
func (a *api) searchForm(r *request) (answer, error) {
	values, err := r.query()
	if err != nil {
		return answer{}, err
	}
	if r.ContentLength != 0 {
		if err := r.takes(formTypes, "a search is sent as application/x-www-form-urlencoded"); err != nil {
			return answer{}, err
		}
		raw, err := r.body(formBytesMax)
		if err != nil {
			return answer{}, err
		}
		form, err := url.ParseQuery(strings.TrimSpace(string(raw)))
		if err != nil {
			return answer{}, parameterFault("the form is not of the form name=value&name=value")
		}
		for name, list := range plain(form) {
			values[name] = append(values[name], list...)
		}
	}
	page, err := a.searchset(r, r.typ, values)
	return answer{status: http.StatusOK, body: page}, err
}

// searchset is the page of matches as a Bundle, with the links to itself and the next.
func (a *api) searchset(r *request, typ string, values url.Values) ([]byte, error) {
	asked := r.relative(values)
	totalOnly := asked.Get("_count") == "0" // R4 3.1.1.5.4: how many, and none of them
	if totalOnly {
		asked.Del("_count")
	}
	q, err := search.ParseQuery(typ, asked)
	if err != nil {
		return nil, searchFault(err)
	}
	q.Total = q.Total || totalOnly
	page, err := a.Reader.Search(r.Context(), r.caller, q)
	if err != nil {
		return nil, hidden(err)
	}
	if totalOnly {
		page.Versions, page.Next = nil, ""
	}
	b := newBundle("searchset", page.Total, r.links("/"+typ, values, page.Next)...)
	match := fhir.Obj("mode", "match")
	for _, v := range page.Versions {
		b.add(r.url(v.Type, v.ID, 0), v.JSON, fhir.Member{Name: "search", Value: match})
	}
	return b.bytes(), nil
}

// relative are search values in which an absolute reference to this server is a relative one.
func (r *request) relative(values url.Values) url.Values {
	out := url.Values{}
	for name, list := range values {
		for _, v := range list {
			out.Add(name, strings.ReplaceAll(v, r.base()+"/", ""))
		}
	}
	return out
}

// searchFault tells what is wrong with a search, parameter by parameter. Names of
// parameters can be anything that a caller wrote, so they are told but not logged.
func searchFault(err error) error {
	fault := &wireError{verdict: verdict{http.StatusBadRequest, "not-supported"},
		Fault: &handover.Fault{Kind: handover.FaultUnsupported, Op: "rest.search", Text: "a search that is not served"}}
	var all *search.Error
	if errors.As(err, &all) {
		fault.issues = all.Issues
	}
	return fault
}
