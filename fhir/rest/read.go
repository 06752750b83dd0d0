package rest

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"stafett/fhir"
	"stafett/handover"
)

// read answers GET [type]/[id] (R4 3.1.0.2).
func (a *api) read(r *request) (answer, error) {
	if err := r.whole(); err != nil {
		return answer{}, err
	}
	v, err := a.Reader.Read(r.Context(), r.caller, r.typ, r.id)
	return r.version(v, err)
}

// whole refuses a read of a part of a resource: it would be taken for all of it.
func (r *request) whole() error {
	for _, name := range []string{"_elements", "_summary"} {
		if r.URL.Query().Has(name) {
			return parameterFault("a resource is read whole: neither _elements nor _summary is served")
		}
	}
	return nil
}

// readVersion answers GET [type]/[id]/_history/[version] (R4 3.1.0.3).
func (a *api) readVersion(r *request) (answer, error) {
	if err := r.whole(); err != nil {
		return answer{}, err
	}
	n, err := strconv.ParseInt(r.c.Param("version"), 10, 64)
	if err != nil || n < 1 {
		return answer{}, &handover.Fault{Kind: handover.FaultNotFound, Op: "rest.readVersion"}
	}
	v, err := a.Reader.ReadVersion(r.Context(), r.caller, r.typ, r.id, n)
	return r.version(v, err)
}

// version answers with a stored version, or with 304 when the caller has it already
// (conditional read, R4 3.1.0.1.7).
func (r *request) version(v fhir.Version, err error) (answer, error) {
	if err != nil {
		return answer{}, hidden(err)
	}
	if v.Deleted {
		return answer{}, &handover.Fault{Kind: handover.FaultGone, Op: "rest.version"}
	}
	ans := answer{status: http.StatusOK, body: v.JSON, version: v.Version, modified: v.At}
	if r.hasVersion(v) {
		ans.status, ans.body = http.StatusNotModified, nil
	}
	return ans, nil
}

// hasVersion: If-None-Match decides alone where it is given (RFC 9110 13.2.2).
func (r *request) hasVersion(v fhir.Version) bool {
	if tags := r.Header.Values("If-None-Match"); len(tags) > 0 {
		for _, tag := range strings.Split(strings.Join(tags, ","), ",") {
			if n, ok := fhir.ParseETag(tag); strings.TrimSpace(tag) == "*" || (ok && n == v.Version) {
				return true
			}
		}
		return false
	}
	since, err := http.ParseTime(r.Header.Get("If-Modified-Since"))
	return err == nil && !v.At.Truncate(time.Second).After(since)
}
