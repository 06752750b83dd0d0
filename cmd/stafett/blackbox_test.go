package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"stafett/api"
	"stafett/demo"
	"stafett/handover"
)

// The tests of this file's harness attack the gateway from outside: they start it as a
// process, speak raw wires, and end it as an operator, a full disk or a power failure would.

// gatewayBinary is the gateway: this test binary under the gateway's name, which TestMain
// heeds, or with the race detector, which no installation has, one built once for all tests.
var gatewayBinary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(builtIn, "stafett")
	if !racing {
		self, err := os.Executable()
		if err != nil {
			return "", err
		}
		return path, os.Symlink(self, path)
	}
	cmd := exec.Command("go", "build", "-o", path, "stafett/cmd/stafett")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// builtIn is the folder of what the tests build.
var builtIn string

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "stafett" {
		main()
		return
	}
	if os.Getenv(asNATS) != "" {
		os.Exit(serveNATS(os.Args[1:]))
	}
	dir, err := os.MkdirTemp("", "stafett-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	builtIn = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// needsProcess skips where no gateway is to run beside the test.
func needsProcess(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs the gateway as a process: not with -short")
	}
}

// slow skips what takes long and has a shorter form beside it.
func slow(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("STAFETT_TEST_SLOW") == "" {
		t.Skip(why + ": STAFETT_TEST_SLOW is not set")
	}
}

// rounds is how often something is repeated: few times, or many with STAFETT_TEST_SLOW.
func rounds(few, many int) int {
	if os.Getenv("STAFETT_TEST_SLOW") == "" {
		return few
	}
	return many
}

