package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"stafett/api"
)

// TestRoutes_RefuseInTheirOwnWords: what reaches no handler is answered below /fhir with an
// OperationOutcome and elsewhere with a problem.
func TestRoutes_RefuseInTheirOwnWords(t *testing.T) {
	box := boxFor(t, newWireParties(t))
	cfg, err := sandboxConfig(box)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Limits.RequestsPerSecond = 1 // and two at once
	a, err := startApp(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.shutdown(); err != nil {
			t.Error(err)
		}
	})
	b := blackboxOf(t, box)
	b.at.Store(&gatewayProcess{http: "http://" + a.httpAddr})
	for _, c := range []struct {
		token, method, path string
		status              int
		allow               string
	}{
		{"one", "GET", "/surprise", http.StatusNotFound, ""},
		{"one", "DELETE", "/handovers", http.StatusMethodNotAllowed, "GET"},
		{"two", "GET", "/kith", http.StatusMethodNotAllowed, "POST"},
		{b.tokens[sykehus], "GET", "/fhir/Task/1/2/3/4/5", http.StatusNotFound, ""},
		{b.tokens[sykehus], "DELETE", "/fhir/metadata", http.StatusMethodNotAllowed, "GET, HEAD"},
	} {
		got := b.refuses(c.method, c.path, c.token, c.status)
		if got.header.Get("Allow") != c.allow {
			t.Errorf("%s %s: Allow is %q", c.method, c.path, got.header.Get("Allow"))
		}
	}
	for _, path := range []string{"/handovers", "/fhir", "/fhir/Task", "/kith"} {
		token := "three" + path
		for range 10 {
			b.status("GET", path, token, nil, nil)
		}
		if got := b.refuses("GET", path, token, http.StatusTooManyRequests); got.header.Get("Retry-After") == "" {
			t.Errorf("%s: 429 without Retry-After", path)
		}
	}
}

// refuses asks for something that is answered with status, in the words of the path.
func (b *blackbox) refuses(method, path, token string, status int) answer {
	b.t.Helper()
	got, err := b.request(b.t.Context(), method, path, token, nil, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	media, word := api.ProblemType, `"correlation"`
	if strings.HasPrefix(path, "/fhir") {
		media, word = "application/fhir+json", `"OperationOutcome"`
	}
	if got.status != status || !strings.HasPrefix(got.header.Get("Content-Type"), media) || !bytes.Contains(got.body, []byte(word)) {
		b.t.Errorf("%s %s: %d %s %.200s", method, path, got.status, got.header.Get("Content-Type"), got.body)
	}
	return got
}
