package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// Institution speaks FHIR: it receives transactions and works on Tasks over REST.
type Institution struct {
	web    *webServer
	tokens Tokens
	inbox  *inbox
}

func startInstitution(tokens Tokens, now func() time.Time) (*Institution, error) {
	i := &Institution{tokens: tokens, inbox: newInbox()}
	mux := http.NewServeMux()
	receive := func(w http.ResponseWriter, r *http.Request) {
		takeTransaction(w, r, tokens.ToInstitution, i.inbox, now)
	}
	mux.HandleFunc("POST /fhir", receive)
	mux.HandleFunc("POST /fhir/{$}", receive)
	web, err := startWeb(mux)
	if err != nil {
		return nil, err
	}
	i.web = web
	return i, nil
}

// URL is the base of the institution's FHIR server.
func (i *Institution) URL() string { return i.web.url + "/fhir" }

// Close stops receiving.
func (i *Institution) Close() { i.web.Close() }

// takeTransaction stores a transaction Bundle and answers 200.
func takeTransaction(w http.ResponseWriter, r *http.Request, token string, to *inbox, now func() time.Time) {
	raw, ok := readBody(w, r, token)
	if !ok {
		return
	}
	var bundle struct {
		ResourceType string `json:"resourceType"`
		Type         string `json:"type"`
		Identifier   struct {
			Value string `json:"value"`
		} `json:"identifier"`
		Entry []json.RawMessage `json:"entry"`
	}
	if err := json.Unmarshal(raw, &bundle); err != nil || bundle.ResourceType != "Bundle" || bundle.Type != "transaction" {
		http.Error(w, "a transaction Bundle is expected", http.StatusBadRequest)
		return
	}
	if !to.seen(bundle.Identifier.Value) {
		to.put(Arrival{Type: "transaction", ID: bundle.Identifier.Value, At: now(), Raw: raw})
	}
	stored := strings.TrimSuffix(strings.Repeat(`{"response":{"status":"200 OK"}},`, len(bundle.Entry)), ",")
	answer, err := fill("transaction-response.json", map[string]string{"ENTRIES": stored})
	if err != nil {
		http.Error(w, "no fixture", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/fhir+json")
	w.Write(answer)
}

// statusMember finds Task.status; no other member of the fixture's Task has that name.
var statusMember = regexp.MustCompile(`"status"\s*:\s*"[a-z-]+"`)

// changeTask reads a Task, replaces its status, adds more members before it, and writes it
// back against the version that was read. want is the HTTP status expected.
func (i *Institution) changeTask(ctx context.Context, base, id, status, more string, want int) (reply, error) {
	url := base + "/Task/" + id
	got, err := call(ctx, http.MethodGet, url, i.tokens.Institution, "", nil, map[string]string{"Accept": "application/fhir+json"})
	if err != nil {
		return reply{}, err
	}
	if got.status != http.StatusOK || !statusMember.Match(got.body) {
		return got, fmt.Errorf("institution: read Task: %d %.300s", got.status, got.body)
	}
	first := statusMember.FindIndex(got.body)
	body := append([]byte(nil), got.body[:first[0]]...)
	body = append(append(body, more...), `"status":"`+status+`"`...)
	body = append(body, got.body[first[1]:]...)
	put, err := call(ctx, http.MethodPut, url, i.tokens.Institution, "application/fhir+json", body,
		map[string]string{"If-Match": got.header.Get("ETag")})
	if err == nil && put.status != want {
		err = fmt.Errorf("institution: Task to %s: expected %d, got %d: %.500s", status, want, put.status, put.body)
	}
	return put, err
}