// seeded gives this run's randomness; STAFETT_SEED repeats an earlier run's.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if s := os.Getenv("STAFETT_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal("STAFETT_SEED is not a number")
		}
		seed = n
	}
	t.Logf("seed: STAFETT_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// Ids of the fictitious parties.
const (
	sykehus     handover.PartyID = demo.HospitalID
	kommune     handover.PartyID = demo.MunicipalityID
	institusjon handover.PartyID = demo.InstitutionID
)

// blackbox is a folder with a configuration, and the gateway that runs on it.
type blackbox struct {
	dir                  string
	operator             string
	tokens, natsPassword map[handover.PartyID]string

	t      *testing.T
	binary string
	config string
	log    *os.File
	at     atomic.Pointer[gatewayProcess] // the process that is ready, nil while none is
}

// boxFor is a sandbox whose parties' systems are p.
func boxFor(t *testing.T, p *wireParties) *demo.Sandbox {
	box := demo.NewSandbox(t.TempDir())
	box.Hospital, box.Municipality, box.MunicipalityFHIR, box.Institution = p.hospital.addr, p.municipality.addr, p.referrals.addr, p.institution.addr
	return box
}

func blackboxOf(t *testing.T, box *demo.Sandbox) *blackbox {
	b := &blackbox{t: t, dir: box.Dir, operator: box.Operator, tokens: map[handover.PartyID]string{}, natsPassword: map[handover.PartyID]string{}}
	for p, token := range box.Tokens {
		b.tokens[handover.PartyID(p)], b.natsPassword[handover.PartyID(p)] = token, box.NATSPasswords[p]
	}
	return b
}

// newBlackbox writes the folder. change, when not nil, alters the configuration.
func newBlackbox(t *testing.T, p *wireParties, change func(*blackbox, *Config)) *blackbox {
	t.Helper()
	needsProcess(t)
	binary, err := gatewayBinary()
	if err != nil {
		t.Fatal(err)
	}
	box := boxFor(t, p)
	b := blackboxOf(t, box)
	b.binary = binary
	cfg, err := sandboxConfig(box)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Watch = 200 * time.Millisecond
	cfg.Delivery = Delivery{Timeout: 2 * time.Second, Lease: 4 * time.Second, RetryMin: 50 * time.Millisecond, RetryMax: 500 * time.Millisecond, Poll: 100 * time.Millisecond}
	if change != nil {
		change(b, &cfg)
	}
	b.config = filepath.Join(b.dir, "stafett.yaml")
	raw, err := yaml.Marshal(cfg)
	if err == nil {
		err = os.WriteFile(b.config, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if b.log, err = os.Create(filepath.Join(t.TempDir(), "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.showLog)
	return b
}

func (b *blackbox) showLog() {
	b.log.Close()
	if !b.t.Failed() {
		return
	}
	if raw, err := os.ReadFile(b.log.Name()); err == nil {
		b.t.Logf("the gateway ended its log with:\n%s", raw[max(0, len(raw)-6000):])
	}
}

// gatewayProcess is one life of the gateway.
type gatewayProcess struct {
	cmd              *exec.Cmd
	http, mllp, nats string
	ready            chan struct{} // closed when it has said so
	ended            chan struct{} // closed when it is gone
	err              error         // of its end
}

// launch starts the gateway and does not wait. wrap, when given, is the command that
// starts it.
func (b *blackbox) launch(wrap ...string) *gatewayProcess {
	b.t.Helper()
	args := append(wrap, b.binary, "serve", "--config", b.config)
	p := &gatewayProcess{cmd: exec.Command(args[0], args[1:]...), ready: make(chan struct{}), ended: make(chan struct{})}
	p.cmd.Stderr = b.log
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(p.kill)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if line := lines.Text(); strings.HasPrefix(line, "ready ") {
				p.http, p.mllp, p.nats = "http://"+field(line, "http="), strings.Trim(field(line, "mllp="), "[]"), field(line, "nats=")
				b.at.Store(p)
				close(p.ready)
			}
		}
		p.err = p.cmd.Wait()
		b.at.CompareAndSwap(p, nil)
		close(p.ended)
	}()
	return p
}

// start starts the gateway and waits until it is ready.
func (b *blackbox) start(wrap ...string) *gatewayProcess {
	b.t.Helper()
	p := b.launch(wrap...)
	select {
	case <-p.ready:
	case <-p.ended:
		b.t.Fatalf("the gateway ended before it was ready: %v", p.err)
	case <-time.After(time.Minute):
		b.t.Fatal("the gateway was not ready within a minute")
	}
	return p
}

// kill ends the process as a power failure would, and waits until it is gone.
func (p *gatewayProcess) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// stop ends the process as an operator would; it must end by itself, with status 0.
func (b *blackbox) stop(p *gatewayProcess) {
	b.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.t.Fatal(err)
	}
	select {
	case <-p.ended:
		if p.err != nil {
			b.t.Fatalf("the gateway ended with %v", p.err)
		}
	case <-time.After(30 * time.Second):
		b.t.Fatal("the gateway did not stop within 30 s")
	}
}

// cli runs one command against the running gateway as a named person.
func (b *blackbox) cli(args ...string) (out string, code int) {
	b.t.Helper()
	return b.cliAs(b.operator, args...)
}

func (b *blackbox) cliAs(token string, args ...string) (out string, code int) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.binary, args...)
	cmd.Env = append(os.Environ(), "STAFETT_TOKEN="+token)
	if p := b.at.Load(); p != nil {
		cmd.Env = append(cmd.Env, "STAFETT_URL="+p.http)
	}
	raw, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		b.t.Fatalf("stafett %s: %v", strings.Join(args, " "), err)
	}
	return string(raw), cmd.ProcessState.ExitCode()
}

// proves runs a command that must say yes.
func (b *blackbox) proves(want string, args ...string) string {
	b.t.Helper()
	out, code := b.cli(args...)
	if code != 0 || !strings.Contains(out, want) {
		b.t.Errorf("stafett %s: exit %d, without %q:\n%s", strings.Join(args, " "), code, want, out)
	}
	return out
}

// get asks the gateway's own API and reads its JSON.
func (b *blackbox) get(path, token string, out any) {
	b.t.Helper()
	a, err := b.request(b.t.Context(), "GET", path, token, nil, nil)
	if err != nil || a.status != http.StatusOK {
		b.t.Fatalf("GET %s: %d %v %.300s", path, a.status, err, a.body)
	}
	if err := json.Unmarshal(a.body, out); err != nil {
		b.t.Fatalf("GET %s: %v", path, err)
	}
}

var errNoGateway = errors.New("no gateway is ready")

