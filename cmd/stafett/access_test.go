package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"stafett/api"
	"stafett/bench"
	"stafett/demo"
	"stafett/events"
	"stafett/gateway/desk"
	"stafett/handover"
)

// town is a gateway inside the test, with a discharge from hospital to municipality, of
// which the institution is no part, and a referral from municipality to institution, of
// which the hospital is none.
type town struct {
	*blackbox
	app                 *app
	parties             *wireParties
	discharge, referral handoverIn
	parkedMessage       string
	refusedDelivery     string
}

// handoverIn is where a handover's things are.
type handoverIn struct{ message, handover, patient string }

func newTown(t *testing.T) *town {
	t.Helper()
	w := &town{parties: newWireParties(t)}
	box := boxFor(t, w.parties)
	cfg, err := sandboxConfig(box)
	if err != nil {
		t.Fatal(err)
	}
	cfg.MLLP = append(cfg.MLLP, MLLP{Listen: "127.0.0.1:0", Party: kommune})
	reader, err := box.Secret("reader", box.Operator+"x")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Operators = append(cfg.Operators, Operator{Person: "Inga Inntak", Party: institusjon, Token: reader})
	a, err := startApp(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.shutdown(); err != nil {
			t.Error(err)
		}
	})
	w.app, w.blackbox = a, blackboxOf(t, box)
	w.at.Store(&gatewayProcess{http: "http://" + a.httpAddr, mllp: a.mllpAddr[0], nats: a.bus.ClientURL()})
	w.fill()
	return w
}

// fill sends what the outsiders are then to reach for.
func (w *town) fill() {
	t := w.t
	t.Helper()
	s := &senders{blackbox: w.blackbox, ctx: t.Context()}
	w.parties.municipality.first = func(a arrived) {
		s.working.Go(func() {
			receipt := []byte(strings.Replace(bench.Receipt(a.raw), `<Status V="1" DN="OK"/>`,
				`<Status V="2" DN="Avvist"/><Error V="E20" S="2.16.578.1.12.4.1.1.8221" DN="Journalsystemet finner ikke pasienten"/>`, 1))
			s.kith(cut(receipt, "<Id>", "<"), receipt)
		})
	}
	s.hl7(bench.Message(1, 1))
	s.hl7(bytes.ReplaceAll(bench.Message(2, 1), []byte("^^9901|"), []byte("^^0000|")))
	id := uuid.NewString()
	s.refer(referralBundle(t, id, 1), id)
	var messages api.List[api.ParkedMessage]
	var deliveries api.List[api.ParkedDelivery]
	w.until(30*time.Second, "a message and a delivery are parked", func() bool {
		messages, deliveries = api.List[api.ParkedMessage]{}, api.List[api.ParkedDelivery]{}
		w.get("/parked/messages", w.operator, &messages)
		w.get("/parked/deliveries", w.operator, &deliveries)
		return messages.Total == 1 && deliveries.Total == 1
	})
	s.working.Wait()
	for _, err := range s.failures() {
		t.Fatal(err)
	}
	w.parkedMessage, w.refusedDelivery = string(messages.Items[0].ID), string(deliveries.Items[0].ID)
	w.discharge = w.placeOf("B0010000001", kommune)
	w.referral = w.placeOf("urn:ietf:rfc:3986|urn:uuid:"+id, institusjon)
}

func (w *town) placeOf(message string, reader handover.PartyID) handoverIn {
	w.t.Helper()
	var v desk.MessageView
	w.get("/messages/"+escaped(message), w.operator, &v)
	var task struct{ For struct{ Reference string } }
	w.get("/fhir/Task/"+string(v.Handover.ID), w.tokens[reader], &task)
	return handoverIn{string(v.ID), string(v.Handover.ID), strings.TrimPrefix(task.For.Reference, "Patient/")}
}

// guard is what one route must answer to callers that have no business there.
type guard struct {
	// path is a real thing's; an empty one means that the route itself is asked.
	path string
	body string
	// open: anybody may ask.
	open bool
	// outsider is what a party gets that has no part in the thing, and reader a named
	// person of another party; 0 means that the answer may be 200 and must hold nothing of it.
	outsider, reader int
	// participant is what a party gets that has a part in it, as a check of the test itself.
	participant int
}

const none = 0

