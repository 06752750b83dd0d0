package rest

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"stafett/fhir"
	"stafett/handover"
)

// contentType of every answer with a body (R4 3.1.0.1.3).
const contentType = "application/fhir+json; charset=utf-8"

// retryAfter is how long a caller should wait behind a temporary fault, in seconds.
const retryAfter = "5"

// answer is one HTTP answer.
type answer struct {
	status   int
	body     []byte // nil for none
	location string
	version  int64 // of the ETag, 0 for none
	modified time.Time
	header   http.Header
}

// outcome answers with an OperationOutcome.
func outcome(status int, n *fhir.Node) answer { return answer{status: status, body: n.JSON()} }

// refusal is the answer to err.
func refusal(err error, correlation handover.CorrelationID) answer {
	v, _ := verdictOf(err)
	ans := outcome(v.status, outcomeOf(err, correlation))
	ans.header = http.Header{}
	switch v.status {
	case http.StatusUnauthorized:
		ans.header.Set("WWW-Authenticate", `Bearer realm="stafett"`)
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		ans.header.Set("Retry-After", retryAfter)
	}
	var w *wireError
	if errors.As(err, &w) {
		for k, v := range w.header {
			ans.header[k] = v
		}
	}
	return ans
}

func etag(version int64) string { return `W/"` + strconv.FormatInt(version, 10) + `"` }

// write sends ans.
func (r *request) write(ans answer) {
	h := r.c.Writer.Header()
	for k, v := range ans.header {
		h[k] = v
	}
	if ans.version > 0 {
		h.Set("ETag", etag(ans.version))
	}
	if !ans.modified.IsZero() {
		h.Set("Last-Modified", ans.modified.UTC().Format(http.TimeFormat))
	}
	if ans.location != "" {
		h.Set("Location", ans.location)
	}
	if ans.body != nil {
		h.Set("Content-Type", contentType)
	}
	if ans.status != http.StatusNoContent && ans.status != http.StatusNotModified {
		h.Set("Content-Length", strconv.Itoa(len(ans.body)))
	}
	r.c.Status(ans.status)
	r.c.Writer.WriteHeaderNow()
	if r.Method != http.MethodHead && len(ans.body) > 0 {
		// A caller that has gone does not read the answer; what was stored stays stored.
		_, _ = r.c.Writer.Write(ans.body)
	}
}

// log writes the request's one line. The query and ids are left out: a caller can put
// anything there.
func (r *request) log(status int, started time.Time, err error) {
	level := slog.LevelInfo
	fields := []any{"method", r.Method, "route", r.c.FullPath(), "type", r.typ, "status", status,
		"party", string(r.caller.Party), "duration", r.api.Now().Sub(started), "correlation", string(r.correlation)}
	if err != nil {
		f := handover.FaultOf(err)
		fields = append(fields, "fault", string(f.Kind), "error", f.Error())
		if f.Kind == handover.FaultUnknown || f.Kind == handover.FaultTemporary {
			level = slog.LevelError
			if f.Err != nil {
				fields = append(fields, "cause", f.Err.Error())
			}
		}
	}
	r.api.Logger.Log(r.Context(), level, "fhir request", fields...)
}

// statusLine is Bundle.entry.response.status.
func statusLine(status int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
}
