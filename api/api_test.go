package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"stafett/access"
	"stafett/gateway/desk"
	"stafett/handover"
	"stafett/ledger"
)

// fakeDesk is a desk whose every answer is set by the test.
type fakeDesk struct {
	Desk
	err   error
	asked page
}

func (d *fakeDesk) Inspect(_ context.Context, _ access.Caller, id string) (desk.MessageView, error) {
	if id == "panics" {
		panic("a secret")
	}
	return desk.MessageView{ID: handover.MessageID(id)}, d.err
}

func (d *fakeDesk) DryRun(context.Context, handover.Wire, []byte, handover.Wire, string) (desk.Translation, error) {
	return desk.Translation{}, d.err
}

func (d *fakeDesk) Handovers(_ context.Context, _ access.Caller, f ledger.HandoverFilter) (ledger.Listing[desk.HandoverView], error) {
	d.asked = page{f.Limit, f.After}
	return ledger.Listing[desk.HandoverView]{Items: []desk.HandoverView{{ID: "a"}}, Next: "n", Total: 7}, d.err
}

func (d *fakeDesk) ParkedMessages(_ context.Context, _ access.Caller, limit int, after string) (ledger.Listing[ledger.Message], error) {
	d.asked = page{limit, after}
	return ledger.Listing[ledger.Message]{Items: []ledger.Message{{ID: "a"}}, Next: "n", Total: 7}, d.err
}

func (d *fakeDesk) ParkedDeliveries(_ context.Context, _ access.Caller, limit int, after string) (ledger.Listing[ledger.Delivery], error) {
	d.asked = page{limit, after}
	return ledger.Listing[ledger.Delivery]{}, d.err
}

func (d *fakeDesk) ResolvedMessages(_ context.Context, _ access.Caller, limit int, after string) (ledger.Listing[ledger.Message], error) {
	d.asked = page{limit, after}
	return ledger.Listing[ledger.Message]{Items: []ledger.Message{{ID: "ended", Resolution: "by telephone", Person: "Oda Operatør"}}, Total: 1}, d.err
}

func (d *fakeDesk) ResolvedDeliveries(_ context.Context, _ access.Caller, limit int, after string) (ledger.Listing[ledger.Delivery], error) {
	d.asked = page{limit, after}
	return ledger.Listing[ledger.Delivery]{}, d.err
}

func (d *fakeDesk) Unheard(_ context.Context, _ access.Caller, limit int, after string) (ledger.Listing[ledger.Message], error) {
	d.asked = page{limit, after}
	return ledger.Listing[ledger.Message]{Items: []ledger.Message{{ID: "a", Unheard: "no-receiver"}}, Total: 1}, d.err
}

func (d *fakeDesk) Resend(context.Context, access.Caller, handover.DeliveryID) (ledger.Delivery, error) {
	return ledger.Delivery{ID: "d"}, d.err
}

func (d *fakeDesk) CloseDelivery(context.Context, access.Caller, handover.DeliveryID, string) error {
	return d.err
}

func (d *fakeDesk) Reindex(context.Context) (int, error) { return 3, d.err }

type record struct {
	err   error
	audit []ledger.Audit
	cp    *ledger.Checkpoint
}

func (r *record) Balance(context.Context) (ledger.Balance, error) {
	return ledger.Balance{Received: 2, Delivered: 1, Unaccounted: []handover.MessageID{"m"}}, r.err
}

func (r *record) Verify(_ context.Context, cp *ledger.Checkpoint) (ledger.Verification, error) {
	r.cp = cp
	return ledger.Verification{Entries: 4, Head: "sha256:1", Finding: &ledger.Finding{Entry: 2, Problem: "changed"}}, r.err
}

func (r *record) Head(context.Context) (ledger.Checkpoint, error) {
	return ledger.Checkpoint{Epoch: "e", Entry: 4, Head: "sha256:1"}, r.err
}

func (r *record) AuditOf(_ context.Context, f ledger.AuditFilter) (ledger.Listing[ledger.Audit], error) {
	out := ledger.Listing[ledger.Audit]{Items: r.audit, Total: len(r.audit)}
	from, err := strconv.Atoi(cmp.Or(f.After, "0"))
	if err != nil {
		return out, &handover.Fault{Kind: handover.FaultInvalid}
	}
	to := min(from+f.Limit, len(r.audit))
	if out.Items = r.audit[from:to]; to < len(r.audit) {
		out.Next = strconv.Itoa(to)
	}
	return out, r.err
}

type streams struct{}

