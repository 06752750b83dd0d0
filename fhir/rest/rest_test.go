package rest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"stafett/access"
	"stafett/adapters/fhirbundle"
	"stafett/directory"
	"stafett/fhir"
	"stafett/fhir/rest"
	"stafett/handover"
	"stafett/transport"
)

func init() { gin.SetMode(gin.TestMode) }

const (
	dalvikToken    = "dalvik-token-0123456789"
	solbakkenToken = "solbakken-token-0123456789"
)

func sum(s string) string {
	d := sha256.Sum256([]byte(s))
	return hex.EncodeToString(d[:])
}

func authenticator(t testing.TB) access.Authenticator {
	t.Helper()
	text := "parties:\n"
	for id, token := range map[string]string{"dalvik-kommune": dalvikToken, "solbakken-rehabilitering": solbakkenToken} {
		text += fmt.Sprintf("  - {id: %s, name: N, type: gp, services: [{name: s, wire: fhir, url: \"http://127.0.0.1/\"}], contacts: [{name: c, service: s}], credentials: [{tokenSHA256: %s}]}\n", id, sum(token))
	}
	dir, err := directory.Parse("d.yaml", []byte(text), fhirbundle.Wire{})
	if err != nil {
		t.Fatal(err)
	}
	auth, err := access.NewTokens(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return auth
}

// server is the API over a real socket.
type server struct {
	t      testing.TB
	store  *store
	engine *gin.Engine
	url    string // of the base
	log    *bytes.Buffer
}

func serve(t testing.TB, change ...func(*rest.Options)) *server {
	t.Helper()
	s := &server{t: t, store: newStore(), engine: gin.New(), log: &bytes.Buffer{}}
	ts := httptest.NewUnstartedServer(s.engine)
	transport.Harden(ts.Config)
	ts.Start()
	t.Cleanup(ts.Close)
	s.url = ts.URL + "/fhir"
	opts := rest.Options{Base: s.url, Writer: s.store, Reader: s.store, Authenticator: authenticator(t),
		Now: func() time.Time { return clock }, Logger: slog.New(slog.NewTextHandler(s.log, nil)), Version: "1.0"}
	for _, f := range change {
		f(&opts)
	}
	rest.Mount(s.engine.Group("/fhir"), opts)
	return s
}

// reply is what came back, its body read.
type reply struct {
	*http.Response
	body string
}

// do sends a request as Dalvik kommune; headers are name, value pairs.
func (s *server) do(method, path, body string, headers ...string) reply {
	s.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	if !strings.HasPrefix(path, "http") {
		path = s.url + path
	}
	req, err := http.NewRequest(method, path, reader)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+dalvikToken)
	if body != "" {
		req.Header.Set("Content-Type", "application/fhir+json")
	}
	for i := 0; i < len(headers); i += 2 {
		if req.Header.Set(headers[i], headers[i+1]); headers[i+1] == "" {
			req.Header.Del(headers[i])
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return reply{resp, string(raw)}
}

func (r reply) node(t testing.TB) *fhir.Node {
	t.Helper()
	n, err := fhir.Parse([]byte(r.body), fhir.DefaultLimits())
	if err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
	return n
}

// refused checks that r is an OperationOutcome with that status and issue code.
func (r reply) refused(t testing.TB, status int, code string) *fhir.Node {
	t.Helper()
	if r.StatusCode != status {
		t.Fatalf("status %d, want %d: %s", r.StatusCode, status, r.body)
	}
	n := r.node(t)
	issue := n.Each("issue")[0]
	if n.ResourceType() != "OperationOutcome" || issue.Str("code") != code {
		t.Fatalf("outcome %s, want code %s", r.body, code)
	}
	if r.Header.Get("Content-Type") != "application/fhir+json; charset=utf-8" {
		t.Fatalf("content type %q", r.Header.Get("Content-Type"))
	}
	if id := r.Header.Get("X-Correlation-Id"); len(id) != 36 || !strings.Contains(r.body, id) {
		t.Fatalf("correlation id %q is not in %s", id, r.body)
	}
	return n
}

const task = `{"resourceType":"Task","status":"requested","intent":"order"}`

func TestCreateReadUpdateDelete(t *testing.T) {
	s := serve(t)
	r := s.do("POST", "/Task", task)
	if r.StatusCode != 201 || r.Header.Get("Location") != s.url+"/Task/n1/_history/1" || r.Header.Get("ETag") != `W/"1"` ||
		r.Header.Get("Last-Modified") != "Mon, 02 Mar 2026 08:30:15 GMT" || r.node(t).ID() != "n1" {
		t.Fatalf("create: %d %v %s", r.StatusCode, r.Header, r.body)
	}
	if r.Header.Get("Cache-Control") != "no-store" {
		t.Error("answers with patient data may be cached")
	}
	created := r.body
	if r = s.do("GET", "/Task/n1", ""); r.StatusCode != 200 || r.body != created || r.Header.Get("ETag") != `W/"1"` {
		t.Fatalf("read: %d %v %s", r.StatusCode, r.Header, r.body)
	}
	changed := `{"resourceType":"Task","id":"n1","status":"accepted","intent":"order"}`
	if r = s.do("PUT", "/Task/n1", changed, "If-Match", `W/"1"`); r.StatusCode != 200 || r.Header.Get("ETag") != `W/"2"` || r.body != changed {
		t.Fatalf("update: %d %v %s", r.StatusCode, r.Header, r.body)
	}
	s.do("PUT", "/Task/n1", changed, "If-Match", `W/"1"`).refused(t, 412, "conflict")
	s.do("PUT", "/Task/n1", changed, "If-Match", `1`).refused(t, 400, "value")
	s.do("PUT", "/Task/n1", changed, "If-None-Match", `*`).refused(t, 400, "not-supported")
	if r = s.do("GET", "/Task/n1/_history/1", ""); r.StatusCode != 200 || r.body != created {
		t.Fatalf("vread: %d %s", r.StatusCode, r.body)
	}
	s.do("GET", "/Task/n1/_history/3", "").refused(t, 404, "not-found")
	s.do("GET", "/Task/n1/_history/x", "").refused(t, 404, "not-found")
	s.do("GET", "/Task/n1/_history/0", "").refused(t, 404, "not-found")
	if r = s.do("PUT", "/Task/own-id", `{"resourceType":"Task","id":"own-id","status":"draft","intent":"order"}`); r.StatusCode != 201 || r.Header.Get("Location") != s.url+"/Task/own-id/_history/1" {
		t.Fatalf("update as create: %d %v", r.StatusCode, r.Header)
	}
	if r = s.do("DELETE", "/Task/n1", "", "If-Match", `W/"2"`); r.StatusCode != 204 || r.body != "" || r.Header.Get("ETag") != `W/"3"` || r.Header.Get("Content-Length") != "" {
		t.Fatalf("delete: %d %v %q", r.StatusCode, r.Header, r.body)
	}
	s.do("GET", "/Task/n1", "").refused(t, 410, "deleted")
	s.do("GET", "/Task/n1/_history/3", "").refused(t, 410, "deleted")
	if r = s.do("DELETE", "/Task/never", ""); r.StatusCode != 204 {
		t.Fatalf("delete of nothing: %d", r.StatusCode)
	}
	s.do("GET", "/Task/never", "").refused(t, 404, "not-found")
}

func TestHeadAnswersAsGetWithoutBody(t *testing.T) {
	s := serve(t)
	created := s.do("POST", "/Task", task)
	r := s.do("HEAD", "/Task/n1", "")
	if r.StatusCode != 200 || r.body != "" || r.Header.Get("ETag") != `W/"1"` || r.ContentLength != int64(len(created.body)) {
		t.Fatalf("%d %v %q", r.StatusCode, r.Header, r.body)
	}
	if r = s.do("HEAD", "/Task/none", ""); r.StatusCode != 404 {
		t.Fatalf("%d", r.StatusCode)
	}
}

func TestConditionalRead(t *testing.T) {
	s := serve(t)
	s.do("POST", "/Task", task)
	for _, c := range []struct {
		headers []string
		status  int
	}{
		{[]string{"If-None-Match", `W/"1"`}, 304},
		{[]string{"If-None-Match", `"7", W/"1"`}, 304},
		{[]string{"If-None-Match", `*`}, 304},
		{[]string{"If-None-Match", `W/"2"`}, 200},
		{[]string{"If-None-Match", `nonsense`}, 200},
		{[]string{"If-None-Match", `W/"2"`, "If-Modified-Since", "Mon, 02 Mar 2026 08:30:15 GMT"}, 200},
		{[]string{"If-Modified-Since", "Mon, 02 Mar 2026 08:30:15 GMT"}, 304},
		{[]string{"If-Modified-Since", "Mon, 02 Mar 2026 08:30:14 GMT"}, 200},
		{[]string{"If-Modified-Since", "yesterday"}, 200},
	} {
		for _, path := range []string{"/Task/n1", "/Task/n1/_history/1"} {
			r := s.do("GET", path, "", c.headers...)
			if r.StatusCode != c.status || (c.status == 304) != (r.body == "") || r.Header.Get("ETag") != `W/"1"` {
				t.Errorf("%s %v: %d %q", path, c.headers, r.StatusCode, r.body)
			}
		}
	}
}

func TestConditionalCreateIsHandedOn(t *testing.T) {
	s := serve(t)
	patient := `{"resourceType":"Patient","identifier":[{"value":"local-7"}]}`
	for i, header := range []string{"identifier=local-7", "?identifier=local-7", "Patient?identifier=local-7"} {
		r := s.do("POST", "/Patient", patient, "If-None-Exist", header)
		want := 200
		if i == 0 {
			want = 201
		}
		if r.StatusCode != want || r.Header.Get("Location") != s.url+"/Patient/n1/_history/1" {
			t.Errorf("%q: %d %v", header, r.StatusCode, r.Header)
		}
		if got := s.store.writes[i].Entries[0].IfNoneExist; got != "identifier=local-7" {
			t.Errorf("%q: condition %q", header, got)
		}
	}
}

func TestConditionalUpdateAndDeleteAreHandedOn(t *testing.T) {
	s := serve(t)
	for _, method := range []string{"PUT", "DELETE"} {
		r := s.do(method, "/Patient?_format=json", `{"resourceType":"Patient"}`)
		r.refused(t, 405, "not-supported")
		if r.Header.Get("Allow") != "GET, HEAD, POST" {
			t.Errorf("allow %q", r.Header.Get("Allow"))
		}
	}
	s.do("PUT", "/Patient", `{"resourceType":"Patient"}`).refused(t, 405, "not-supported")
	s.do("PUT", "/Patient?identifier=a%7Cb&_format=json", `{"resourceType":"Patient"}`)
	s.do("DELETE", "/Patient?identifier=x", "")
	if len(s.store.writes) != 2 || s.store.writes[0].Entries[0].Query != "identifier=a%7Cb" || s.store.writes[1].Entries[0].Query != "identifier=x" {
		t.Errorf("writes %+v", s.store.writes)
	}
}

func TestPrefer(t *testing.T) {
	s := serve(t)
	for i, c := range []struct{ prefer, typ string }{
		{"", "Task"}, {"return=representation", "Task"}, {"return=minimal", ""}, {"respond-async, Return=minimal", ""},
		{"return=OperationOutcome", "OperationOutcome"}, {"return=everything", "Task"}, {"handling=strict; return=minimal", ""},
	} {
		r := s.do("POST", "/Task", task, "Prefer", c.prefer)
		got := ""
		if r.body != "" {
			got = r.node(t).ResourceType()
		}
		if r.StatusCode != 201 || got != c.typ || r.Header.Get("Location") == "" {
			t.Errorf("create, %q: %d %q %v", c.prefer, r.StatusCode, got, r.Header)
		}
		id := fmt.Sprintf("n%d", i+1)
		r = s.do("PUT", "/Task/"+id, `{"resourceType":"Task","id":"`+id+`"}`, "Prefer", c.prefer)
		if got = ""; r.body != "" {
			got = r.node(t).ResourceType()
		}
		if r.StatusCode != 200 || got != c.typ {
			t.Errorf("update, %q: %d %q", c.prefer, r.StatusCode, got)
		}
	}
	if r := s.do("DELETE", "/Task/n1", "", "Prefer", "return=OperationOutcome"); r.StatusCode != 200 || r.node(t).ResourceType() != "OperationOutcome" {
		t.Errorf("delete: %d %q", r.StatusCode, r.body)
	}
}

func TestNegotiation(t *testing.T) {
	s := serve(t)
	s.do("POST", "/Task", task)
	for accept, status := range map[string]int{
		"": 200, "*/*": 200, "application/*": 200, "application/fhir+json": 200, "application/json": 200,
		"application/fhir+json; fhirVersion=4.0": 200, "application/fhir+json; fhirVersion=5.0": 406,
		"application/fhir+xml, application/fhir+json;q=0.1": 200, "application/fhir+json;q=0": 406,
		"application/fhir+xml": 406, "text/html": 406, "text/html, */*;q=0.8": 200, "nonsense": 406, "application/json;q=x": 406,
	} {
		if r := s.do("GET", "/Task/n1", "", "Accept", accept); r.StatusCode != status {
			t.Errorf("Accept %q: %d, want %d", accept, r.StatusCode, status)
		}
	}
	for format, status := range map[string]int{
		"json": 200, "application/json": 200, "application/fhir%2Bjson": 200, "application/fhir+json": 200, "": 200,
		"xml": 406, "application/fhir%2Bxml": 406, "ttl": 406,
	} {
		for _, path := range []string{"/Task/n1?_format=", "/Task?_format=", "/metadata?_format=", "/_history?_format="} {
			if r := s.do("GET", path+format, "", "Accept", "application/fhir+json"); r.StatusCode != status {
				t.Errorf("%s%s: %d, want %d", path, format, r.StatusCode, status)
			}
		}
	}
	if r := s.do("GET", "/Task/n1?_format=json", "", "Accept", "application/fhir+xml"); r.StatusCode != 200 {
		t.Errorf("_format overrides Accept: %d", r.StatusCode)
	}
	for media, status := range map[string]int{
		"application/fhir+json": 201, "application/json": 201, "application/fhir+json; charset=UTF-8": 201,
		"application/fhir+json; fhirVersion=4.0": 201, "application/fhir+json; fhirVersion=3.0": 415,
		"application/fhir+xml": 415, "text/plain": 415, "": 415, "application/json; charset=iso-8859-1": 415,
		"application/x-www-form-urlencoded": 415,
	} {
		if r := s.do("POST", "/Task", task, "Content-Type", media); r.StatusCode != status {
			t.Errorf("Content-Type %q: %d, want %d", media, r.StatusCode, status)
		}
		want := status
		if status == 201 {
			want = 200
		}
		if r := s.do("POST", "", `{"resourceType":"Bundle","type":"batch"}`, "Content-Type", media); r.StatusCode != want {
			t.Errorf("Bundle as %q: %d, want %d", media, r.StatusCode, want)
		}
	}
	s.do("POST", "/Task", task, "Content-Encoding", "gzip").refused(t, 415, "not-supported")
	s.do("GET", "/Task/n1", "", "Accept", "application/fhir+xml").refused(t, 406, "not-supported")
}

func TestShapeOfBodies(t *testing.T) {
	s := serve(t)
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		code               string
		refused            handover.FaultKind
	}{
		"not JSON":           {"POST", "/Task", `{"resourceType":"Task",`, 400, "structure", handover.FaultMalformed},
		"empty":              {"POST", "/Task", ` `, 400, "structure", handover.FaultMalformed},
		"duplicate key":      {"POST", "/Task", `{"resourceType":"Task","status":"a","status":"b"}`, 400, "structure", handover.FaultMalformed},
		"invalid UTF-8":      {"POST", "/Task", "{\"resourceType\":\"Task\",\"x\":\"\xff\"}", 400, "structure", handover.FaultMalformed},
		"trailing bytes":     {"POST", "/Task", task + "x", 400, "structure", handover.FaultMalformed},
		"an array":           {"POST", "/Task", `[1]`, 400, "structure", handover.FaultMalformed},
		"no type":            {"POST", "/Task", `{"status":"draft"}`, 400, "structure", handover.FaultMalformed},
		"other type":         {"POST", "/Task", `{"resourceType":"Patient"}`, 400, "invalid", handover.FaultInvalid},
		"too deep":           {"POST", "/Task", `{"resourceType":"Task","x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, 413, "too-long", handover.FaultTooLarge},
		"id differs":         {"PUT", "/Task/a", `{"resourceType":"Task","id":"b"}`, 400, "invalid", handover.FaultInvalid},
		"id missing":         {"PUT", "/Task/a", `{"resourceType":"Task"}`, 400, "invalid", handover.FaultInvalid},
		"no Bundle":          {"POST", "/", task, 400, "invalid", handover.FaultInvalid},
		"Bundle of no type":  {"POST", "", `{"resourceType":"Bundle"}`, 400, "not-supported", handover.FaultUnsupported},
		"message Bundle":     {"POST", "", `{"resourceType":"Bundle","type":"message"}`, 400, "not-supported", handover.FaultUnsupported},
		"bad condition":      {"PUT", "/Task/a", `{"resourceType":"Task","id":"a"}`, 400, "value", handover.FaultInvalid},
		"bad identity":       {"POST", "/Task", task, 400, "value", handover.FaultBadMessageID},
		"identity too long":  {"POST", "/Task", task, 400, "value", handover.FaultBadMessageID},
		"national number id": {"PUT", "/Patient/" + solveig(), `{"resourceType":"Patient","id":"` + solveig() + `"}`, 422, "invalid", handover.FaultInvalid},
		"national number as identity": {"POST", "", `{"resourceType":"Bundle","type":"transaction","identifier":{"value":"` + solveig() + `"}}`,
			400, "value", handover.FaultBadMessageID},
	} {
		t.Run(name, func(t *testing.T) {
			s.store.refused = nil
			headers := map[string][]string{"bad condition": {"If-Match", "x"}, "bad identity": {"X-Request-Id", "a b"},
				"identity too long": {"X-Request-Id", strings.Repeat("x", 300)}}[name]
			r := s.do(c.method, c.path, c.body, headers...)
			r.refused(t, c.status, c.code)
			// Invariant 2: what could not be read is recorded as refused.
			if len(s.store.refused) != 1 || s.store.refused[0] != c.refused {
				t.Errorf("recorded %v, want %s", s.store.refused, c.refused)
			}
			if strings.Contains(r.body, solveig()) || strings.Contains(s.log.String(), solveig()) {
				t.Error("a national number leaves in an answer or a log line")
			}
		})
	}
	if len(s.store.writes) != 0 {
		t.Errorf("writes %+v", s.store.writes)
	}
}

// solveig is the number of a fictitious woman born 1948-03-12, by the rule of HIS
// 1001:2010 section 4.1.
func solveig() string {
	for individual := 0; individual < 500; individual += 2 {
		n := fmt.Sprintf("120348%03d", individual)
		check := func(weights ...int) (string, bool) {
			sum := 0
			for i, w := range weights {
				sum += w * int(n[i]-'0')
			}
			k := (11 - sum%11) % 11
			return n + fmt.Sprint(k), k < 10
		}
		var ok bool
		if n, ok = check(3, 7, 6, 1, 8, 9, 4, 5, 2); !ok {
			continue
		}
		if n, ok = check(5, 4, 3, 2, 7, 6, 5, 4, 3, 2); ok {
			return n
		}
	}
	panic("no number")
}

func TestIdsThatOnlyLookLikeNumbersAreTaken(t *testing.T) {
	s := serve(t)
	for _, id := range []string{"12345678901", "1" + solveig(), "7c9e6679-7425-40de-944b-" + solveig() + "7", "a.b-c"} {
		if r := s.do("PUT", "/Task/"+id, `{"resourceType":"Task","id":"`+id+`"}`); r.StatusCode != 201 {
			t.Errorf("%s: %d %s", id, r.StatusCode, r.body)
		}
	}
	for _, id := range []string{"x-" + solveig(), solveig() + ".a"} {
		s.do("PUT", "/Task/"+id, `{"resourceType":"Task","id":"`+id+`"}`).refused(t, 422, "invalid")
	}
}

func TestInvariant1_NothingIsAnsweredWhenTheRecordFails(t *testing.T) {
	s := serve(t)
	s.store.fail = fault(handover.FaultTemporary, "the storage is full")
	for _, body := range []string{task, `{`, `{"resourceType":"Patient"}`} {
		r := s.do("POST", "/Task", body)
		r.refused(t, 503, "transient")
	}
	n := s.do("POST", "", `{"resourceType":"Bundle","type":"batch","entry":[{}]}`).node(t)
	if got := n.Str("entry", "response", "status"); got != "503 Service Unavailable" {
		t.Errorf("an entry of a batch: %s", got)
	}
}

func TestLimits(t *testing.T) {
	limits := fhir.DefaultLimits()
	limits.Bytes = 2000
	s := serve(t, func(o *rest.Options) { o.Limits, o.EntriesMax = limits, 2 })
	big := `{"resourceType":"Task","description":"` + strings.Repeat("x", 3000) + `"}`
	s.do("POST", "/Task", big).refused(t, 413, "too-long")
	s.do("POST", "", big).refused(t, 413, "too-long")
	// Chunked: the length is not told beforehand.
	req, _ := http.NewRequest("POST", s.url+"/Task", io.MultiReader(strings.NewReader(big)))
	req.Header.Set("Authorization", "Bearer "+dalvikToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 413 {
		t.Errorf("chunked: %d", resp.StatusCode)
	}
	s.do("POST", "", `{"resourceType":"Bundle","type":"batch","entry":[{},{},{}]}`).refused(t, 413, "too-long")
	s.do("POST", "/Task/_search", "status="+strings.Repeat("x", 70<<10), "Content-Type", "application/x-www-form-urlencoded").refused(t, 413, "too-long")
	if len(s.store.writes) != 0 {
		t.Error("something was written")
	}
}

// TestInvariant7_ABodyThatBreaksOffIsNoAnswerAboutItsContent: the caller's connection
// fails in the middle; nothing is stored, nothing is refused, and it may try again.
func TestInvariant7_ABodyThatBreaksOffIsNoAnswerAboutItsContent(t *testing.T) {
	s := serve(t)
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /fhir/Task HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n%s", u.Host, dalvikToken, task[:20])
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(raw), "HTTP/1.1 503") {
		t.Errorf("answer %q", raw)
	}
	if len(s.store.writes) != 0 || len(s.store.refused) != 0 {
		t.Errorf("writes %v, refused %v", s.store.writes, s.store.refused)
	}
}

func TestBytesInFlightAreBoundedAndGivenBack(t *testing.T) {
	all := transport.NewBudget(200, 100)
	s := serve(t, func(o *rest.Options) { o.InFlight = all })
	others := []*transport.Share{all.Share(), all.Share()}
	for _, other := range others {
		if !other.TryGrow(60) {
			t.Fatal("no room for the others")
		}
	}
	r := s.do("POST", "/Task", task)
	r.refused(t, 429, "throttled")
	if r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	for _, other := range others {
		other.Release()
	}
	for range 3 {
		if r := s.do("POST", "/Task", task); r.StatusCode != 201 {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
	}
	first, second := all.Share(), all.Share()
	if !first.TryGrow(100) || !second.TryGrow(100) {
		t.Error("bytes were not given back")
	}
}

func TestEveryFaultKindOnEveryInteraction(t *testing.T) {
	want := map[handover.FaultKind]int{
		handover.FaultTemporary: 503, handover.FaultOverload: 429, handover.FaultTooLarge: 413, handover.FaultMalformed: 400,
		handover.FaultUnsupported: 400, handover.FaultInvalid: 422, handover.FaultBadMessageID: 400,
		handover.FaultPatientUnidentified: 422, handover.FaultSenderUnknown: 403, handover.FaultReceiverUnknown: 422,
		handover.FaultServiceUnknown: 422, handover.FaultNoRoute: 422, handover.FaultUnauthenticated: 401,
		handover.FaultForbidden: 403, handover.FaultNotFound: 404, handover.FaultGone: 410, handover.FaultConflict: 409,
		handover.FaultPrecondition: 412, handover.FaultIllegal: 422, handover.FaultUnmapped: 422,
		handover.FaultAmbiguous: 422, handover.FaultUnknown: 503,
	}
	s := serve(t)
	for _, kind := range handover.FaultKinds() {
		status, ok := want[kind]
		got, code := rest.Status(kind)
		if !ok || got != status || code == "" {
			t.Errorf("%s: %d %q, want %d", kind, got, code, status)
		}
		s.store.fail = &handover.Fault{Kind: kind, Op: "store", Text: "the reason", Path: "Task.status", Line: 3, Column: 7,
			Allowed: []handover.EventName{handover.EventAccepted, handover.EventDeclined}, Err: errors.New("a secret detail")}
		for _, req := range [][3]string{{"POST", "/Task", task}, {"PUT", "/Task/a", `{"resourceType":"Task","id":"a"}`}, {"DELETE", "/Task/a", ""},
			{"POST", "", transaction(task)}, {"GET", "/Task/a", ""}, {"GET", "/Task/a/_history/1", ""}, {"GET", "/Task/a/_history", ""},
			{"GET", "/Task/_history", ""}, {"GET", "/_history", ""}, {"GET", "/Task", ""}, {"POST", "/Task/_search", ""}} {
			r := s.do(req[0], req[1], req[2])
			status, code := status, code
			if kind == handover.FaultForbidden && (req[0] == "GET" || req[1] == "/Task/_search") {
				status, code = 404, "not-found" // an outsider cannot tell what exists
			}
			n := r.refused(t, status, code)
			checkTold(t, kind, r, n)
		}
	}
	if status, code := rest.Status("newly-invented"); status != 503 || code != "transient" {
		t.Errorf("a kind without a row: %d %s", status, code)
	}
}

func transaction(resources ...string) string {
	var entries []string
	for _, r := range resources {
		var v struct {
			ResourceType string `json:"resourceType"`
		}
		if err := json.Unmarshal([]byte(r), &v); err != nil {
			panic(err)
		}
		entries = append(entries, `{"resource":`+r+`,"request":{"method":"POST","url":"`+v.ResourceType+`"}}`)
	}
	return `{"resourceType":"Bundle","type":"transaction","entry":[` + strings.Join(entries, ",") + `]}`
}

func checkTold(t *testing.T, kind handover.FaultKind, r reply, n *fhir.Node) {
	t.Helper()
	issue := n.Each("issue")[0]
	if strings.Contains(r.body, "secret detail") {
		t.Errorf("%s: the cause leaves", kind)
	}
	if kind == handover.FaultUnknown && (strings.Contains(r.body, "the reason") || issue.Get("expression") != nil) {
		t.Errorf("%s: the detail of an unknown error leaves: %s", kind, r.body)
	}
	if kind == handover.FaultInvalid && (issue.Str("details", "text") != "the reason" || issue.Str("expression") != "Task.status" || !strings.Contains(issue.Str("diagnostics"), "line 3, column 7")) {
		t.Errorf("%s: %s", kind, r.body)
	}
	if kind == handover.FaultIllegal && !strings.Contains(issue.Str("diagnostics"), "allowed events: accepted, declined") {
		t.Errorf("%s: %s", kind, r.body)
	}
	if (r.StatusCode == 503 || r.StatusCode == 429) != (r.Header.Get("Retry-After") != "") {
		t.Errorf("%s: Retry-After %q", kind, r.Header.Get("Retry-After"))
	}
	if (r.StatusCode == 401) != (r.Header.Get("WWW-Authenticate") != "") {
		t.Errorf("%s: WWW-Authenticate %q", kind, r.Header.Get("WWW-Authenticate"))
	}
}

func TestUnknownErrorsAndPanicsAreTemporaryAndWithheld(t *testing.T) {
	s := serve(t)
	for name, set := range map[string]func(){
		"error":         func() { s.store.fail = errors.New("disk /dev/secret has no room") },
		"panic":         func() { s.store.panics = "Solveig Testdatter MYRVANG, secret" },
		"runtime panic": func() { s.store.panics = errors.New("secret") },
	} {
		s.store.fail, s.store.panics = nil, nil
		set()
		s.log.Reset()
		for _, req := range [][3]string{{"GET", "/_history", ""}, {"GET", "/Task/a", ""}, {"POST", "/Task", task}, {"POST", "", transaction(task)}, {"POST", "/Task", "{"}} {
			r := s.do(req[0], req[1], req[2])
			r.refused(t, 503, "transient")
			if strings.Contains(r.body, "secret") {
				t.Errorf("%s: %s", name, r.body)
			}
			log := s.log.String()
			if !strings.Contains(log, r.Header.Get("X-Correlation-Id")) || !strings.Contains(log, "level=ERROR") || strings.Contains(log, "MYRVANG") {
				t.Errorf("%s: log %s", name, log)
			}
		}
	}
}

func TestLogHoldsNoQueryBodyOrToken(t *testing.T) {
	s := serve(t)
	s.do("GET", "/Patient?identifier=urn:oid:2.16.578.1.12.4.1.4.1%7C"+solveig(), "")
	s.do("POST", "/Patient/_search", "identifier="+solveig(), "Content-Type", "application/x-www-form-urlencoded")
	s.do("GET", "/Patient?"+solveig()+"=x", "")
	s.do("GET", "/Patient/"+solveig(), "")
	s.do("GET", "/"+solveig(), "")
	s.do("POST", "/Patient", `{"resourceType":"Patient","name":[{"family":"MYRVANG"}],"`+solveig()+`":{"a":1,"a":2}}`)
	log := s.log.String()
	if n := strings.Count(log, "\n"); n != 6 {
		t.Errorf("%d lines, want 6", n)
	}
	for _, secret := range []string{solveig(), "MYRVANG", dalvikToken} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q: %s", secret, log)
		}
	}
	if !strings.Contains(log, "party=dalvik-kommune") || !strings.Contains(log, "route=/fhir/:type/:id") {
		t.Errorf("log %s", log)
	}
}

func TestIdentityAndRepeat(t *testing.T) {
	s := serve(t)
	a := s.do("POST", "/Task", task, "X-Request-Id", "r-1")
	if a.Header.Get("X-Request-Id") != "r-1" {
		t.Errorf("request id %q", a.Header.Get("X-Request-Id"))
	}
	b := s.do("POST", "/Task", task, "X-Request-Id", "r-1")
	if a.body != b.body || a.StatusCode != b.StatusCode || a.Header.Get("Location") != b.Header.Get("Location") {
		t.Errorf("a repeat is answered otherwise: %s, %s", a.body, b.body)
	}
	bundle := strings.Replace(transaction(task), `"type":`, `"identifier":{"system":"urn:x","value":"b-1"},"type":`, 1)
	c := s.do("POST", "", bundle, "X-Request-Id", "r-2")
	d := s.do("POST", "", bundle, "X-Request-Id", "r-3")
	if c.body != d.body {
		t.Errorf("a repeated Bundle is answered otherwise: %s, %s", c.body, d.body)
	}
	s.do("DELETE", "/Task/n1", "", "X-Request-Id", "r-1")
	var got []string
	for _, w := range s.store.writes {
		got = append(got, w.Identity)
		if len(w.Correlation) != 36 {
			t.Errorf("correlation %q", w.Correlation)
		}
	}
	if want := "[r-1 r-1 urn:x|b-1 urn:x|b-1 ]"; fmt.Sprint(got) != want {
		t.Errorf("identities %v, want %s", got, want)
	}
	if string(s.store.writes[0].Raw) != task || s.store.writes[0].Mode != fhir.WriteSingle || s.store.writes[2].Mode != fhir.WriteTransaction {
		t.Errorf("writes %+v", s.store.writes)
	}
}

func TestWriterWithoutAResultIsAFault(t *testing.T) {
	s := serve(t)
	s.store.first["dalvik-kommune\nr-2\n"+task] = fhir.WriteResult{}
	s.do("POST", "/Task", task, "X-Request-Id", "r-2").refused(t, 503, "transient")
}

func TestUnknownPathsTypesAndMethods(t *testing.T) {
	s := serve(t)
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/Invoice", 404, ""}, {"GET", "/Invoice/1", 404, ""}, {"POST", "/invoice", 404, ""},
		{"GET", "/Task/a_b", 404, ""}, {"GET", "/Task/" + strings.Repeat("x", 65), 404, ""},
		{"POST", "/Task/$validate", 404, ""}, {"POST", "/$process-message", 404, ""}, {"GET", "/Patient/1/$everything", 404, ""},
		{"GET", "/Patient/1/Task", 404, ""}, {"GET", "/a/b/c", 404, ""},
		{"PATCH", "/Task/1", 405, "GET, HEAD, PUT, DELETE"}, {"POST", "/Task/1", 405, "GET, HEAD, PUT, DELETE"},
		{"GET", "", 405, "POST"}, {"GET", "/Task/_search", 405, "POST"}, {"POST", "/metadata", 405, "GET, HEAD"},
		{"OPTIONS", "/Task", 405, "GET, HEAD, POST, PUT, DELETE"}, {"DELETE", "/Task/1/_history/1", 405, "GET, HEAD"},
		{"POST", "/_history", 405, "GET, HEAD"},
	} {
		r := s.do(c.method, c.path, "")
		r.refused(t, c.status, map[int]string{404: r.node(t).Str("issue", "code"), 405: "not-supported"}[c.status])
		if r.Header.Get("Allow") != c.allow {
			t.Errorf("%s %s: Allow %q, want %q", c.method, c.path, r.Header.Get("Allow"), c.allow)
		}
	}
	s.do("GET", "/Invoice", "").refused(t, 404, "not-supported")
}

func TestCapabilityStatement(t *testing.T) {
	s := serve(t)
	r := s.do("GET", "/metadata", "", "Authorization", "")
	n := r.node(t)
	if r.StatusCode != 200 || n.ResourceType() != "CapabilityStatement" || n.Str("fhirVersion") != "4.0.1" || n.Str("date") != "2026-03-02T08:30:15.250000Z" ||
		n.Str("implementation", "url") != s.url || n.Str("software", "version") != "1.0" {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	types := map[string]bool{}
	for _, res := range n.Each("rest")[0].Each("resource") {
		types[res.Str("type")] = true
		found := map[string]bool{}
		for _, p := range res.Each("searchParam") {
			found[p.Str("name")] = true
			if p.Str("type") == "" {
				t.Errorf("%s: %s", res.Str("type"), p.JSON())
			}
		}
		if !found["_id"] {
			t.Errorf("%s is not searched by _id", res.Str("type"))
		}
		// What is declared is served.
		if r := s.do("GET", "/"+res.Str("type"), ""); r.StatusCode != 200 {
			t.Errorf("%s: %d %s", res.Str("type"), r.StatusCode, r.body)
		}
	}
	for _, typ := range fhir.StoredTypes() {
		if !types[typ] {
			t.Errorf("%s is not declared", typ)
		}
	}
	if len(types) < 40 {
		t.Errorf("%d types", len(types))
	}
}

func TestBaseFollowsTheRequestWhenNoneIsSet(t *testing.T) {
	s := serve(t, func(o *rest.Options) { o.Base = "" })
	if r := s.do("POST", "/Task", task); r.Header.Get("Location") != s.url+"/Task/n1/_history/1" {
		t.Errorf("location %q, base %q", r.Header.Get("Location"), s.url)
	}
}

func TestSearchAndHistoryParameters(t *testing.T) {
	s := serve(t)
	for _, c := range []struct {
		path   string
		status int
	}{
		{"/Task?status=requested&_count=2&_pretty=true", 200},
		{"/Task?no-such-parameter=x", 400},
		{"/Task?_id=%zz", 400},
		{"/Task?_after=", 400},
		{"/Task?_include=Task:for", 400},
		{"/Task?_after=forged", 422},
		{"/Task/_history?_count=x", 400},
		{"/Task/_history?_count=0", 400},
		{"/Task/_history?_count=1&_count=2", 400},
		{"/Task/_history?_since=2026", 400},
		{"/_history?_count=99999", 200},
	} {
		if r := s.do("GET", c.path, ""); r.StatusCode != c.status {
			t.Errorf("%s: %d, want %d: %s", c.path, r.StatusCode, c.status, r.body)
		}
	}
}

func TestEveryWrongParameterIsTold(t *testing.T) {
	n := serve(t).do("GET", "/Task?_include=Task:for&nonsense=1", "").refused(t, 400, "not-supported")
	if issues := n.Each("issue"); len(issues) != 3 || !strings.Contains(issues[1].Str("details", "text"), "nonsense") {
		t.Errorf("%s", n.JSON())
	}
}

// walk follows next links and returns the ids of all entries.
func (s *server) walk(first reply, pages int) (ids []string) {
	s.t.Helper()
	for r := first; ; {
		n := r.node(s.t)
		for _, e := range n.Each("entry") {
			ids = append(ids, e.Str("resource", "id"))
		}
		pages--
		next := linkOf(n, "next")
		if next == "" {
			break
		}
		if r = s.do("GET", next, ""); r.StatusCode != 200 {
			s.t.Fatalf("%s: %d %s", next, r.StatusCode, r.body)
		}
	}
	if pages != 0 {
		s.t.Errorf("pages left over: %d", pages)
	}
	return ids
}

func linkOf(n *fhir.Node, relation string) string {
	for _, l := range n.Each("link") {
		if l.Str("relation") == relation {
			return l.Str("url")
		}
	}
	return ""
}

func TestPaging(t *testing.T) {
	s := serve(t)
	for range 5 {
		s.do("POST", "/Task", task)
	}
	r := s.do("GET", "/Task?status=requested&_count=2&_format=json", "")
	n := r.node(t)
	if n.Str("type") != "searchset" || n.Str("total") != "5" || linkOf(n, "self") != s.url+"/Task?_count=2&status=requested" {
		t.Fatalf("%s", r.body)
	}
	if e := n.Each("entry")[0]; e.Str("fullUrl") != s.url+"/Task/n1" || e.Str("search", "mode") != "match" {
		t.Errorf("entry %s", e.JSON())
	}
	if ids := s.walk(r, 3); fmt.Sprint(ids) != "[n1 n2 n3 n4 n5]" {
		t.Errorf("search %v", ids)
	}
	form := s.do("POST", "/Task/_search?_count=2", "status=requested", "Content-Type", "application/x-www-form-urlencoded")
	if ids := s.walk(form, 3); fmt.Sprint(ids) != "[n1 n2 n3 n4 n5]" {
		t.Errorf("search by form %v", ids)
	}
	s.do("DELETE", "/Task/n5", "")
	for path, want := range map[string]string{"/_history": "[ n5 n4 n3 n2 n1]", "/Task/_history": "[ n5 n4 n3 n2 n1]", "/Task/n5/_history": "[ n5]"} {
		if ids := s.walk(s.do("GET", path+"?_count=4", ""), map[bool]int{true: 1, false: 2}[path == "/Task/n5/_history"]); fmt.Sprint(ids) != want {
			t.Errorf("%s: %v, want %s", path, ids, want)
		}
	}
	entries := s.do("GET", "/Task/n5/_history", "").node(t).Each("entry")
	for i, want := range []string{
		`{"fullUrl":"` + s.url + `/Task/n5","request":{"method":"DELETE","url":"Task/n5"},"response":{"status":"204 No Content","etag":"W/\"2\"","lastModified":"2026-03-02T08:30:15.250000Z"}}`,
		`{"fullUrl":"` + s.url + `/Task/n5","resource":{"resourceType":"Task","status":"requested","intent":"order","id":"n5"},"request":{"method":"POST","url":"Task"},"response":{"status":"201 Created","etag":"W/\"1\"","lastModified":"2026-03-02T08:30:15.250000Z"}}`,
	} {
		if got := string(entries[i].JSON()); got != want {
			t.Errorf("history entry %d: %s", i, got)
		}
	}
	if n := s.do("GET", "/Task?status=none", "").node(t); n.Get("entry") != nil || n.Str("total") != "0" {
		t.Errorf("empty page %s", n.JSON())
	}
}

func TestTransaction(t *testing.T) {
	s := serve(t)
	s.do("POST", "/Goal", `{"resourceType":"Goal"}`)
	body := `{"resourceType":"Bundle","type":"transaction","entry":[
		{"request":{"method":"GET","url":"Task?status=requested"}},
		{"fullUrl":"urn:uuid:1","resource":` + task + `,"request":{"method":"POST","url":"Task"}},
		{"fullUrl":"urn:uuid:2","resource":{"resourceType":"CarePlan","id":"mine","x":1.10},"request":{"method":"PUT","url":"` + s.url + `/CarePlan/mine","ifMatch":"W/\"0\""}},
		{"request":{"method":"DELETE","url":"Goal/n1"}},
		{"request":{"method":"GET","url":"Goal/n1"}}]}`
	s.do("POST", "/", body).refused(t, 400, "invalid") // version 0 is no version
	body = strings.Replace(body, `,"ifMatch":"W/\"0\""`, "", 1)
	r := s.do("POST", "/", body)
	n := r.node(t)
	entries := n.Each("entry")
	if r.StatusCode != 200 || n.Str("type") != "transaction-response" || len(entries) != 5 {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	for i, want := range []string{"200 OK", "201 Created", "201 Created", "204 No Content", "410 Gone"} {
		if got := entries[i].Str("response", "status"); got != want {
			t.Errorf("entry %d: %s, want %s", i, got, want)
		}
	}
	if got := entries[0].Str("resource", "entry", "resource", "id"); got != "n2" {
		t.Errorf("a read in a transaction follows its writes: %s", entries[0].JSON())
	}
	if got := string(entries[1].JSON()); got != `{"fullUrl":"`+s.url+`/Task/n2","response":{"status":"201 Created","location":"`+s.url+`/Task/n2/_history/1","etag":"W/\"1\"","lastModified":"2026-03-02T08:30:15.250000Z"}}` {
		t.Errorf("create: %s", got)
	}
	if w := s.store.writes[len(s.store.writes)-1]; len(w.Entries) != 3 || w.Entries[0].FullURL != "urn:uuid:1" || w.Entries[1].ID != "mine" || string(w.Raw) != body {
		t.Errorf("write %+v", w)
	}
	r = s.do("POST", "/", body, "Prefer", "return=representation")
	if got := r.node(t).Each("entry")[2].Get("resource"); string(got.JSON()) != `{"resourceType":"CarePlan","id":"mine","x":1.10}` {
		t.Errorf("representation %s", got.JSON())
	}
	r = s.do("POST", "/", body, "Prefer", "return=OperationOutcome")
	if got := r.node(t).Each("entry")[2].Str("response", "outcome", "resourceType"); got != "OperationOutcome" {
		t.Errorf("outcome %q", got)
	}
	if r := s.do("POST", "", `{"resourceType":"Bundle","type":"transaction"}`); r.body != `{"resourceType":"Bundle","type":"transaction-response"}` {
		t.Errorf("empty transaction: %s", r.body)
	}
}

func TestTransactionIsAllOrNothing(t *testing.T) {
	s := serve(t)
	for entry, want := range map[string]string{
		`{}`: "Bundle.entry[1].request.method",
		`[]`: "Bundle.entry[1]",
		`{"request":{"method":"PATCH","url":"Task/1"}}`:                                                                           "Bundle.entry[1].request.method",
		`{"request":{"method":"POST","url":"Task"}}`:                                                                              "Bundle.entry[1].resource",
		`{"request":{"method":"POST","url":"Task"},"resource":[]}`:                                                                "Bundle.entry[1].resource",
		`{"request":{"method":"POST","url":"Task"},"resource":{"resourceType":"Goal"}}`:                                           "Bundle.entry[1].resource.resourceType",
		`{"request":{"method":"PUT","url":"Task/1"},"resource":{"resourceType":"Task","id":"2"}}`:                                 "Bundle.entry[1].resource.id",
		`{"request":{"method":"POST","url":"$process-message"},"resource":{"resourceType":"Task"}}`:                               "Bundle.entry[1].request.url",
		`{"request":{"method":"POST","url":"https://other.example.test/fhir/Task"},"resource":` + task + `}`:                      "Bundle.entry[1].request.url",
		`{"request":{"method":"POST","url":"Invoice"},"resource":{"resourceType":"Invoice"}}`:                                     "Bundle.entry[1].request.url",
		`{"request":{"method":"PUT","url":"Task/` + solveig() + `"},"resource":{"resourceType":"Task","id":"` + solveig() + `"}}`: "Bundle.entry[1].resource.id",
		`{"request":{"method":"GET","url":"Task/1"},"resource":` + task + `}`:                                                     "Bundle.entry[1].resource",
	} {
		body := strings.Replace(transaction(task), `}]}`, `},`+entry+`]}`, 1)
		r := s.do("POST", "", body)
		if r.StatusCode != 400 && r.StatusCode != 422 {
			t.Errorf("%s: %d", entry, r.StatusCode)
		}
		if got := r.node(t).Str("issue", "expression"); got != want {
			t.Errorf("%s: at %q, want %q", entry, got, want)
		}
	}
	if len(s.store.writes) != 0 || len(s.store.refused) != 12 {
		t.Errorf("%d writes, %d recorded", len(s.store.writes), len(s.store.refused))
	}
}

func TestBatchEntriesFailAlone(t *testing.T) {
	s := serve(t)
	s.do("PUT", "/Goal/theirs", `{"resourceType":"Goal","id":"theirs"}`, "Authorization", "Bearer "+solbakkenToken)
	r := s.do("POST", "", `{"resourceType":"Bundle","type":"batch","entry":[
		{"request":{"method":"PATCH","url":"Task/1"}},
		{"resource":`+task+`,"request":{"method":"POST","url":"Task"}},
		{"request":{"method":"GET","url":"Goal/theirs"}},
		{"resource":{"resourceType":"Goal","id":"theirs"},"request":{"method":"PUT","url":"Goal/theirs"}},
		{"request":{"method":"GET","url":"Task?nonsense=1"}},
		{"request":{"method":"GET","url":"Task?_id=%zz"}},
		{"request":{"method":"GET","url":"Task/n1"}}]}`)
	n := r.node(t)
	if r.StatusCode != 200 || n.Str("type") != "batch-response" {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	for i, want := range []string{"400 Bad Request", "201 Created", "404 Not Found", "403 Forbidden", "400 Bad Request", "400 Bad Request", "200 OK"} {
		e := n.Each("entry")[i]
		if got := e.Str("response", "status"); got != want {
			t.Errorf("entry %d: %s, want %s", i, got, want)
		}
		if failed := want[0] == '4'; failed != (e.Str("response", "outcome", "resourceType") == "OperationOutcome") {
			t.Errorf("entry %d: %s", i, e.JSON())
		}
	}
	// An entry that the Writer does not see is recorded as refused.
	s.do("POST", "", `{"resourceType":"Bundle","type":"batch","entry":[{},{"request":{"method":"GET","url":"Invoice"}}]}`)
	if len(s.store.refused) != 2 {
		t.Errorf("recorded %v", s.store.refused)
	}
}

// awkward are resources that a re-marshalled struct would change.
var awkward = map[string]string{
	"decimals":                `{"resourceType":"Observation","id":"ID","status":"final","valueQuantity":{"value":1.10,"x":66.899999999999991,"y":1e2,"z":-0.0}}`,
	"order and unknown":       `{"id":"ID","zulu":true,"status":"final","resourceType":"Observation","alpha":null}`,
	"primitive extensions":    `{"resourceType":"Observation","id":"ID","_status":{"extension":[{"url":"urn:x","valueCode":"as-is"}]},"note":[{"text":"a"},{"_text":{"id":"b"}}]}`,
	"nulls in arrays":         `{"resourceType":"Observation","id":"ID","name":[{"given":["Solveig",null,"Testdatter"],"_given":[null,{"id":"g"},null]}]}`,
	"contained":               `{"resourceType":"Observation","id":"ID","contained":[{"resourceType":"Patient","id":"p"}],"subject":{"reference":"#p"}}`,
	"markup and letters":      `{"resourceType":"Observation","id":"ID","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">Åshild & Sætre < 5 > 3</div>"},"x":"æøå 😀 \u2028"}`,
	"empty and deep":          `{"resourceType":"Observation","id":"ID","a":{},"b":[],"c":"","d":[[[[{}]]]]}`,
	"names by case":           `{"resourceType":"Observation","id":"ID","birthdate":"x","birthDate":"y"}`,
	"big numbers and slashes": `{"resourceType":"Observation","id":"ID","n":123456789012345678901234567890.5,"u":"http:\/\/x"}`,
}