// answer is an HTTP answer read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// request sends one HTTP request to whatever gateway is ready now.
func (b *blackbox) request(ctx context.Context, method, path, token string, body []byte, header map[string]string) (answer, error) {
	p := b.at.Load()
	if p == nil {
		return answer{}, errNoGateway
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, p.http+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	return answer{resp.StatusCode, resp.Header, raw}, err
}

// mllp sends one framed message on a connection of its own and returns the answer's bytes.
func (b *blackbox) mllp(ctx context.Context, frame []byte) ([]byte, error) {
	p := b.at.Load()
	if p == nil {
		return nil, errNoGateway
	}
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", p.mllp)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := conn.Write(frame); err != nil {
		return nil, err
	}
	return readMLLP(bufio.NewReader(conn))
}

// readMLLP reads one message out of its frame.
func readMLLP(in *bufio.Reader) ([]byte, error) {
	raw, err := in.ReadBytes(0x1c)
	if err != nil {
		return nil, err
	}
	if _, err := in.ReadByte(); err != nil {
		return nil, err
	}
	return bytes.TrimPrefix(raw[:len(raw)-1], []byte{0x0b}), nil
}

// persistent does what real systems do: it sends the identical message until it is answered.
func persistent(ctx context.Context, send func() (done bool, err error)) error {
	var last error
	for ctx.Err() == nil {
		done, err := send()
		if done {
			return err
		}
		last = err
		select {
		case <-ctx.Done():
		case <-time.After(50*time.Millisecond + rand.N(100*time.Millisecond)):
		}
	}
	return fmt.Errorf("never answered: %w", last)
}

// sendHL7 sends one message until it is answered, and fails unless the answer is positive.
func (b *blackbox) sendHL7(ctx context.Context, frame []byte) error {
	return persistent(ctx, func() (bool, error) {
		raw, err := b.mllp(ctx, frame)
		if err != nil {
			return false, err
		}
		msa := hl7Field(raw, "MSA", 1)
		if msa != "AA" && msa != "CA" {
			return true, fmt.Errorf("answered %q", raw)
		}
		return true, nil
	})
}

// sendHTTP sends one request until it is answered with something else than "later".
func (b *blackbox) sendHTTP(ctx context.Context, method, path string, party handover.PartyID, body []byte, header map[string]string) (answer, error) {
	var a answer
	err := persistent(ctx, func() (bool, error) {
		var err error
		a, err = b.request(ctx, method, path, b.tokens[party], body, header)
		if err != nil {
			return false, err
		}
		if a.status == http.StatusServiceUnavailable || a.status == http.StatusTooManyRequests {
			return false, fmt.Errorf("answered %d", a.status)
		}
		if a.status < 200 || a.status > 299 {
			return true, fmt.Errorf("%s %s: answered %d %.500s", method, path, a.status, a.body)
		}
		return true, nil
	})
	return a, err
}

var (
	xmlType  = map[string]string{"Content-Type": "application/xml; charset=utf-8"}
	fhirType = map[string]string{"Content-Type": "application/fhir+json"}
)

// until asks until the answer is yes, for at most wait.
func (b *blackbox) until(wait time.Duration, what string, yes func() bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), wait)
	defer cancel()
	askUntil(ctx, b.t, what, yes)
}

// settled waits until no message is on its way any more.
func (b *blackbox) settled(wait time.Duration) api.Balance {
	b.t.Helper()
	var v api.Balance
	b.until(wait, "every message has ended", func() bool {
		v = api.Balance{}
		b.get("/ledger/balance", b.operator, &v)
		return v.Moving == 0
	})
	return v
}

// hl7Field is the n-th field of the first segment of a name; in MSH, MSH-10 is number 9.
func hl7Field(raw []byte, segment string, n int) string {
	for _, s := range bytes.Split(bytes.TrimPrefix(raw, []byte{0x0b}), []byte{'\r'}) {
		if f := strings.Split(string(s), "|"); f[0] == segment && n < len(f) {
			return f[n]
		}
	}
	return ""
}

// field is what follows a name in the line by which the gateway says that it is ready.
func field(line, name string) string {
	for _, f := range strings.Fields(line) {
		if v, ok := strings.CutPrefix(f, name); ok {
			return v
		}
	}
	return ""
}

// cut is what stands between two texts, empty when the first is not there.
func cut(raw []byte, before, after string) string {
	_, rest, _ := bytes.Cut(raw, []byte(before))
	v, _, _ := bytes.Cut(rest, []byte(after))
	return string(v)
}