func (streams) Compare(_ context.Context, party handover.PartyID, _ int64) (StreamVerification, error) {
	if party == "by" {
		return StreamVerification{}, &handover.Fault{Kind: handover.FaultInvalid, Path: "party"}
	}
	return StreamVerification{Ledger: 3, Stream: 2, Compared: 2, Finding: &StreamFinding{Event: 3, Problem: "missing"}}, nil
}

// callers knows tokens that are the caller's party, and "operator".
type callers struct{}

func (callers) Authenticate(_ context.Context, bearer string) (access.Caller, error) {
	switch bearer {
	case "":
		return access.Caller{}, &handover.Fault{Kind: handover.FaultUnauthenticated, Text: "a bearer token is needed"}
	case "operator":
		return access.Caller{Kind: access.CallerOperator, Person: "Oda Operatør"}, nil
	}
	return access.Caller{Kind: access.CallerParty, Party: handover.PartyID(bearer)}, nil
}

func served(t *testing.T, d *fakeDesk, r *record, limit Limiter) http.Handler {
	t.Helper()
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.Use(Recover(slog.New(slog.DiscardHandler)))
	if limit != nil {
		e.Use(Limit(limit, TooManyRequests))
	}
	e.NoRoute(NotFound)
	e.NoMethod(MethodNotAllowed)
	Mount(e, Options{Desk: d, Index: d, Record: r, Streams: streams{}, Callers: callers{}, MessageBytes: 100})
	return e
}