// guards has a line for each route of the gateway's own API.
func (w *town) guards() map[string]guard {
	answer := fmt.Sprintf(`{"event":"accepted","day":%q}`, time.Now().Format(time.DateOnly))
	return map[string]guard{
		"GET /livez":   {open: true},
		"HEAD /livez":  {open: true},
		"GET /readyz":  {open: true},
		"HEAD /readyz": {open: true},
		"GET /metrics": {open: true},
		// The sender is inside the message: see the wires below.
		"POST /kith":                            {body: "<x/>", outsider: 415, reader: 403, participant: 415},
		"GET /messages/:id":                     {path: "/messages/" + w.discharge.message, outsider: 404, reader: 404, participant: 200},
		"POST /translate":                       {path: "/translate?from=hl7v2", body: "x", outsider: 400, reader: 400, participant: 400},
		"GET /handovers":                        {outsider: none, reader: none, participant: 200},
		"POST /handovers/:id/answer":            {path: "/handovers/" + w.discharge.handover + "/answer", body: answer, outsider: 403, reader: 403, participant: 403},
		"GET /parked/messages":                  {outsider: 403, reader: none, participant: 403},
		"GET /parked/deliveries":                {outsider: 403, reader: none, participant: 403},
		"POST /parked/messages/:id/:verb":       {path: "/parked/messages/" + w.parkedMessage + "/close", body: `{"why":"x"}`, outsider: 403, reader: 403, participant: 403},
		"POST /parked/deliveries/:id/:verb":     {path: "/parked/deliveries/" + w.refusedDelivery + "/resend", outsider: 403, reader: 403, participant: 403},
		"GET /ledger/unheard":                   {outsider: 403, reader: none, participant: 403},
		"GET /ledger/balance":                   {outsider: 403, reader: 403, participant: 403},
		"POST /ledger/verify":                   {outsider: 403, reader: 403, participant: 403},
		"GET /ledger/checkpoint":                {outsider: 403, reader: 403, participant: 403},
		"GET /ledger/audit":                     {path: "/ledger/audit?message=" + w.discharge.message, outsider: 403, reader: 403, participant: 403},
		"POST /ledger/reindex":                  {outsider: 403, reader: 403, participant: 403},
		"GET /events/verify":                    {path: "/events/verify?party=" + string(kommune), outsider: 403, reader: 403, participant: 200},
		"GET /fhir/metadata":                    {open: true},
		"HEAD /fhir/metadata":                   {open: true},
		"GET /fhir/:type/:id":                   {path: "/fhir/Task/" + w.discharge.handover, outsider: 404, reader: 404, participant: 200},
		"GET /fhir/:type/:id/_history":          {path: "/fhir/Patient/" + w.discharge.patient + "/_history", outsider: 404, reader: 404, participant: 200},
		"GET /fhir/:type/:id/_history/:version": {path: "/fhir/Patient/" + w.discharge.patient + "/_history/1", outsider: 404, reader: 404, participant: 200},
		"GET /fhir/:type":                       {path: "/fhir/Task", outsider: none, reader: none, participant: 200},
		"GET /fhir/:type/_history":              {path: "/fhir/Task/_history", outsider: none, reader: none, participant: 200},
		"GET /fhir/_history":                    {outsider: none, reader: none, participant: 200},
		"POST /fhir/:type/_search":              {path: "/fhir/Patient/_search", outsider: none, reader: none, participant: 200},
		"PUT /fhir/:type/:id":                   {path: "/fhir/Task/" + w.discharge.handover, body: w.stolenTask(), outsider: 404, reader: 403, participant: 412},
		// What a caller cannot see is not there, and to delete that is done already.
		"DELETE /fhir/:type/:id": {path: "/fhir/Task/" + w.discharge.handover, outsider: 204, reader: 403, participant: 403},
		"POST /fhir/:type":       {path: "/fhir/Task", body: w.forgedTask(), outsider: 403, reader: 403, participant: 403},
		"POST /fhir":             {body: w.forgedBundle(), outsider: 403, reader: 403, participant: 403},
	}
}

// stolenTask is the discharge's Task as accepted, by whoever writes it.
func (w *town) stolenTask() string {
	var raw json.RawMessage
	w.get("/fhir/Task/"+w.discharge.handover, w.tokens[kommune], &raw)
	return string(taskStatus.ReplaceAll(raw, []byte(`"status":"completed"`)))
}

// forgedTask asks for a handover in the name of the hospital.
func (w *town) forgedTask() string {
	return `{"resourceType":"Task","status":"requested","intent":"order","code":{"coding":[{"system":"urn:stafett:handover-kind","code":"referral"}]},` +
		`"for":{"reference":"Patient/` + w.discharge.patient + `"},"requester":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80001"}},` +
		`"owner":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80002"}}}`
}

func (w *town) forgedBundle() string {
	return `{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:` + uuid.NewString() + `","request":{"method":"POST","url":"Task"},"resource":` + w.forgedTask() + `}]}`
}

