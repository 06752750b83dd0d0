package kith

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"stafett/adapters"
	"stafett/handover"
	"stafett/transport"
)

// answering is an intake that gives one answer and keeps what it took.
type answering struct {
	answer adapters.Answer
	taken  []adapters.Inbound
}

func (a *answering) Take(_ context.Context, in adapters.Inbound) adapters.Answer {
	a.taken = append(a.taken, in)
	return a.answer
}

func authenticate(_ context.Context, bearer string) (handover.PartyID, error) {
	switch bearer {
	case "dalvik":
		return "dalvik-kommune", nil
	case "broken":
		return "", errors.New("the directory is away")
	case "forbidden":
		return "", &handover.Fault{Kind: handover.FaultForbidden, Text: "not on this wire"}
	}
	return "", &handover.Fault{Kind: handover.FaultUnauthenticated, Text: "the token is not known"}
}

func options(intake adapters.Intake) Options {
	return Options{Intake: intake, Authenticate: authenticate,
		Now:            func() time.Time { return noon },
		NewCorrelation: func() handover.CorrelationID { return "c-1" }}
}

func post(t *testing.T, h http.Handler, body io.Reader, change func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/kith", body)
	r.Header.Set("Content-Type", "application/xml; charset=utf-8")
	r.Header.Set("Authorization", "Bearer dalvik")
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// statusWanted is written out so that a change of the table is a decision.
var statusWanted = map[handover.FaultKind]int{
	handover.FaultTemporary: 503, handover.FaultOverload: 503, handover.FaultTooLarge: 413, handover.FaultMalformed: 400,
	handover.FaultUnsupported: 415, handover.FaultInvalid: 422, handover.FaultBadMessageID: 422, handover.FaultPatientUnidentified: 422,
	handover.FaultSenderUnknown: 403, handover.FaultReceiverUnknown: 422, handover.FaultServiceUnknown: 422, handover.FaultNoRoute: 422,
	handover.FaultUnauthenticated: 401, handover.FaultForbidden: 403, handover.FaultNotFound: 404, handover.FaultGone: 410,
	handover.FaultConflict: 409, handover.FaultPrecondition: 412, handover.FaultIllegal: 202, handover.FaultUnmapped: 422,
	handover.FaultAmbiguous: 422, handover.FaultUnknown: 503,
}

func TestHTTPStatusOfEveryFault(t *testing.T) {
	if HTTPStatus(nil) != 202 {
		t.Error("no fault is not 202")
	}
	for _, kind := range handover.FaultKinds() {
		if got := HTTPStatus(&handover.Fault{Kind: kind}); got != statusWanted[kind] {
			t.Errorf("%s: %d, want %d", kind, got, statusWanted[kind])
		}
		if got := HTTPStatus(&handover.Fault{Kind: kind}); kind.Temporary() != (got == 503) {
			t.Errorf("%s: %d, and a sender would retry wrongly", kind, got)
		}
	}
	if HTTPStatus(&handover.Fault{Kind: "new"}) != 503 {
		t.Error("a kind outside the table is not temporary")
	}
}

func TestInvariant1_OnlyStoredIsPositive(t *testing.T) {
	for _, outcome := range []adapters.Outcome{adapters.OutcomeStored, adapters.OutcomeRefused, adapters.OutcomeUnanswered, ""} {
		for _, kind := range append(handover.FaultKinds(), "") {
			var fault *handover.Fault
			if kind != "" {
				fault = &handover.Fault{Kind: kind, Text: "made by a test"}
			}
			w := post(t, Handler(options(&answering{answer: adapters.Answer{Outcome: outcome, Fault: fault}})), strings.NewReader("<a/>"), nil)
			positive := w.Code < 300
			if positive != (outcome == adapters.OutcomeStored) || positive && w.Body.Len() != 0 {
				t.Errorf("%q, %q: %d with %d bytes", outcome, kind, w.Code, w.Body.Len())
			}
			if outcome != adapters.OutcomeStored && outcome != adapters.OutcomeRefused && w.Code != 503 {
				t.Errorf("%q, %q: %d", outcome, kind, w.Code)
			}
			if w.Code == 503 && w.Header().Get("Retry-After") == "" {
				t.Errorf("%q, %q: no Retry-After", outcome, kind)
			}
			if !positive {
				var p problem
				if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Correlation != "c-1" || p.Status != w.Code {
					t.Errorf("%q, %q: %s, %v", outcome, kind, w.Body, err)
				}
				if kind == handover.FaultUnknown && strings.Contains(w.Body.String(), "made by") {
					t.Error("an unknown error's detail is shown")
				}
			}
		}
	}
}

func TestHandlerHandsOverTheBytes(t *testing.T) {
	for _, size := range []int{0, 1, firstBuffer - 1, firstBuffer, firstBuffer + 1, 5 * firstBuffer, 1 << 20} {
		for _, chunked := range []bool{false, true} {
			intake := &answering{answer: adapters.Answer{Outcome: adapters.OutcomeStored}}
			body := strings.Repeat("x", size)
			o := options(intake)
			o.InFlight = transport.NewBudget(16<<20, 8<<20)
			w := post(t, Handler(o), strings.NewReader(body), func(r *http.Request) {
				if chunked {
					r.ContentLength = -1
				}
			})
			if w.Code != 202 || len(intake.taken) != 1 {
				t.Fatalf("%d bytes: %d", size, w.Code)
			}
			in := intake.taken[0]
			if string(in.Raw) != body || in.Caller != "dalvik-kommune" || in.Wire != handover.WireKITH || !in.ReceivedAt.Equal(noon) || in.Correlation != "c-1" {
				t.Errorf("%d bytes: %+v", size, in)
			}
			if w.Header().Get("X-Correlation-ID") != "c-1" {
				t.Error("no correlation id")
			}
			first, second := o.InFlight.Share(), o.InFlight.Share()
			if !first.TryGrow(8<<20) || !second.TryGrow(8<<20) {
				t.Errorf("%d bytes: what was held in flight is not released", size)
			}
		}
	}
}

func TestHandlerRefusesBeforeIntake(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*http.Request)
		status int
	}{
		"method":        {func(r *http.Request) { r.Method = "PUT" }, 405},
		"content type":  {func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, 415},
		"none":          {func(r *http.Request) { r.Header.Del("Content-Type") }, 415},
		"encoding":      {func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, 415},
		"no token":      {func(r *http.Request) { r.Header.Del("Authorization") }, 401},
		"basic":         {func(r *http.Request) { r.SetBasicAuth("a", "b") }, 401},
		"empty token":   {func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") }, 401},
		"unknown token": {func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, 401},
		"forbidden":     {func(r *http.Request) { r.Header.Set("Authorization", "Bearer forbidden") }, 403},
		"broken":        {func(r *http.Request) { r.Header.Set("Authorization", "Bearer broken") }, 503},
	} {
		intake := &answering{answer: adapters.Answer{Outcome: adapters.OutcomeStored}}
		o := options(intake)
		o.BodyLimit = 10
		w := post(t, Handler(o), strings.NewReader("<a>1234567</a>"), c.change)
		if w.Code != c.status || len(intake.taken) != 0 {
			t.Errorf("%s: %d, taken %d", name, w.Code, len(intake.taken))
		}
		if w.Code == 401 && w.Header().Get("WWW-Authenticate") != "Bearer" || w.Code == 405 && w.Header().Get("Allow") != "POST" {
			t.Errorf("%s: %v", name, w.Header())
		}
		if strings.Contains(w.Body.String(), "directory") {
			t.Errorf("%s: an inner error is shown", name)
		}
	}
}