func call(t *testing.T, h http.Handler, token, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

// problemIn fails unless the answer is a whole problem with that status.
func problemIn(t *testing.T, w *httptest.ResponseRecorder, status int) Problem {
	t.Helper()
	var p Problem
	err := json.Unmarshal(w.Body.Bytes(), &p)
	if err != nil || w.Code != status || p.Status != status || w.Header().Get("Content-Type") != ProblemType {
		t.Fatalf("%d %s %v: %s", w.Code, w.Header().Get("Content-Type"), err, w.Body)
	}
	if p.Type == "" || p.Title == "" || p.Kind == "" || p.Correlation == "" || w.Header().Get(CorrelationHeader) != string(p.Correlation) {
		t.Errorf("an incomplete problem: %s", w.Body)
	}
	return p
}

func TestProblem_EveryFaultKindHasOneAnswer(t *testing.T) {
	want := map[handover.FaultKind]int{
		handover.FaultTemporary: 503, handover.FaultOverload: 429, handover.FaultTooLarge: 413, handover.FaultMalformed: 400,
		handover.FaultUnsupported: 422, handover.FaultInvalid: 422, handover.FaultBadMessageID: 422, handover.FaultPatientUnidentified: 422,
		handover.FaultSenderUnknown: 403, handover.FaultReceiverUnknown: 422, handover.FaultServiceUnknown: 422, handover.FaultNoRoute: 422,
		handover.FaultUnauthenticated: 401, handover.FaultForbidden: 403, handover.FaultNotFound: 404, handover.FaultGone: 410,
		handover.FaultConflict: 409, handover.FaultPrecondition: 412, handover.FaultIllegal: 422, handover.FaultUnmapped: 422,
		handover.FaultAmbiguous: 422, handover.FaultUnknown: 503,
	}
	for _, kind := range handover.FaultKinds() {
		if _, ok := answers[kind]; !ok || want[kind] == 0 {
			t.Errorf("%s has no answer", kind)
			continue
		}
		fault := &handover.Fault{Kind: kind, Op: "x.y", Text: "what", Path: "PID-3", Allowed: []handover.EventName{handover.EventAccepted}, Err: errors.New("secret")}
		w := call(t, served(t, &fakeDesk{err: fault}, &record{}, nil), "kommune", "GET", "/messages/1", "")
		p := problemIn(t, w, want[kind])
		if strings.Contains(w.Body.String(), "secret") || strings.Contains(w.Body.String(), "x.y") {
			t.Errorf("%s tells its cause: %s", kind, w.Body)
		}
		if kind == handover.FaultUnknown {
			if p.Kind != handover.FaultTemporary || p.Path != "" || p.Detail != "try again later" || p.Allowed != nil {
				t.Errorf("an unknown fault is told as %s", w.Body)
			}
			continue
		}
		if p.Kind != kind || p.Type != "urn:stafett:fault:"+string(kind) || p.Detail != "what" || p.Path != "PID-3" || len(p.Allowed) != 1 {
			t.Errorf("%s is told as %s", kind, w.Body)
		}
	}
	if len(answers) != len(handover.FaultKinds()) {
		t.Errorf("%d answers for %d kinds", len(answers), len(handover.FaultKinds()))
	}
	for what, err := range map[string]error{"an error": errors.New("secret"), "a kind that nobody knows": &handover.Fault{Kind: "surprise", Text: "secret"}} {
		if p := problemOf(err); p.Status != 503 || p.Kind != handover.FaultTemporary || strings.Contains(p.String(), "secret") {
			t.Errorf("%s is told as %+v", what, p)
		}
	}
}

type limiter struct {
	ok  bool
	err error
}

func (l limiter) Allow(context.Context, string) (bool, time.Duration, error) {
	return l.ok, 1500 * time.Millisecond, l.err
}

func TestProblem_AlsoWhereNoRouteWasReached(t *testing.T) {
	h := served(t, &fakeDesk{}, &record{}, nil)
	for path, status := range map[string]int{"/nothing": 404, "/parked": 404, "/messages/": 404, "/handovers/1/answer/2": 404} {
		problemIn(t, call(t, h, "operator", "GET", path, ""), status)
	}
	w := call(t, h, "operator", "DELETE", "/ledger/balance", "")
	if p := problemIn(t, w, 405); w.Header().Get("Allow") != "GET" || !strings.Contains(p.Detail, "GET") {
		t.Errorf("405 with Allow %q: %s", w.Header().Get("Allow"), w.Body)
	}
	w = call(t, h, "", "GET", "/handovers", "")
	if problemIn(t, w, 401); w.Header().Get("WWW-Authenticate") == "" {
		t.Error("401 without WWW-Authenticate")
	}
	if w = call(t, h, "kommune", "GET", "/messages/panics", ""); strings.Contains(w.Body.String(), "secret") {
		t.Errorf("a panic is told: %s", w.Body)
	}
	problemIn(t, w, 503)
	w = call(t, served(t, &fakeDesk{}, &record{}, limiter{}), "operator", "GET", "/ledger/balance", "")
	if problemIn(t, w, 429); w.Header().Get("Retry-After") != "2" {
		t.Errorf("429 with Retry-After %q", w.Header().Get("Retry-After"))
	}
	for _, l := range []Limiter{limiter{ok: true}, limiter{err: errors.New("away")}} {
		if w := call(t, served(t, &fakeDesk{}, &record{}, l), "operator", "GET", "/ledger/balance", ""); w.Code != 200 {
			t.Errorf("%+v holds back: %d", l, w.Code)
		}
	}
}

// withBody are the calls that take a body, each with its limit.
var withBody = map[string]int{"/translate": 100, "/handovers/h/answer": bodyMax, "/parked/messages/m/close": bodyMax, "/parked/messages/m/nosuch": bodyMax,
	"/parked/deliveries/d/resend": bodyMax, "/ledger/verify": bodyMax}

// TestBody_OverTheLimitIsTooLarge, whatever it holds, wherever its JSON ends or breaks, and
// with its length told or not.
func TestBody_OverTheLimitIsTooLarge(t *testing.T) {
	h := served(t, &fakeDesk{}, &record{}, nil)
	for path, limit := range withBody {
		for what, body := range map[string]string{
			"no JSON":         strings.Repeat("x", 21<<20),
			"just over":       strings.Repeat(" ", limit+1),
			"zeros":           strings.Repeat("\x00", 21<<20),
			"JSON":            `{"epoch":"` + strings.Repeat("x", limit) + `"}`,
			"JSON, then more": "{}" + strings.Repeat(" ", limit),
			"unknown key":     `{"nosuch":1}` + strings.Repeat("x", limit),
		} {
			for _, length := range []int64{int64(len(body)), -1} {
				req := httptest.NewRequest("POST", path, strings.NewReader(body))
				req.ContentLength = length
				req.Header.Set("Authorization", "Bearer operator")
				w := httptest.NewRecorder()
				h.ServeHTTP(w, req)
				if p := problemIn(t, w, 413); p.Kind != handover.FaultTooLarge {
					t.Errorf("%s, %s: %+v", path, what, p)
				}
			}
		}
	}
}

// TestBody_WhoCallsComesFirst: who is not known, or may not call, learns nothing of a body.
func TestBody_WhoCallsComesFirst(t *testing.T) {
	h := served(t, &fakeDesk{}, &record{}, nil)
	for path, limit := range withBody {
		for _, body := range []string{"", "{", strings.Repeat("x", limit+1)} {
			problemIn(t, call(t, h, "", "POST", path, body), 401)
		}
	}
	problemIn(t, call(t, h, "kommune", "POST", "/ledger/verify", strings.Repeat("x", bodyMax+1)), 403)
}

// TestBody_IsOneJSONThatTheCallTakes: what is not understood of it is not passed over.
func TestBody_IsOneJSONThatTheCallTakes(t *testing.T) {
	r := &record{}
	h := served(t, &fakeDesk{}, r, nil)
	for path := range withBody {
		if path == "/translate" {
			continue
		}
		for _, body := range []string{`{"why":`, `{} {}`, `{}x`, `[]`, `"x"`, `{"nosuch":1}`, `{"negativ":true}`} {
			if p := problemIn(t, call(t, h, "operator", "POST", path, body), 400); p.Kind != handover.FaultMalformed {
				t.Errorf("%s with %s: %+v", path, body, p)
			}
		}
	}
	// Verified against nothing, it would be told as whole.
	if p := problemIn(t, call(t, h, "operator", "POST", "/ledger/verify", `{"epoch":"e","entry":3}`), 422); p.Path != "head" || r.cp != nil {
		t.Errorf("a checkpoint without a head: %+v", p)
	}
}

// brokenOff is a body that does not come to its end.
type brokenOff struct{}

func (brokenOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestBody_ThatBreaksOffMayComeAgain(t *testing.T) {
	h := served(t, &fakeDesk{}, &record{}, nil)
	for path := range withBody {
		req := httptest.NewRequest("POST", path, brokenOff{})
		req.Header.Set("Authorization", "Bearer operator")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		problemIn(t, w, 503)
	}
}

func TestProblem_InWords(t *testing.T) {
	p := problemOf(&handover.Fault{Kind: handover.FaultIllegal, Text: "finished does not follow", Path: "event",
		Allowed: []handover.EventName{handover.EventAccepted, handover.EventDeferred}})
	p.Correlation = "c"
	const want = "event not allowed in this state: finished does not follow at event (illegal, correlation c); allowed now: accepted, deferred"
	if p.String() != want {
		t.Errorf("%q", p.String())
	}
}

func listIn(t *testing.T, w *httptest.ResponseRecorder) (ids []string, l List[struct{ ID string }]) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &l); err != nil || w.Code != 200 || l.Items == nil {
		t.Fatalf("%d %v: %s", w.Code, err, w.Body)
	}
	for _, i := range l.Items {
		ids = append(ids, i.ID)
	}
	return ids, l
}

