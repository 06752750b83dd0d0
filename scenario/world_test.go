package scenario

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Parties of the world, by the gateway's ids.
const (
	hospital     = "nordvik-sykehus" // HL7 v2, facilities NORDVIK and NORDVIK2
	otherHouse   = "berg-sykehus"    // KITH
	municipality = "sandvik-kommune" // KITH, svarlinje-1, kommunenummer 9911
	neighbour    = "innvik-kommune"  // KITH, answers in free text, kommunenummer 9912
	institution  = "solheim-rehab"   // FHIR
	remote       = "vestvik-kommune" // FHIR
	fellow       = "fjordheim-rehab" // FHIR
)

var parties = []string{hospital, otherHouse, municipality, neighbour, institution, remote, fellow}

// patience bounds every wait; nothing takes that long unless it is lost.
const patience = 30 * time.Second

// world is the gateway as a process, and the systems of its parties.
type world struct {
	http, mllp string
	token      map[string]string // by party, and "operator"
	binary     string
	boxes      map[string]*mailbox
	client     *http.Client
	process    *exec.Cmd
	receipts   sync.WaitGroup

	mu     sync.Mutex
	faults []string // receipts that the gateway did not take, strangers who were told late
}

// mailbox is what a party's system received, found by what the messages mention.
type mailbox struct {
	mu      sync.Mutex
	by      map[string][]mail
	arrived int
	gone    map[string]bool // keys of patients whose sequence has ended: whether the party may know
	late    int             // messages about those who are gone and must not be known
	changed chan struct{}
}

// mail is one message, with its place in the order of arrival.
type mail struct {
	at  int
	raw string
}