func (w *town) callAs(token, method, path, body string) answer {
	w.t.Helper()
	header := map[string]string{"Content-Type": "application/json"}
	if strings.HasPrefix(path, "/fhir") {
		header["Content-Type"] = "application/fhir+json"
	}
	if strings.HasSuffix(path, "/_search") {
		header["Content-Type"] = "application/x-www-form-urlencoded"
	}
	a, err := w.request(w.t.Context(), method, path, token, []byte(body), header)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// holds reports whether an answer tells anything of the discharge.
func (w *town) holds(a answer) bool {
	for _, secret := range []string{w.discharge.handover, w.discharge.patient, w.discharge.message, w.parkedMessage, bench.FNR(1_000_004)} {
		if bytes.Contains(a.body, []byte(secret)) {
			return true
		}
	}
	return false
}

// TestAccess_EveryRouteAsAnOutsider fails for a route that has no line in the table.
func TestAccess_EveryRouteAsAnOutsider(t *testing.T) {
	w := newTown(t)
	guards := w.guards()
	before := w.stolenTask()
	seen := map[string]bool{}
	for _, route := range w.app.routes().(*gin.Engine).Routes() {
		name := route.Method + " " + route.Path
		seen[name] = true
		g, ok := guards[name]
		if !ok {
			w.unguarded(route.Method, route.Path)
			continue
		}
		path := g.path
		if path == "" {
			path = route.Path
		}
		nobody, stranger := w.callAs("", route.Method, path, g.body), w.callAs(demo.NewToken(), route.Method, path, g.body)
		if g.open {
			if nobody.status != http.StatusOK || w.holds(nobody) {
				t.Errorf("%s is open and answers %d", name, nobody.status)
			}
			continue
		}
		for who, a := range map[string]answer{"nobody": nobody, "a stranger": stranger} {
			if route.Path == "/kith" {
				continue // its media type is looked at first; with the right one see the wires below
			}
			if a.status != http.StatusUnauthorized || w.holds(a) || a.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s answers %s %d", name, who, a.status)
			}
		}
		for who, c := range map[string]struct {
			token string
			want  int
		}{"an outsider": {w.tokens[institusjon], g.outsider}, "another party's person": {w.operator + "x", g.reader}} {
			a := w.callAs(c.token, route.Method, path, g.body)
			if a.status != c.want && (c.want != none || a.status != http.StatusOK) || a.status != http.StatusUnprocessableEntity && w.holds(a) {
				t.Errorf("%s answers %s %d, not %d; it tells of the handover: %t\n%.300s", name, who, a.status, c.want, w.holds(a), a.body)
			}
		}
		a := w.callAs(w.tokens[kommune], route.Method, path, g.body)
		if strings.HasPrefix(name, "GET /fhir") && !w.holds(a) {
			t.Errorf("%s tells a party of the handover nothing: the test looks for the wrong things", name)
		}
		if a.status != g.participant {
			t.Errorf("%s answers a party of the handover %d, not %d\n%.300s", name, a.status, g.participant, a.body)
		}
	}
	for name := range guards {
		if !seen[name] {
			t.Errorf("%s is guarded and not there", name)
		}
	}
	if after := w.stolenTask(); after != before {
		t.Errorf("an outsider changed the Task:\n%s\n%s", before, after)
	}
}

// unguarded is a route without a line: none but the FHIR API's, which answers every method
// at every place, and then it must let nobody in and do nothing for anybody.
func (w *town) unguarded(method, path string) {
	w.t.Helper()
	if !strings.HasPrefix(path, "/fhir") {
		w.t.Errorf("%s %s has no line in the table of guards", method, path)
		return
	}
	at := strings.NewReplacer(":type", "Task", ":id", w.discharge.handover, ":version", "1", ":more", "x").Replace(path)
	for who, token := range map[string]string{"nobody": "", "a stranger": demo.NewToken(), "an outsider": w.tokens[institusjon], "another party's person": w.operator + "x"} {
		a := w.callAs(token, method, at, "{}")
		outside := who == "nobody" || who == "a stranger"
		if outside && path == "/fhir/metadata" {
			outside = false
		}
		switch {
		case outside && a.status != http.StatusUnauthorized && a.status != http.StatusMethodNotAllowed:
			w.t.Errorf("%s %s answers %s %d", method, path, who, a.status)
		case (method != "GET" && method != "HEAD") && a.status < 400, a.status >= 500 && a.status != http.StatusNotImplemented, w.holds(a):
			w.t.Errorf("%s %s answers %s %d: %.200s", method, path, who, a.status, a.body)
		}
	}
}

