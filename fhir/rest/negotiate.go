package rest

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"stafett/handover"
)

// jsonTypes are the media types that mean FHIR's JSON (R4 3.1.0.1.11).
var jsonTypes = map[string]bool{"application/fhir+json": true, "application/json": true}

// negotiate refuses a caller that wants another format than JSON. _format overrides
// Accept (R4 3.1.0.1.11).
func (r *request) negotiate() error {
	format := ""
	if strings.Contains(r.URL.RawQuery, "_format") {
		format = r.URL.Query().Get("_format")
	}
	if format != "" {
		// A plus sign that was not escaped arrives as a space.
		if f := strings.ReplaceAll(format, " ", "+"); f == "json" || f == "text/json" || jsonMedia(f) {
			return nil
		}
		return notAcceptable()
	}
	accept := r.Header.Values("Accept")
	if len(accept) == 0 {
		return nil
	}
	empty := true
	for _, part := range strings.Split(strings.Join(accept, ","), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if empty = false; takesJSON(part) {
			return nil
		}
	}
	if empty {
		return nil
	}
	return notAcceptable()
}

func notAcceptable() error {
	return wireFault(http.StatusNotAcceptable, "not-supported", handover.FaultUnsupported, "only application/fhir+json is served", "")
}

func takesJSON(part string) bool {
	media, params, err := mime.ParseMediaType(part)
	if err != nil {
		return false
	}
	if q, ok := params["q"]; ok {
		if v, err := strconv.ParseFloat(q, 64); err != nil || v <= 0 {
			return false
		}
	}
	return media == "*/*" || media == "application/*" || (jsonTypes[media] && r4(params))
}

func jsonMedia(value string) bool {
	media, params, err := mime.ParseMediaType(value)
	return err == nil && jsonTypes[media] && r4(params)
}

// r4 accepts a fhirVersion parameter of R4 only (R4 3.1.0.1.12).
func r4(params map[string]string) bool {
	v := params["fhirversion"]
	return v == "" || v == "4.0" || v == "4.0.1"
}

// takes refuses a body of another media type or charset.
func (r *request) takes(media map[string]bool, text string) error {
	unsupported := wireFault(http.StatusUnsupportedMediaType, "not-supported", handover.FaultUnsupported, text, "")
	got, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || !media[got] || !r4(params) {
		return unsupported
	}
	if cs := params["charset"]; cs != "" && !strings.EqualFold(cs, "utf-8") && !strings.EqualFold(cs, "utf8") {
		return unsupported
	}
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return unsupported
	}
	return nil
}

// preference is what Prefer's return asks to get back (R4 3.1.0.1.5).
type preference string

const (
	preferNone           preference = ""
	preferMinimal        preference = "minimal"
	preferRepresentation preference = "representation"
	preferOutcome        preference = "OperationOutcome"
)

func (r *request) prefers() preference {
	for _, header := range r.Header.Values("Prefer") {
		for _, part := range strings.FieldsFunc(header, func(c rune) bool { return c == ',' || c == ';' }) {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			if !strings.EqualFold(strings.TrimSpace(name), "return") {
				continue
			}
			switch p := preference(strings.Trim(strings.TrimSpace(value), `"`)); p {
			case preferMinimal, preferRepresentation, preferOutcome:
				return p
			}
		}
	}
	return preferNone
}