func TestList_PageByPage(t *testing.T) {
	d := &fakeDesk{}
	h := served(t, d, &record{}, nil)
	for _, path := range []string{"/handovers", "/parked/messages", "/parked/deliveries"} {
		for query, want := range map[string]page{"": {limit: pageDefault}, "?limit=2&after=x%2B": {2, "x+"}, "?limit=1000": {limit: 1000}} {
			ids, l := listIn(t, call(t, h, "operator", "GET", path+query, ""))
			if d.asked != want {
				t.Errorf("%s%s asks for %+v", path, query, d.asked)
			}
			if empty := path == "/parked/deliveries"; empty && (l.Total != 0 || l.Next != "") || !empty && (!slices.Equal(ids, []string{"a"}) || l.Next != "n" || l.Total != 7) {
				t.Errorf("%s%s: %v %+v", path, query, ids, l)
			}
		}
		for _, bad := range []string{"limit=0", "limit=x", "limit=1001"} {
			if p := problemIn(t, call(t, h, "operator", "GET", path+"?"+bad, ""), 422); p.Path != "limit" {
				t.Errorf("%s: %+v", bad, p)
			}
		}
	}
	h = served(t, d, &record{audit: make([]ledger.Audit, 3)}, nil)
	const audit = "/ledger/audit?handover=h&limit=2"
	if ids, l := listIn(t, call(t, h, "operator", "GET", audit, "")); l.Next != "2" || l.Total != 3 || len(ids) != 2 {
		t.Errorf("audit: %v %+v", ids, l)
	}
	if ids, l := listIn(t, call(t, h, "operator", "GET", audit+"&after=2", "")); l.Next != "" || len(ids) != 1 {
		t.Errorf("audit: %v %+v", ids, l)
	}
	problemIn(t, call(t, h, "operator", "GET", audit+"&after=x", ""), 422)
	problemIn(t, call(t, h, "operator", "GET", "/ledger/audit", ""), 422)
	// An empty list would say that nobody did anything.
	problemIn(t, call(t, served(t, d, &record{}, nil), "operator", "GET", "/ledger/audit?handover=none", ""), 404)
}