// TestHandlerAsksWhoCallsFirst: who is not known, or may not call, is told that alone, whatever
// else is wrong.
func TestHandlerAsksWhoCallsFirst(t *testing.T) {
	wrong := map[string]func(*http.Request){
		"method":       func(r *http.Request) { r.Method = "PUT" },
		"content type": func(r *http.Request) { r.Header.Set("Content-Type", "application/json") },
		"no type":      func(r *http.Request) { r.Header.Del("Content-Type") },
		"encoding":     func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") },
		"length":       func(r *http.Request) { r.ContentLength = 1 << 40 },
	}
	for token, status := range map[string]int{"": 401, "Bearer ": 401, "Basic dalvik": 401, "Bearer x": 401, "Bearer forbidden": 403, "Bearer broken": 503} {
		for name, change := range wrong {
			intake := &answering{answer: adapters.Answer{Outcome: adapters.OutcomeStored}}
			w := post(t, Handler(options(intake)), strings.NewReader("<a/>"), func(r *http.Request) {
				change(r)
				r.Header.Set("Authorization", token)
			})
			if w.Code != status || len(intake.taken) != 0 || w.Header().Get("Allow") != "" {
				t.Errorf("%q, wrong %s: %d, not %d", token, name, w.Code, status)
			}
		}
	}
}