// mentions finds national numbers, the family names of this world, and message ids.
var mentions = regexp.MustCompile(`\b\d{11}\b|Zz[a-z]{6}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// put keeps a message; a repeat, which has the same bytes, is known.
func (b *mailbox) put(raw string) (fresh bool) {
	keys := mentions.FindAllString(raw, -1)
	slices.Sort(keys)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.arrived++
	for i, k := range slices.Compact(keys) {
		if i == 0 && slices.ContainsFunc(b.by[k], func(m mail) bool { return m.raw == raw }) {
			return false
		}
		if may, gone := b.gone[k]; gone {
			if !may {
				b.late++
			}
			continue
		}
		b.by[k] = append(b.by[k], mail{b.arrived, raw})
	}
	close(b.changed)
	b.changed = make(chan struct{})
	return true
}

// about returns what mentions one of the keys, in order, and a channel that closes at the next arrival.
func (b *mailbox) about(keys ...string) ([]string, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []mail
	for _, key := range keys {
		all = append(all, b.by[key]...)
	}
	slices.SortFunc(all, func(a, b mail) int { return a.at - b.at })
	var out []string
	for _, m := range slices.Compact(all) {
		out = append(out, m.raw)
	}
	return out, b.changed
}

// await waits until what mentions a key is as it must be.
func (b *mailbox) await(key string, is func([]string) bool) bool {
	end := time.After(patience)
	for {
		got, changed := b.about(key)
		if is(got) {
			return true
		}
		select {
		case <-changed:
		case <-end:
			return false
		}
	}
}

// forget drops what is kept of a sequence that has ended, but who may hear of its patients.
func (w *world) forget(s *sequence) {
	for _, y := range append(s.ended, s.stays[:]...) {
		for p, b := range w.boxes {
			b.mu.Lock()
			for _, key := range append([]string{family(y.serial)}, y.numbers...) {
				for _, m := range b.by[key] {
					parsed.Delete(m.raw)
					for _, other := range mentions.FindAllString(m.raw, -1) {
						if len(other) == 36 {
							delete(b.by, other)
						}
					}
				}
				delete(b.by, key)
				b.gone[key] = y.mayKnow[p]
			}
			b.mu.Unlock()
		}
	}
	for _, r := range s.referrals {
		w.forgetReferral(r)
	}
}

func (w *world) fault(format string, args ...any) {
	w.mu.Lock()
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
	w.mu.Unlock()
}

func newID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// newWorld builds the gateway's binary and starts it with everybody's systems around it.
func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{binary: filepath.Join(dir, "stafett"), token: map[string]string{"operator": newID()}, boxes: map[string]*mailbox{},
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}, Timeout: patience}}
	build := exec.Command("go", "build", "-o", w.binary, "stafett/cmd/stafett")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for _, p := range parties {
		w.token[p] = newID()
		w.boxes[p] = &mailbox{by: map[string][]mail{}, gone: map[string]bool{}, changed: make(chan struct{})}
	}
	values := map[string]string{"DIR": dir, "OPERATOR": w.token["operator"], "HOSPITAL_URL": "mllp://" + w.serveMLLP(t)}
	for _, p := range parties {
		name := strings.ToUpper(p[:strings.Index(p, "-")])
		values[name+"_TOKEN"] = w.secret(t, dir, p)
		if onFHIR[p] != "" {
			values[name+"_URL"] = w.serveHTTP(t, w.takeFHIR(p))
		} else if p != hospital {
			values[name+"_URL"] = w.serveHTTP(t, w.takeKITH(p))
		}
	}
	values["OPERATOR_TOKEN"] = w.secret(t, dir, "operator")
	config := filepath.Join(dir, "stafett.yaml")
	if err := os.WriteFile(config, []byte(fill(configuration, values)), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start(t, dir, config)
	return w
}

func (w *world) secret(t *testing.T, dir, name string) string {
	path := filepath.Join(dir, name+".token")
	if err := os.WriteFile(path, []byte(w.token[name]), 0o600); err != nil {
		t.Fatal(err)
	}
	return "file:" + path
}

func (w *world) start(t *testing.T, dir, config string) {
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(w.binary, "serve", "--config", config)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	w.process = cmd
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
		if raw, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("the gateway ended its log with:\n%s", raw[max(0, len(raw)-3000):])
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if line := lines.Text(); strings.HasPrefix(line, "ready ") {
			for _, f := range strings.Fields(line) {
				if v, ok := strings.CutPrefix(f, "http="); ok {
					w.http = "http://" + v
				} else if v, ok := strings.CutPrefix(f, "mllp="); ok {
					w.mllp = strings.Trim(v, "[]")
				}
			}
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return
		}
	}
	raw, _ := os.ReadFile(log.Name())
	t.Fatalf("the gateway did not become ready:\n%s", raw)
}

// stop ends the gateway as an operator would.
func (w *world) stop() error {
	w.receipts.Wait()
	if err := w.process.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return w.process.Wait()
}

// command runs one command of the gateway's as the operator.
func (w *world) command(args ...string) (string, error) {
	cmd := exec.Command(w.binary, args...)
	cmd.Env = append(os.Environ(), "STAFETT_TOKEN="+w.token["operator"], "STAFETT_URL="+w.http)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (w *world) serveHTTP(t *testing.T, h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// takeKITH keeps a message, answers 202, and gives its AppRec.
func (w *world) takeKITH(party string) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(rw, "broken off", http.StatusBadRequest)
			return
		}
		fresh := w.boxes[party].put(string(raw))
		rw.WriteHeader(http.StatusAccepted)
		if m := readKITH(string(raw)); fresh && m.Type != "" {
			w.receipts.Go(func() {
				if status, err := w.post("/kith", party, appRec(m)); err != nil || status != http.StatusAccepted {
					w.fault("AppRec of %s: %d %v", m.Type, status, err)
				}
			})
		}
	}
}

// takeFHIR keeps a transaction and answers that each entry is stored.
func (w *world) takeFHIR(party string) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		var bundle struct{ Entry []json.RawMessage }
		raw, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(raw, &bundle)
		}
		if err != nil {
			http.Error(rw, "a transaction is expected", http.StatusBadRequest)
			return
		}
		w.boxes[party].put(string(raw))
		rw.Header().Set("Content-Type", "application/fhir+json")
		stored := strings.TrimSuffix(strings.Repeat(`{"response":{"status":"200 OK"}},`, len(bundle.Entry)), ",")
		fmt.Fprintf(rw, `{"resourceType":"Bundle","type":"transaction-response","entry":[%s]}`, stored)
	}
}

// serveMLLP is the hospital's receiver: it keeps each message and answers AA.
func (w *world) serveMLLP(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for {
					raw, err := readFrame(in)
					if err != nil {
						return
					}
					w.boxes[hospital].put(raw)
					ack := fill(hl7Ack, map[string]string{"ID": newID(), "NOW": hl7Time(time.Now()), "ORIGINAL": hl7Field(raw, "MSH", 9)})
					if err := writeFrame(c, ack); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

func readFrame(in *bufio.Reader) (string, error) {
	raw, err := in.ReadString(0x1c)
	if err != nil {
		return "", err
	}
	if _, err := in.ReadByte(); err != nil {
		return "", err
	}
	return strings.TrimPrefix(raw[:len(raw)-1], "\x0b"), nil
}

func writeFrame(out io.Writer, raw string) error {
	_, err := io.WriteString(out, "\x0b"+raw+"\x1c\r")
	return err
}

// sendHL7 sends one message and returns the answer's code.
func (w *world) sendHL7(raw string) (string, error) {
	c, err := net.DialTimeout("tcp", w.mllp, patience)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	if err := writeFrame(c, raw); err != nil {
		return "", err
	}
	answer, err := readFrame(bufio.NewReader(c))
	return hl7Field(answer, "MSA", 1), err
}

func (w *world) request(method, path, as, contentType, body string, headers ...string) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, w.http+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+w.token[as])
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, raw, err
}

// post sends one KITH message as a party.
func (w *world) post(path, as, raw string) (int, error) {
	status, _, err := w.request(http.MethodPost, path, as, "application/xml; charset=utf-8", raw)
	return status, err
}

// outcome is what the operators' API says of a message.
type outcome struct {
	State      string
	Reason     string
	Handover   *held
	Deliveries []struct{ Receiver, Type, State string }
}

// held is a handover as an operator sees it.
type held struct {
	ID, Chain, State, Custodian, Receiver string
	Attentions                            []struct{ Reason string }
}

func (o outcome) attention(reason string) bool { return o.Handover.attention(reason) }

func (h *held) attention(reason string) bool {
	if h == nil {
		return false
	}
	for _, a := range h.Attentions {
		if reason == "" || a.Reason == reason {
			return true
		}
	}
	return false
}

// inspect asks what became of a message.
func (w *world) inspect(id string) (outcome, error) {
	var o outcome
	status, raw, err := w.request(http.MethodGet, "/messages/"+id, "operator", "", "")
	if err != nil {
		return o, err
	}
	if status != http.StatusOK {
		return o, fmt.Errorf("message: %d %s", status, bytes.TrimSpace(raw))
	}
	return o, json.Unmarshal(raw, &o)
}

// chain lists the handovers of one.
func (w *world) chain(id string) ([]held, error) {
	var page struct{ Items []held }
	status, raw, err := w.request(http.MethodGet, "/handovers?chain="+id, "operator", "", "")
	if err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("chain: %d %v", status, err)
	}
	return page.Items, json.Unmarshal(raw, &page)
}

var errStillMoving = errors.New("the message is still moving")

// settled waits until all that a message became has ended.
func (w *world) settled(id string) (outcome, error) {
	end := time.Now().Add(patience)
	for pause := 30 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		<-time.After(pause)
		o, err := w.inspect(id)
		if err != nil || o.State != "moving" {
			return o, err
		}
		if time.Now().After(end) {
			return o, errStillMoving
		}
	}
}