// TestStyle_NamesAreCamelCase: what is told as JSON has names of one style, and of an unset
// struct nothing but numbers, booleans and what is always there.
func TestStyle_NamesAreCamelCase(t *testing.T) {
	for _, v := range []any{Problem{}, Balance{}, Verification{}, Finding{}, StreamVerification{}, StreamFinding{}, Audited{}, ParkedMessage{},
		ParkedDelivery{}, OperatedDelivery{}, Reindexed{}, List[int]{}, Answer{}, Operation{}, ledger.Checkpoint{}} {
		typ := reflect.TypeOf(v)
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if !regexp.MustCompile(`^[a-z][A-Za-z]*$`).MatchString(name) {
				t.Errorf("%s.%s is told as %q", typ, typ.Field(i).Name, name)
			}
		}
	}
	h := served(t, &fakeDesk{}, &record{}, nil)
	for path, want := range map[string]string{
		"GET /ledger/balance":              `{"received":2,"delivered":1,"applied":0,"repeated":0,"refused":0,"parked":0,"closed":0,"moving":0,"holds":false,"unaccounted":["m"]}`,
		"POST /ledger/verify":              `{"entries":4,"events":0,"erased":0,"head":"sha256:1","whole":false,"finding":{"entry":2,"problem":"changed"}}`,
		"GET /ledger/unheard":              `{"items":[{"id":"a","wire":"","receivedAt":"0001-01-01T00:00:00Z","why":"no-receiver"}],"total":1}`,
		"GET /parked/messages?ended=true":  `{"items":[{"id":"ended","wire":"","receivedAt":"0001-01-01T00:00:00Z","reason":"","ended":{"how":"by telephone","person":"Oda Operatør"}}],"total":1}`,
		"GET /ledger/checkpoint":           `{"epoch":"e","entry":4,"head":"sha256:1","event":0,"at":"0001-01-01T00:00:00Z"}`,
		"POST /ledger/reindex":             `{"resources":3}`,
		"GET /events/verify?party=kommune": `{"party":"kommune","ledger":3,"stream":2,"compared":2,"whole":false,"finding":{"event":3,"problem":"missing"}}`,
		"POST /parked/deliveries/d/resend": `{"id":"d","state":""}`,
		"POST /parked/deliveries/d/close":  `{"id":"d","state":"closed"}`,
		"GET /parked/deliveries":           `{"items":[],"total":0}`,
		"GET /events/verify?from=2":        `{"ledger":3,"stream":2,"compared":2,"whole":false,"finding":{"event":3,"problem":"missing"}}`,
	} {
		method, at, _ := strings.Cut(path, " ")
		if w := call(t, h, "operator", method, at, ""); w.Code != 200 || w.Body.String() != want {
			t.Errorf("%s: %d\n%s\n%s", path, w.Code, w.Body, want)
		}
	}
}

func TestVerify_TakesACheckpoint(t *testing.T) {
	r := &record{}
	h := served(t, &fakeDesk{}, r, nil)
	call(t, h, "operator", "POST", "/ledger/verify", `{"head":"sha256:2","entry":3}`)
	if r.cp == nil || r.cp.Head != "sha256:2" || r.cp.Entry != 3 {
		t.Errorf("%+v", r.cp)
	}
	for _, none := range []string{"", "null", "{}"} {
		if call(t, h, "operator", "POST", "/ledger/verify", none); r.cp != nil {
			t.Errorf("%q is the checkpoint %+v", none, r.cp)
		}
	}
}

func TestEventsVerify_OwnPartyOnly(t *testing.T) {
	h := served(t, &fakeDesk{}, &record{}, nil)
	for _, c := range []struct {
		token, query string
		status       int
	}{{"kommune", "party=kommune", 200}, {"kommune", "party=by", 403}, {"kommune", "", 403}, {"operator", "party=by", 422},
		{"operator", "", 200}, {"operator", "from=0", 422}, {"operator", "from=x", 422}} {
		if w := call(t, h, c.token, "GET", "/events/verify?"+c.query, ""); w.Code != c.status {
			t.Errorf("%s asks with %q: %d, not %d", c.token, c.query, w.Code, c.status)
		}
	}
}

func TestMount_UnknownVerbs(t *testing.T) {
	h := served(t, &fakeDesk{}, &record{}, nil)
	for _, path := range []string{"/parked/messages/1/resend", "/parked/deliveries/1/reroute"} {
		if p := problemIn(t, call(t, h, "operator", "POST", path, ""), 404); !strings.Contains(p.Detail, "close") {
			t.Errorf("%s: %+v", path, p)
		}
	}
	w := call(t, h, "operator", "POST", "/translate", "x")
	if _, err := io.ReadAll(w.Body); err != nil || w.Code != 200 {
		t.Errorf("translate: %d", w.Code)
	}
}