func TestResourcesLeaveByteForByte(t *testing.T) {
	s := serve(t)
	for name, text := range awkward {
		t.Run(name, func(t *testing.T) {
			id := strings.ReplaceAll(name, " ", "-")
			sent := strings.Replace(text, `"ID"`, `"`+id+`"`, 1)
			if r := s.do("PUT", "/Observation/"+id, sent); r.StatusCode != 201 {
				t.Fatalf("%d %s", r.StatusCode, r.body)
			}
			node, err := fhir.Parse([]byte(sent), fhir.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			want := string(node.JSON())
			for _, path := range []string{"/Observation/" + id, "/Observation/" + id + "/_history/1"} {
				if r := s.do("GET", path, ""); r.body != want {
					t.Errorf("%s:\n%s, want\n%s", path, r.body, want)
				}
			}
			for _, path := range []string{"/Observation?_id=" + id, "/Observation/" + id + "/_history", "/Observation/_history?_count=1000"} {
				r := s.do("GET", path, "")
				if !strings.Contains(r.body, `"resource":`+want) || !json.Valid([]byte(r.body)) {
					t.Errorf("%s: %s", path, r.body)
				}
			}
			r := s.do("POST", "", `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Observation/`+id+`"}}]}`)
			if !strings.Contains(r.body, `"resource":`+want) || !json.Valid([]byte(r.body)) {
				t.Errorf("in a batch: %s", r.body)
			}
		})
	}
}

// TestOutsiderOnEveryRoute takes the routes from the engine, so that a route that is
// added is attacked too.
func TestOutsiderOnEveryRoute(t *testing.T) {
	s := serve(t)
	s.do("PUT", "/Task/theirs", `{"resourceType":"Task","id":"theirs","status":"requested"}`)
	routes := s.engine.Routes()
	if len(routes) < 60 {
		t.Fatalf("%d routes", len(routes))
	}
	before := len(s.store.writes)
	for _, route := range routes {
		path := strings.NewReplacer(":type", "Task", ":id", "theirs", ":version", "1", ":more", "more").Replace(strings.TrimPrefix(route.Path, "/fhir"))
		open := path == "/metadata" && (route.Method == "GET" || route.Method == "HEAD")
		body := ""
		if route.Method == "POST" || route.Method == "PUT" {
			body = `{"resourceType":"Task","id":"theirs","status":"accepted"}`
		}
		for _, header := range []string{"", "Bearer", "Bearer x", "Bearer wrong-token-0123456789", "Basic " + dalvikToken, dalvikToken, "Bearer " + sum(dalvikToken)} {
			r := s.do(route.Method, path, body, "Authorization", header)
			if open != (r.StatusCode == 200) || (!open && r.StatusCode != 401) {
				t.Errorf("%s %s with %q: %d", route.Method, path, header, r.StatusCode)
			}
			if !open && (r.Header.Get("WWW-Authenticate") == "" || strings.Contains(r.body, "theirs")) {
				t.Errorf("%s %s with %q: %v %s", route.Method, path, header, r.Header, r.body)
			}
		}
		// Another party sees nothing and changes nothing.
		r := s.do(route.Method, path, body, "Authorization", "Bearer "+solbakkenToken)
		creates := route.Method == "POST" && path == "/Task"
		if !open && !creates && (strings.Contains(r.body, `"id":"theirs"`) || (r.StatusCode < 300 && strings.Contains(path, "theirs"))) {
			t.Errorf("%s %s by another party: %d %s", route.Method, path, r.StatusCode, r.body)
		}
	}
	for _, w := range s.store.writes[before:] {
		if w.Entries[0].Method != "POST" && w.Entries[0].Method != "PUT" && w.Entries[0].Method != "DELETE" {
			t.Errorf("write %+v", w)
		}
	}
	if r := s.do("GET", "/Task/theirs", ""); r.Header.Get("ETag") != `W/"1"` {
		t.Errorf("an outsider changed a resource: %v", r.Header)
	}
	// What exists and is hidden looks exactly like what does not exist.
	hidden := s.do("GET", "/Task/theirs", "", "Authorization", "Bearer "+solbakkenToken)
	none := s.do("GET", "/Task/never", "", "Authorization", "Bearer "+solbakkenToken)
	strip := func(r reply) string { return strings.ReplaceAll(r.body, r.Header.Get("X-Correlation-Id"), "") }
	if hidden.StatusCode != 404 || strip(hidden) != strip(none) {
		t.Errorf("hidden %s, none %s", hidden.body, none.body)
	}
	if r := s.do("GET", "/nowhere/at/all", "", "Authorization", ""); r.StatusCode != 401 {
		t.Errorf("an unknown path without a token: %d", r.StatusCode)
	}
}

func TestWithoutAuthenticatorNobodyGetsIn(t *testing.T) {
	s := serve(t, func(o *rest.Options) { o.Authenticator = nil })
	s.do("GET", "/Task", "").refused(t, 401, "login")
}

func TestTwoAuthorizationHeaders(t *testing.T) {
	s := serve(t)
	req, _ := http.NewRequest("GET", s.url+"/Task", nil)
	req.Header["Authorization"] = []string{"Bearer " + dalvikToken, "Bearer " + solbakkenToken}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 401 {
		t.Errorf("%d", resp.StatusCode)
	}
}

func FuzzBundle(f *testing.F) {
	f.Add([]byte(transaction(task)))
	f.Add([]byte(`{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Task?_id=1"}},{"fullUrl":"x","request":{"method":"PUT","url":"Task/1"},"resource":{"resourceType":"Task","id":"1"}}]}`))
	f.Add([]byte(`{"resourceType":"Bundle","type":"batch","entry":{"request":"x"}}`))
	s := serve(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		s.log.Reset()
		s.store.versions, s.store.writes, s.store.refused = nil, nil, nil
		req := httptest.NewRequest("POST", "/fhir/", bytes.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+dalvikToken)
		req.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.engine.ServeHTTP(w, req)
		if w.Code >= 500 || !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}

func FuzzSearchQuery(f *testing.F) {
	f.Add("status=requested&_count=2")
	f.Add("_after=1&_id=a,b&identifier=x%7Cy")
	f.Add("_format=xml")
	s := serve(f)
	f.Fuzz(func(t *testing.T, query string) {
		s.log.Reset()
		req := httptest.NewRequest("GET", "/fhir/Task", nil)
		req.URL = &url.URL{Path: "/fhir/Task", RawQuery: query}
		req.Header.Set("Authorization", "Bearer "+dalvikToken)
		w := httptest.NewRecorder()
		s.engine.ServeHTTP(w, req)
		if w.Code >= 500 || !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	})
}

func benchmark(b *testing.B, method, path, body string, status int) {
	s := serve(b, func(o *rest.Options) { o.Logger = nil })
	s.do("PUT", "/Task/a", `{"resourceType":"Task","id":"a","status":"requested","description":"`+strings.Repeat("x", 3000)+`"}`)
	b.ReportAllocs()
	for b.Loop() {
		req := httptest.NewRequest(method, "/fhir"+path, strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+dalvikToken)
		req.Header.Set("Content-Type", "application/fhir+json")
		w := httptest.NewRecorder()
		s.engine.ServeHTTP(w, req)
		if w.Code != status {
			b.Fatalf("%d %s", w.Code, w.Body)
		}
		s.store.versions, s.store.writes = s.store.versions[:1], s.store.writes[:0]
	}
}

func BenchmarkRead(b *testing.B)   { benchmark(b, "GET", "/Task/a", "", 200) }
func BenchmarkSearch(b *testing.B) { benchmark(b, "GET", "/Task?_id=a", "", 200) }
func BenchmarkCreate(b *testing.B) { benchmark(b, "POST", "/Task", task, 201) }
func BenchmarkTransaction(b *testing.B) {
	benchmark(b, "POST", "", transaction(task, task, task, task, task, task), 200)
}
