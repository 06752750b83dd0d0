package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	natsconf "github.com/nats-io/nats-server/v2/conf"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.yaml.in/yaml/v3"

	"stafett/api"
	"stafett/directory"
	"stafett/events"
	"stafett/handover"
)

// The configurations in docker-compose.yml are run here as they stand there, without
// containers: only addresses, folders and secrets are put in their place.

const composeRoot = "../.."

// composeNodes are the NATS services.
var composeNodes = []string{"nats-1", "nats-2", "nats-3"}

// compose is what is read of docker-compose.yml, with its variables filled in.
type compose struct {
	Services map[string]struct {
		Image       string
		Command     []string
		Environment map[string]string
	}
	Configs map[string]struct{ Content string }

	secrets map[string]string
}

var composeVariable = regexp.MustCompile(`\$\$|\$\{([A-Z0-9_]+)(:\?[^}]*)?\}`)

// readCompose fills every variable with a value of its own, as an operator would.
func readCompose(t *testing.T) compose {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(composeRoot, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	c := compose{secrets: map[string]string{}}
	filled := composeVariable.ReplaceAllStringFunc(string(raw), func(s string) string {
		m := composeVariable.FindStringSubmatch(s)
		if s == "$$" {
			return "$"
		}
		if m[2] == "" {
			t.Errorf("%s may be empty: write it with :?", s)
		}
		if c.secrets[m[1]] == "" {
			c.secrets[m[1]] = "s" + composeHex(t)
		}
		return c.secrets[m[1]]
	})
	if err := yaml.Unmarshal([]byte(filled), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func composeHex(t *testing.T) string {
	t.Helper()
	b := make([]byte, 24)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b)
}

// place puts new in old's place and fails when old is not there, because then something
// else than the file's configuration would be run.
func place(t *testing.T, text, old, new string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("docker-compose.yml does not say %q any more", old)
	}
	return strings.ReplaceAll(text, old, new)
}

func TestCompose_HoldsNoSecretAndTheServersOfThisBuild(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(composeRoot, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(raw), "\n") {
		l := strings.ToLower(line)
		given := strings.Contains(l, "password: ") || strings.Contains(l, "token: ")
		if given && !strings.Contains(line, "${STAFETT_") && !strings.Contains(line, "env:STAFETT_") {
			t.Errorf("docker-compose.yml:%d: a secret that is no reference", i+1)
		}
	}
	mod, err := os.ReadFile(filepath.Join(composeRoot, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	c := readCompose(t)
	for _, node := range composeNodes {
		_, version, _ := strings.Cut(strings.TrimSuffix(c.Services[node].Image, "-alpine"), ":")
		if !bytes.Contains(mod, []byte("github.com/nats-io/nats-server/v2 v"+version+"\n")) {
			t.Errorf("%s runs %s, which is not the version of go.mod that is tested", node, c.Services[node].Image)
		}
	}
}

func TestCompose_AccountsAreThoseOfTheEventsPackage(t *testing.T) {
	c := readCompose(t)
	have, err := natsconf.Parse(c.Configs["nats"].Content)
	if err != nil {
		t.Fatal(err)
	}
	var parties []events.PartyUsers
	for _, p := range []struct {
		id     handover.PartyID
		secret string
	}{{sykehus, "FJELLHEIM"}, {kommune, "DALVIK"}, {institusjon, "SOLBAKKEN"}} {
		parties = append(parties, events.PartyUsers{Party: p.id,
			Reader:  events.User{Name: string(p.id), Password: c.secrets["STAFETT_NATS_"+p.secret]},
			Gateway: events.User{Name: "gateway-" + string(p.id), Password: c.secrets["STAFETT_NATS_"+p.secret+"_GATEWAY"]}})
	}
	text, err := events.AccountsConf(events.User{Name: "system", Password: c.secrets["STAFETT_NATS_SYSTEM"]},
		events.User{Name: "gateway", Password: c.secrets["STAFETT_NATS_GATEWAY"]}, parties)
	if err != nil {
		t.Fatal(err)
	}
	want, err := natsconf.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"accounts", "system_account"} {
		if !reflect.DeepEqual(have[key], want[key]) {
			t.Errorf("%s in docker-compose.yml is not what events.AccountsConf writes:\n%s", key, text)
		}
	}
}

// TestCompose_RunsAsProcesses starts the three NATS nodes and the gateway with the file's
// own configurations, publishes, kills the node that leads, and publishes again.
func TestCompose_RunsAsProcesses(t *testing.T) {
	slow(t, "four servers with the configurations of docker-compose.yml")
	needsProcess(t)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	c := readCompose(t)
	for name, value := range c.Services["gateway"].Environment {
		t.Setenv(name, value) // the configuration refers to secrets by these names
	}
	nodes := startNodes(ctx, t, c)
	config := c.gatewayFiles(t, nodes)
	cfg, err := loadConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := directory.Load(cfg.Directory, serve(cfg).known()...); err != nil {
		t.Fatal(err)
	}
	ec, err := eventsConfig(cfg.Events)
	if err != nil {
		t.Fatal(err)
	}
	// Replicas, sync of every node and the accounts are held against what is required.
	bus, err := events.Open(ctx, ec)
	if err != nil {
		t.Fatal(err)
	}
	bus.Close()

	g := startGateway(ctx, t, config)
	g.get(t, "/readyz", "")
	g.refer(t, c.secrets["STAFETT_TOKEN_DALVIK"], "compose-1")
	follow := events.TailOptions{Party: institusjon, From: 1, Connect: events.Connect{URL: nodes.urls(),
		User: string(institusjon), Password: c.secrets["STAFETT_NATS_SOLBAKKEN"]}}
	first := nextEvent(ctx, t, follow)
	if first.Sequence != 1 || !strings.HasPrefix(first.Subject, "handover.v1.referral.requested.dalvik-kommune.solbakken-rehabilitering") {
		t.Fatalf("the first event is %d on %s", first.Sequence, first.Subject)
	}

	nodes.kill(t, leaderOf(ctx, t, *ec.External))
	g.refer(t, c.secrets["STAFETT_TOKEN_DALVIK"], "compose-2")
	follow.From = 2
	if second := nextEvent(ctx, t, follow); second.Sequence != 2 || second.ID == first.ID {
		t.Fatalf("after the node was killed came event %d", second.Sequence)
	}
	var v api.StreamVerification
	if err := json.Unmarshal(g.get(t, "/events/verify?from=1", c.secrets["STAFETT_TOKEN_OPERATOR"]), &v); err != nil {
		t.Fatal(err)
	}
	if !v.Whole || v.Compared < 2 {
		t.Fatalf("the stream after the kill: %+v", v)
	}
	g.stop(t)
}

// composeCluster is the three nodes as processes.
type composeCluster struct {
	client, routes, monitor []int
	process                 map[string]*exec.Cmd
}

func startNodes(ctx context.Context, t *testing.T, c compose) *composeCluster {
	t.Helper()
	dir := t.TempDir()
	ports := loopbackPorts(t, 9)
	n := &composeCluster{client: ports[:3], routes: ports[3:6], monitor: ports[6:], process: map[string]*exec.Cmd{}}
	for i, name := range composeNodes {
		text := c.Configs["nats"].Content
		text = place(t, text, "listen: 0.0.0.0:4222", fmt.Sprintf("listen: 127.0.0.1:%d", n.client[i]))
		text = place(t, text, "http: 127.0.0.1:8222", fmt.Sprintf("http: 127.0.0.1:%d", n.monitor[i]))
		text = place(t, text, "listen: 0.0.0.0:6222", fmt.Sprintf("listen: 127.0.0.1:%d", n.routes[i]))
		text = place(t, text, "store_dir: /data", fmt.Sprintf("store_dir: %q", filepath.Join(dir, name)))
		for j, peer := range composeNodes {
			text = place(t, text, "@"+peer+":6222", fmt.Sprintf("@127.0.0.1:%d", n.routes[j]))
		}
		file := filepath.Join(dir, name+".conf")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args := strings.Split(place(t, strings.Join(c.Services[name].Command, "\n"), "/etc/nats/nats.conf", file), "\n")
		n.process[name] = composeStart(t, natsCommand(args...), name)
	}
	for i, name := range composeNodes {
		askUntil(ctx, t, name+" is healthy", func() bool {
			return answersOK(fmt.Sprintf("http://127.0.0.1:%d/healthz", n.monitor[i]))
		})
	}
	return n
}

func (n *composeCluster) urls() string {
	var list []string
	for _, p := range n.client {
		list = append(list, fmt.Sprintf("nats://127.0.0.1:%d", p))
	}
	return strings.Join(list, ",")
}

func (n *composeCluster) kill(t *testing.T, name string) {
	t.Helper()
	p := n.process[name]
	if p == nil {
		t.Fatalf("the stream is led by %q, which is none of the nodes", name)
	}
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
}

// leaderOf names the node that leads the gateway's stream.
func leaderOf(ctx context.Context, t *testing.T, ext events.External) string {
	t.Helper()
	conn, err := nats.Connect(ext.Gateway.URL, nats.UserInfo(ext.Gateway.User, ext.Gateway.Password))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	st, err := js.Stream(ctx, events.StreamName)
	if err != nil {
		t.Fatal(err)
	}
	info := st.CachedInfo()
	if info.Config.Replicas != 3 || info.Cluster == nil {
		t.Fatalf("the stream has %d replicas", info.Config.Replicas)
	}
	return info.Cluster.Leader
}

// nextEvent is the first event that a party's subscriber meets from opts.From on.
func nextEvent(ctx context.Context, t *testing.T, opts events.TailOptions) events.Msg {
	t.Helper()
	var got events.Msg
	enough := errors.New("enough")
	var err error
	// The account's stream is made by its feed, some moments after the gateway is ready; and
	// a question that meets a cluster without a leader is never answered, so it is put again.
	askUntil(ctx, t, "a subscriber's event "+fmt.Sprint(opts.From), func() bool {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		err = events.Tail(try, opts, func(m events.Msg) error {
			got = m
			return enough
		})
		return errors.Is(err, enough)
	})
	return got
}

// gatewayFiles writes the gateway's configuration and directory and returns the path of
// the configuration.
func (c compose) gatewayFiles(t *testing.T, n *composeCluster) string {
	t.Helper()
	dir := t.TempDir()
	text := c.Configs["gateway"].Content
	text = place(t, text, "/etc/stafett/directory.yaml", filepath.Join(dir, "directory.yaml"))
	text = place(t, text, "listen: 0.0.0.0:8080", "listen: 127.0.0.1:0")
	text = place(t, text, "listen: 0.0.0.0:2575", "listen: 127.0.0.1:0")
	for i, name := range composeNodes {
		text = place(t, text, "nats://"+name+":4222", fmt.Sprintf("nats://127.0.0.1:%d", n.client[i]))
	}
	redis := `redis: ""`
	if at := os.Getenv("STAFETT_TEST_REDIS"); at != "" {
		redis = "redis: redis://" + strings.TrimPrefix(at, "redis://")
	}
	text = place(t, text, "redis: redis://redis:6379", redis)
	text = place(t, text, "postgres: env:STAFETT_LEDGER", c.ledger(t, dir))
	file := filepath.Join(dir, "stafett.yaml")
	for name, content := range map[string]string{file: text, filepath.Join(dir, "directory.yaml"): c.Configs["directory"].Content} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

// ledger is a database of the test's own on STAFETT_TEST_POSTGRES; without one a SQLite
// file stands in, and all else is as in the file.
func (c compose) ledger(t *testing.T, dir string) string {
	t.Helper()
	dsn := os.Getenv("STAFETT_TEST_POSTGRES")
	if dsn == "" {
		t.Log("the ledger is a SQLite file here: STAFETT_TEST_POSTGRES is not set")
		return fmt.Sprintf("sqlite: %q", filepath.Join(dir, "ledger.db"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatalf("STAFETT_TEST_POSTGRES is set and cannot be reached: %v", err)
	}
	defer conn.Close(ctx)
	name := "stafett_compose_" + composeHex(t)[:12]
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal("STAFETT_TEST_POSTGRES is no postgres:// address")
	}
	u.Path = "/" + name
	t.Setenv("STAFETT_LEDGER", u.String())
	return "postgres: env:STAFETT_LEDGER"
}

// composeGateway is a running `stafett serve`.
type composeGateway struct {
	cmd  *exec.Cmd
	base string
}

func startGateway(ctx context.Context, t *testing.T, config string) *composeGateway {
	t.Helper()
	bin, err := gatewayBinary()
	if err != nil {
		t.Fatal(err)
	}
	out, in := io.Pipe()
	t.Cleanup(func() { in.Close() })
	cmd := exec.Command(bin, "serve", "--config", config)
	cmd.Stdout = in
	g := &composeGateway{cmd: composeStart(t, cmd, "stafett serve")}
	ready := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if at, ok := strings.CutPrefix(lines.Text(), "ready http="); ok {
				at, _, _ = strings.Cut(at, " ")
				ready <- at
			}
		}
	}()
	select {
	case at := <-ready:
		g.base = "http://" + at
	case <-ctx.Done():
		t.Fatal("the gateway did not become ready")
	}
	return g
}

func (g *composeGateway) get(t *testing.T, path, token string) []byte {
	t.Helper()
	return g.do(t, "GET", path, token, "")
}

func (g *composeGateway) do(t *testing.T, method, path, token, body string) []byte {
	t.Helper()
	req, err := http.NewRequest(method, g.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/fhir+json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s\n%s", method, path, resp.Status, answer)
	}
	return answer
}

// refer sends a referral from the municipality to the institution.
func (g *composeGateway) refer(t *testing.T, token, id string) {
	t.Helper()
	g.do(t, "POST", "/fhir", token, strings.ReplaceAll(referral, "REFERRAL", id))
}

const referral = `{"resourceType":"Bundle","type":"transaction","entry":[
{"fullUrl":"urn:uuid:0b1f7c1e-64b8-4a8e-9a55-6d1c5e0b7a01","request":{"method":"POST","url":"Patient"},
 "resource":{"resourceType":"Patient","name":[{"family":"Sætre","given":["Åshild Eksempel"]}],"birthDate":"1939-01-05"}},
{"fullUrl":"urn:uuid:0b1f7c1e-64b8-4a8e-9a55-6d1c5e0b7a02","request":{"method":"POST","url":"ServiceRequest"},
 "resource":{"resourceType":"ServiceRequest","identifier":[{"system":"urn:stafett:example","value":"REFERRAL"}],
  "status":"active","intent":"order","subject":{"reference":"urn:uuid:0b1f7c1e-64b8-4a8e-9a55-6d1c5e0b7a01"}}},
{"fullUrl":"urn:uuid:0b1f7c1e-64b8-4a8e-9a55-6d1c5e0b7a03","request":{"method":"POST","url":"Task"},
 "resource":{"resourceType":"Task","status":"requested","intent":"order",
  "code":{"coding":[{"system":"urn:stafett:handover-kind","code":"referral"}]},
  "for":{"reference":"urn:uuid:0b1f7c1e-64b8-4a8e-9a55-6d1c5e0b7a01"},
  "focus":{"reference":"urn:uuid:0b1f7c1e-64b8-4a8e-9a55-6d1c5e0b7a02"},
  "requester":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80002"}},
  "owner":{"identifier":{"system":"urn:oid:2.16.578.1.12.4.1.2","value":"80003"}}}}]}`

func (g *composeGateway) stop(t *testing.T) {
	t.Helper()
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	done := make(chan *os.ProcessState, 1)
	go func() {
		state, err := g.cmd.Process.Wait()
		if err != nil {
			t.Error(err)
		}
		done <- state
	}()
	select {
	case state := <-done:
		if state.ExitCode() != 0 {
			t.Fatalf("the gateway ended with %s", state)
		}
	case <-time.After(40 * time.Second): // stop_grace_period
		t.Fatal("the gateway did not stop in its grace period")
	}
}

// composeStart starts a process that ends with the test and whose log is shown when the
// test fails.
func composeStart(t *testing.T, cmd *exec.Cmd, name string) *exec.Cmd {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = file
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_, _ = cmd.Process.Wait()
		file.Close()
		if !t.Failed() {
			return
		}
		if b, err := os.ReadFile(file.Name()); err == nil {
			t.Logf("%s ended its log with:\n%s", name, b[max(0, len(b)-4000):])
		}
	})
	return cmd
}

// askUntil asks until the answer is yes.
func askUntil(ctx context.Context, t *testing.T, what string, yes func() bool) {
	t.Helper()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for !yes() {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func answersOK(address string) bool {
	resp, err := (&http.Client{Timeout: 2 * time.Second}).Get(address)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// loopbackPorts finds ports for servers that must know each other before they start.
func loopbackPorts(t *testing.T, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}