// TestAccess_WiresHoldTheSenderToTheCaller: who a message says it is from must be who sent it.
func TestAccess_WiresHoldTheSenderToTheCaller(t *testing.T) {
	w := newTown(t)
	t.Run("HL7 of another party's listener", func(t *testing.T) {
		p := *w.at.Load()
		other := &blackbox{dir: w.dir, operator: w.operator, tokens: w.tokens, natsPassword: w.natsPassword, t: t}
		p.mllp = w.app.mllpAddr[1] // the municipality's
		other.at.Store(&p)
		raw, err := other.mllp(t.Context(), bench.Message(50, 1))
		if err == nil && hl7Field(raw, "MSA", 1) != "AE" && hl7Field(raw, "MSA", 1) != "AR" {
			t.Errorf("answered %q", raw)
		}
	})
	t.Run("HL7 of an unknown facility", func(t *testing.T) {
		raw, err := w.mllp(t.Context(), bytes.Replace(bench.Message(51, 1), []byte("|FJELLHEIM|"), []byte("|STRANGER|"), 1))
		if err == nil && hl7Field(raw, "MSA", 1) != "AE" && hl7Field(raw, "MSA", 1) != "AR" {
			t.Errorf("answered %q", raw)
		}
	})
	notice := w.parties.municipality.all()[0]
	id := uuid.NewString()
	said := note(t, id, "SVAR=KAN_MOTTA;DATO="+time.Now().Format(time.DateOnly), notice.raw)
	for name, token := range map[string]string{"nobody": "", "a stranger": demo.NewToken(), "the hospital": w.tokens[sykehus],
		"an outsider": w.tokens[institusjon], "an operator": w.operator} {
		t.Run("national XML by "+name, func(t *testing.T) {
			want := http.StatusForbidden
			if name == "nobody" || name == "a stranger" {
				want = http.StatusUnauthorized
			}
			if got := w.status("POST", "/kith", token, said, xmlType); got != want {
				t.Errorf("answered %d, not %d", got, want)
			}
		})
	}
	var v desk.MessageView
	w.get("/messages/"+w.discharge.message, w.operator, &v)
	if v.Handover.Custodian != sykehus || v.Handover.State != handover.StateRequested {
		t.Errorf("after false answers the handover is %s, held by %s", v.Handover.State, v.Handover.Custodian)
	}
}

// TestAccess_NATSKeepsPartiesApart: a party's user sees its own events only.
func TestAccess_NATSKeepsPartiesApart(t *testing.T) {
	w := newTown(t)
	url := w.at.Load().nats
	for name, c := range map[string]events.Connect{
		"nobody":                   {URL: url},
		"a stranger":               {URL: url, User: string(kommune), Password: demo.NewToken()},
		"another party's password": {URL: url, User: string(kommune), Password: w.natsPassword[institusjon]},
		"a party's HTTP token":     {URL: url, User: string(kommune), Password: w.tokens[kommune]},
	} {
		err := events.Tail(t.Context(), events.TailOptions{Connect: c, Party: kommune, From: 1, Until: true}, func(events.Msg) error { return nil })
		if err == nil {
			t.Errorf("%s is let in", name)
		}
	}
	// The municipality is part of both handovers, hospital and institution of one each.
	for party, other := range map[handover.PartyID]handover.PartyID{sykehus: institusjon, institusjon: sykehus} {
		own := events.Connect{URL: url, User: string(party), Password: w.natsPassword[party]}
		got := 0
		w.until(20*time.Second, "the party's own events are there", func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			got = 0
			err := events.Tail(ctx, events.TailOptions{Connect: own, Party: party, From: 1, Until: true}, func(m events.Msg) error {
				got++
				if strings.Contains(m.Subject, string(other)) || bytes.Contains(m.Data, []byte(other)) {
					t.Errorf("%s meets an event of %s", party, other)
				}
				return nil
			})
			return err == nil && got > 0
		})
	}
	w.listensToAll(url)
}

// listensToAll subscribes as an outsider to every subject while others' events come.
func (w *town) listensToAll(url string) {
	t := w.t
	refused := make(chan error, 16)
	conn, err := nats.Connect(url, nats.UserInfo(string(institusjon), w.natsPassword[institusjon]),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	heard := make(chan *nats.Msg, 64)
	for _, subject := range []string{">", "handover.>", "$JS.>"} {
		if _, err := conn.ChanSubscribe(subject, heard); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		select {
		case err := <-refused:
			if !errors.Is(err, nats.ErrPermissionViolation) {
				t.Errorf("a subscription failed otherwise: %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("an outsider may subscribe to everything")
		}
	}
	s := &senders{blackbox: w.blackbox, ctx: t.Context()}
	s.hl7(bench.Message(60, 1))
	w.until(20*time.Second, "the event is out", func() bool {
		var v api.StreamVerification
		w.get("/events/verify?party="+string(sykehus), w.tokens[sykehus], &v)
		return v.Stream == v.Ledger && v.Whole || v.Compared > 1 && v.Whole
	})
	select {
	case m := <-heard:
		t.Errorf("an outsider heard %s", m.Subject)
	default:
	}
}