// TestHandlerHasTheOversizedRecorded: without its bytes, and answered as intake says.
func TestHandlerHasTheOversizedRecorded(t *testing.T) {
	for name, length := range map[string]int64{"too large": 11, "too long": -1} {
		tooLarge := &handover.Fault{Kind: handover.FaultTooLarge}
		intake := &answering{answer: adapters.Answer{Outcome: adapters.OutcomeRefused, Fault: tooLarge}}
		o := options(intake)
		o.BodyLimit = 10
		w := post(t, Handler(o), strings.NewReader("<a>1234567</a>"), func(r *http.Request) { r.ContentLength = length })
		if w.Code != 413 || len(intake.taken) != 1 || intake.taken[0].Broken == nil || len(intake.taken[0].Raw) != 0 || intake.taken[0].Caller != "dalvik-kommune" {
			t.Errorf("%s: %d %+v", name, w.Code, intake.taken)
		}
	}
}

func TestHandlerTakesTextXML(t *testing.T) {
	w := post(t, Handler(options(&answering{answer: adapters.Answer{Outcome: adapters.OutcomeStored}})), strings.NewReader("<a/>"),
		func(r *http.Request) {
			r.Header.Set("Content-Type", "text/xml")
			r.Header.Set("Authorization", "bearer dalvik")
		})
	if w.Code != 202 {
		t.Error(w.Code)
	}
}

func TestHandlerBoundsBytesInFlight(t *testing.T) {
	o := options(&answering{answer: adapters.Answer{Outcome: adapters.OutcomeStored}})
	o.InFlight = transport.NewBudget(200, 100)
	other := o.InFlight.Share()
	if !other.TryGrow(101) {
		t.Fatal("no room for the other")
	}
	if w := post(t, Handler(o), strings.NewReader(strings.Repeat("x", 200)), nil); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("over the bound: %d", w.Code)
	}
	if w := post(t, Handler(o), strings.NewReader(strings.Repeat("x", 50)), nil); w.Code != 202 {
		t.Errorf("under it: %d", w.Code)
	}
}

// TestInvariant1_CutBodyIsNotAMessage: a connection that breaks inside a chunked body must
// not look like its end.
func TestInvariant1_CutBodyIsNotAMessage(t *testing.T) {
	intake := &answering{answer: adapters.Answer{Outcome: adapters.OutcomeStored}}
	done := make(chan struct{})
	inner := Handler(options(intake))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		inner.ServeHTTP(w, r)
	}))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(conn, "POST /kith HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer dalvik\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n<a/>\r\n")
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	<-done
	if len(intake.taken) != 0 {
		t.Error("half a message was handed to intake")
	}
}

// TestHandlerKeepsTheRequestAliveWhileIntakeWorks: the read deadline ends with the body.
func TestHandlerKeepsTheRequestAliveWhileIntakeWorks(t *testing.T) {
	o := options(nil)
	o.ReadTimeout = 50 * time.Millisecond
	o.Intake = intakeFunc(func(ctx context.Context, _ adapters.Inbound) adapters.Answer {
		select {
		case <-ctx.Done():
			return adapters.Answer{Outcome: adapters.OutcomeUnanswered}
		case <-time.After(200 * time.Millisecond):
			return adapters.Answer{Outcome: adapters.OutcomeStored}
		}
	})
	server := httptest.NewServer(Handler(o))
	defer server.Close()
	sent, err := (&Sender{}).Send(t.Context(), adapters.Target{URL: server.URL, Token: "dalvik"}, adapters.Outgoing{Raw: []byte("<a/>")})
	if err != nil || len(sent.Reply) != 0 {
		t.Errorf("%v, %s", err, sent.Reply)
	}
}

type intakeFunc func(context.Context, adapters.Inbound) adapters.Answer

func (f intakeFunc) Take(ctx context.Context, in adapters.Inbound) adapters.Answer { return f(ctx, in) }
