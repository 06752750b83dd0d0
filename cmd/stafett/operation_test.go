package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
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

	"github.com/google/uuid"
	natsserver "github.com/nats-io/nats-server/v2/server"

	"stafett/bench"
	"stafett/demo"
	"stafett/events"
	"stafett/handover"
)

// TestInvariant1_FullDisk: on a full disk nothing is answered positively and the gateway
// says that it is not ready; when there is room again it goes on by itself.
func TestInvariant1_FullDisk(t *testing.T) {
	t.Parallel()
	needsProcess(t)
	small := mountSmall(t)
	p := newWireParties(t)
	b := newBlackbox(t, p, func(b *blackbox, c *Config) {
		c.Ledger.SQLite, c.Events.Dir = filepath.Join(small, "ledger.db"), filepath.Join(small, "events")
	})
	s := &senders{blackbox: b, ctx: t.Context()}
	p.municipality.first = func(a arrived) { s.receipts(t, a) }
	g := b.start()
	for n := range 5 {
		s.stay(n)
	}
	b.until(30*time.Second, "the first stays are accepted", func() bool { return p.hospital.count("MDM") >= 5 })
	s.working.Wait()
	first := b.settled(30 * time.Second)

	filler := filepath.Join(small, "filler")
	unanswered := fillDisk(t, s, filler)
	b.until(20*time.Second, "the gateway is not ready", func() bool {
		grow(t, filler)
		return b.status("GET", "/readyz", "", nil, nil) == http.StatusServiceUnavailable
	})
	receipt := []byte(bench.Receipt(p.municipality.all()[0].raw))
	if got := b.status("POST", "/kith", b.tokens[kommune], receipt, xmlType); got != http.StatusServiceUnavailable {
		t.Errorf("national XML was answered %d on a full disk", got)
	}
	referral := referralBundle(t, uuid.NewString(), 1)
	if got := b.status("POST", "/fhir", b.tokens[kommune], referral, fhirType); got != http.StatusServiceUnavailable {
		t.Errorf("FHIR was answered %d on a full disk", got)
	}
	if got := b.status("GET", "/livez", "", nil, nil); got != http.StatusOK {
		t.Errorf("the process is alive and says %d", got)
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	b.until(30*time.Second, "the gateway is ready again", func() bool { return b.status("GET", "/readyz", "", nil, nil) == http.StatusOK })
	for _, frame := range unanswered {
		s.hl7(frame)
	}
	s.working.Wait()
	balance := b.settled(60 * time.Second)
	for _, err := range s.failures() {
		t.Error(err)
	}
	t.Logf("%d messages before, %d after; %d were left unanswered on the full disk", first.Received, balance.Received, len(unanswered))
	for _, m := range s.confirmed() {
		var v struct{ ExternalID, State string }
		b.get("/messages/"+m.id, b.operator, &v)
		if v.ExternalID != m.id || v.State == "moving" {
			t.Errorf("%s was answered positively and is %q", m.id, v.State)
		}
	}
	b.provesWhole()
	b.provesEvents(g)
	b.stop(g)
}

// fillDisk fills the disk and sends until five in a row got no answer; these it returns.
func fillDisk(t *testing.T, s *senders, filler string) [][]byte {
	t.Helper()
	var unanswered [][]byte
	for n := 1000; len(unanswered) < 5; n++ {
		if n > 3000 {
			t.Fatal("a full disk still takes messages")
		}
		grow(t, filler)
		frame := bench.Message(7, n)
		raw, err := s.mllp(s.ctx, frame)
		switch {
		case err != nil:
			unanswered = append(unanswered, frame)
		case hl7Field(raw, "MSA", 1) == "AA":
			s.answered(sykehus, hl7Field(frame, "MSH", 9), frame[1:len(frame)-2], nil)
		default:
			t.Fatalf("a full disk was answered %q", raw)
		}
	}
	return unanswered
}

// grow writes to a file until nothing fits any more.
func grow(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 20, 4 << 10, 1} {
		block := make([]byte, size)
		for err = nil; err == nil; {
			_, err = f.Write(block)
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// status is the HTTP status of one request, 0 for no answer.
func (b *blackbox) status(method, path, token string, body []byte, header map[string]string) int {
	b.t.Helper()
	a, err := b.request(b.t.Context(), method, path, token, body, header)
	if err != nil {
		return 0
	}
	return a.status
}

// asNATS makes this test binary, which holds the server of go.mod's version, a nats-server.
const asNATS = "STAFETT_TEST_AS_NATS"

func serveNATS(args []string) int {
	opts, err := natsserver.ConfigureOptions(flag.NewFlagSet("nats-server", flag.ContinueOnError), args, func() {}, func() {}, func() {})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s, err := natsserver.NewServer(opts)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s.ConfigureLogger()
	if err := natsserver.Run(s); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s.WaitForShutdown()
	return 0
}

func natsCommand(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asNATS+"=1")
	return cmd
}

// natsServer is a NATS server of the operator's own.
type natsServer struct {
	config, addr string
	cmd          *exec.Cmd
}

func (n *natsServer) start(t *testing.T) {
	t.Helper()
	n.cmd = composeStart(t, natsCommand("-c", n.config), "nats-server")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	askUntil(ctx, t, "the NATS server listens", func() bool {
		conn, err := net.DialTimeout("tcp", n.addr, time.Second)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
}

func (n *natsServer) kill() {
	_ = n.cmd.Process.Kill()
	_, _ = n.cmd.Process.Wait()
}

// external puts the gateway on a NATS server by address.
func external(t *testing.T, b *blackbox, c *Config) *natsServer {
	t.Helper()
	gateway, system := events.User{Name: "gateway", Password: demo.NewToken()}, events.User{Name: "system", Password: demo.NewToken()}
	url := fmt.Sprintf("nats://127.0.0.1:%d", loopbackPorts(t, 1)[0])
	x := &External{Gateway: Connect{URL: url, User: gateway.Name, Password: gateway.Password}, Replicas: 1,
		System: &Connect{URL: url, User: system.Name, Password: system.Password}, Parties: map[handover.PartyID]Connect{}}
	var users []events.PartyUsers
	for party, password := range b.natsPassword {
		u := events.PartyUsers{Party: party, Reader: events.User{Name: string(party), Password: password},
			Gateway: events.User{Name: "gateway-" + string(party), Password: demo.NewToken()}}
		users = append(users, u)
		x.Parties[party] = Connect{URL: url, User: u.Gateway.Name, Password: u.Gateway.Password}
	}
	accounts, err := events.AccountsConf(system, gateway, users)
	if err != nil {
		t.Fatal(err)
	}
	n := &natsServer{config: filepath.Join(b.dir, "nats.conf"), addr: strings.TrimPrefix(url, "nats://")}
	text := fmt.Sprintf("server_name: one\nlisten: %q\njetstream { store_dir: %q, sync_interval: always }\n%s",
		n.addr, filepath.Join(b.dir, "nats"), accounts)
	if err := os.WriteFile(n.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Events = Events{External: x, Reconcile: c.Events.Reconcile}
	n.start(t)
	return n
}

// TestInvariant2_OversizedIsCounted: what is refused for its size is in the record, by every door.
func TestInvariant2_OversizedIsCounted(t *testing.T) {
	t.Parallel()
	needsProcess(t)
	p := newWireParties(t)
	b := newBlackbox(t, p, func(_ *blackbox, c *Config) { c.Limits.MessageBytes = 64 << 10 })
	b.start()
	big := bytes.Repeat([]byte("x"), 65<<10)
	for i, door := range []struct {
		method, path string
		header       map[string]string
	}{{"POST", "/kith", xmlType}, {"POST", "/fhir", fhirType}, {"POST", "/fhir/Task", fhirType}, {"PUT", "/fhir/Patient/a", fhirType}} {
		if got := b.status(door.method, door.path, b.tokens[kommune], big, door.header); got != http.StatusRequestEntityTooLarge {
			t.Errorf("%s %s: %d", door.method, door.path, got)
		}
		if got := b.settled(10 * time.Second); got.Refused != int64(i)+1 || got.Received != int64(i)+1 {
			t.Errorf("after %s %s: %+v", door.method, door.path, got)
		}
	}
}

// catchesUp: when NATS is there, every event that waited goes out, and nobody's message failed.
func (b *blackbox) catchesUp(s *senders, g *gatewayProcess, nats *natsServer) {
	b.t.Helper()
	nats.start(b.t)
	for _, err := range s.failures() {
		b.t.Error(err)
	}
	b.settled(30 * time.Second)
	g.nats = b.natsURL()
	b.provesEvents(g)
}

// TestInvariant5_NATSAwayAtStart: the gateway starts and works without its cluster, whose settings
// it reads before the first event goes out.
func TestInvariant5_NATSAwayAtStart(t *testing.T) {
	t.Parallel()
	needsProcess(t)
	p := newWireParties(t)
	var nats *natsServer
	b := newBlackbox(t, p, func(b *blackbox, c *Config) { nats = external(t, b, c) })
	nats.kill()
	s := &senders{blackbox: b, ctx: t.Context()}
	p.municipality.first = func(a arrived) { s.receipts(t, a) }
	g := b.start()
	s.stay(1)
	b.until(30*time.Second, "a stay is accepted without NATS", func() bool { return p.hospital.count("MDM") >= 1 })
	s.working.Wait()
	b.catchesUp(s, g, nats)
}

// TestInvariant5_NATSAway: while NATS is away everything else goes on, and its events come
// when it is back.
func TestInvariant5_NATSAway(t *testing.T) {
	t.Parallel()
	needsProcess(t)
	p := newWireParties(t)
	var nats *natsServer
	b := newBlackbox(t, p, func(b *blackbox, c *Config) { nats = external(t, b, c) })
	s := &senders{blackbox: b, ctx: t.Context()}
	p.municipality.first = func(a arrived) { s.receipts(t, a) }
	g := b.start()
	s.stay(1)
	b.until(30*time.Second, "the first stay is accepted", func() bool { return p.hospital.count("MDM") >= 1 })
	nats.kill()
	for n := range 10 {
		s.stay(10 + n)
	}
	b.until(30*time.Second, "stays are accepted without NATS", func() bool { return p.hospital.count("MDM") >= 11 })
	s.working.Wait()
	if got := b.status("GET", "/readyz", "", nil, nil); got != http.StatusOK {
		t.Errorf("without NATS the gateway takes messages and says %d", got)
	}
	b.catchesUp(s, g, nats)
	b.provesWhole()
	b.stop(g)
}

// TestInvariant2_ReceiverAway: what waits for an absent receiver delays nobody else, and
// arrives in order when it is back.
func TestInvariant2_ReceiverAway(t *testing.T) {
	t.Parallel()
	p := newWireParties(t)
	b := newBlackbox(t, p, nil)
	s := &senders{blackbox: b, ctx: t.Context()}
	notices := make(chan arrived, 100)
	p.municipality.first = func(a arrived) {
		if a.typ == "LOG_UTSKRIVNINGSKLAR" {
			notices <- a
		}
	}
	g := b.start()
	for n := range 5 {
		s.stay(2 * n) // original mode: the hospital gets no relayed receipts
	}
	var answers []arrived
	for range 5 {
		select {
		case a := <-notices:
			answers = append(answers, a)
		case <-time.After(30 * time.Second):
			t.Fatal("the first notices did not arrive")
		}
	}

	p.municipality.close()
	for n := range 25 {
		s.stay(100 + 2*n)
	}
	for _, a := range answers {
		id := uuid.NewString()
		s.kith(id, note(t, id, "SVAR=KAN_MOTTA;DATO="+time.Now().Format(time.DateOnly), a.raw))
	}
	b.until(15*time.Second, "the hospital is told while the municipality is away", func() bool { return p.hospital.count("MDM") >= 5 })
	if n := p.municipality.count("LOG_INNLAGT"); n != 5 {
		t.Fatalf("%d admissions arrived at a system that is away", n)
	}

	p.municipality.first = func(a arrived) { s.receipts(t, a) }
	p.municipality.open(t)
	b.until(60*time.Second, "what waited has arrived", func() bool { return p.municipality.count("LOG_UTSKRIVNINGSKLAR") >= 30 })
	s.working.Wait()
	for _, err := range s.failures() {
		t.Error(err)
	}
	admitted := map[string]bool{}
	for _, a := range p.municipality.all() {
		patient := cut(a.raw, "<Patient>", "</Patient>")
		switch number := elevenDigits.FindString(patient); a.typ {
		case "LOG_INNLAGT":
			admitted[number] = true
		case "LOG_UTSKRIVNINGSKLAR":
			if !admitted[number] {
				t.Errorf("%s arrived before the admission that it follows", a.id)
			}
		}
	}
	b.provesWhole()
	b.stop(g)
}

func TestServe_SecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	b := newBlackbox(t, newWireParties(t), nil)
	g := b.start()
	out, code := b.cli("serve", "--config", b.config)
	if code != 1 || !strings.Contains(out, "another process holds the ledger") {
		t.Errorf("exit %d:\n%s", code, out)
	}
	if got := b.status("GET", "/readyz", "", nil, nil); got != http.StatusOK {
		t.Errorf("the first process says %d", got)
	}
	b.stop(g)
	b.stop(b.start())
}

func TestServe_ConfigurationErrorsAreClear(t *testing.T) {
	t.Parallel()
	p := newWireParties(t)
	for name, c := range map[string]struct {
		change func(*blackbox, *Config)
		want   string
	}{
		"no directory":        {func(_ *blackbox, c *Config) { c.Directory = "" }, "directory: name the file of the parties"},
		"directory missing":   {func(b *blackbox, c *Config) { c.Directory = filepath.Join(b.dir, "nowhere.yaml") }, "nowhere.yaml"},
		"two ledgers":         {func(_ *blackbox, c *Config) { c.Ledger.Postgres = "env:X" }, "exactly one of sqlite and postgres"},
		"no ledger":           {func(_ *blackbox, c *Config) { c.Ledger = Ledger{} }, "exactly one of sqlite and postgres"},
		"no events":           {func(_ *blackbox, c *Config) { c.Events.Dir = "" }, "exactly one of dir and external"},
		"no operator contact": {func(_ *blackbox, c *Config) { c.OperatorContact = "" }, "operatorContact"},
		"unknown contact":     {func(_ *blackbox, c *Config) { c.OperatorContact = "nobody" }, `"nobody" is no party`},
		"unknown listener":    {func(_ *blackbox, c *Config) { c.MLLP[0].Party = "nobody" }, `"nobody" is no party`},
		"listener for all":    {func(_ *blackbox, c *Config) { c.MLLP[0].Party = "" }, "mllp[0]"},
		"secret missing":      {func(_ *blackbox, c *Config) { c.Operators[0].Token = "env:STAFETT_NO_SUCH" }, "STAFETT_NO_SUCH"},
		"no limits":           {func(_ *blackbox, c *Config) { c.Limits.MessageBytes = 0 }, "limits"},
		"not a ledger":        {func(b *blackbox, c *Config) { c.Ledger.SQLite = c.Directory }, "sqlite"},
		"port taken":          {func(b *blackbox, c *Config) { c.HTTP.Listen = p.municipality.addr }, "address already in use"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBlackbox(t, p, c.change)
			out, code := b.cli("serve", "--config", b.config)
			if code != 1 || !strings.Contains(out, c.want) || strings.Contains(out, "panic") || strings.Contains(out, "ready http=") {
				t.Errorf("exit %d, without %q:\n%s", code, c.want, out)
			}
		})
	}
	t.Run("unknown key", func(t *testing.T) {
		b := newBlackbox(t, p, nil)
		raw, err := os.ReadFile(b.config)
		if err == nil {
			err = os.WriteFile(b.config, append(raw, "surprise: 1\n"...), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if out, code := b.cli("serve", "--config", b.config); code != 1 || !strings.Contains(out, "surprise") || !strings.Contains(out, ".yaml:") {
			t.Errorf("exit %d:\n%s", code, out)
		}
	})
}

// TestServe_StopFinishesWhatIsInHand stops the gateway while a message is half read and
// others come: what was begun is answered, what was answered is stored.
func TestServe_StopFinishesWhatIsInHand(t *testing.T) {
	t.Parallel()
	p := newWireParties(t)
	b := newBlackbox(t, p, nil)
	g := b.start()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	var answered []string
	var wg sync.WaitGroup
	for c := range 8 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				frame := bench.Message(c, n)
				raw, err := b.mllp(ctx, frame)
				if err != nil {
					return
				}
				if hl7Field(raw, "MSA", 1) == "AA" {
					mu.Lock()
					answered = append(answered, hl7Field(frame, "MSH", 9))
					mu.Unlock()
				}
			}
		})
	}
	b.until(30*time.Second, "some messages are answered", func() bool { mu.Lock(); defer mu.Unlock(); return len(answered) > 20 })

	// The gateway asks for the body when it has begun with the request.
	id := uuid.NewString()
	body := referralBundle(t, id, 9)
	conn, err := net.Dial("tcp", strings.TrimPrefix(g.http, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(conn, "POST /fhir HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/fhir+json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		b.tokens[kommune], len(body))
	in := bufio.NewReader(conn)
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("%q %v", line, err)
	}
	_, _ = in.ReadString('\n')
	if _, err := conn.Write(body[:len(body)/2]); err != nil {
		t.Fatal(err)
	}
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	wg.Wait() // the listeners are closed
	if _, err := conn.Write(body[len(body)/2:]); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatalf("the message in hand got no answer: %v", err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the message in hand was answered %s", resp.Status)
	}
	select {
	case <-g.ended:
	case <-time.After(25 * time.Second):
		t.Fatal("the gateway did not stop within its bound")
	}
	if g.err != nil {
		t.Fatalf("the gateway ended with %v", g.err)
	}
	g = b.start()
	for _, id := range append(answered, "urn:ietf:rfc:3986|urn:uuid:"+id) {
		if got := b.status("GET", "/messages/"+escaped(id), b.operator, nil, nil); got != http.StatusOK {
			t.Errorf("%s was answered positively and asked for gives %d", id, got)
		}
	}
	b.provesWhole()
	b.stop(g)
}

var (
	messageID  = regexp.MustCompile(`(?m)^message +(\S+)`)
	deliveryID = regexp.MustCompile(`(?m)^delivery +(\S+)`)
)

// TestCommands_AgainstARunningGateway walks through what a named person does.
func TestCommands_AgainstARunningGateway(t *testing.T) {
	t.Parallel()
	p := newWireParties(t)
	b := newBlackbox(t, p, nil)
	s := &senders{blackbox: b, ctx: t.Context()}
	p.municipality.first = func(a arrived) {
		if a.typ != "APPREC" {
			s.working.Go(func() {
				receipt := []byte(bench.Receipt(a.raw))
				s.kith(cut(receipt, "<Id>", "<"), receipt)
			})
		}
	}
	g := b.start()

	frame := bench.Message(1, 1)
	file := filepath.Join(t.TempDir(), "a16.hl7")
	if err := os.WriteFile(file, frame[1:len(frame)-2], 0o600); err != nil {
		t.Fatal(err)
	}
	b.proves(`"event": "ready"`, "translate", file)
	b.proves("LOG_UTSKRIVNINGSKLAR", "translate", file, "--to", "kith")
	b.proves("received 0", "ledger", "balance")

	s.hl7(frame)
	b.until(20*time.Second, "the notice is receipted", func() bool {
		out, _ := b.cli("handover", "list")
		return strings.Contains(out, "received")
	})
	out := b.proves("held by fjellheim-sykehus", "ledger", "message", hl7Field(frame, "MSH", 9))
	b.proves("elements: ", "ledger", "message", messageID.FindStringSubmatch(out)[1])
	b.proves(`"deliveries"`, "ledger", "message", "--json", hl7Field(frame, "MSH", 9))

	// Free text is read by a named person.
	notice := p.municipality.all()[0]
	id := uuid.NewString()
	s.kith(id, note(t, id, "Vi tar kontakt om dette.", notice.raw))
	list := b.proves("answer-needs-reading", "handover", "list", "--attention")
	h := strings.Fields(list)[0]
	if out, code := b.cli("handover", "answer", h, "finished"); code != 1 || !strings.Contains(out, "allowed now") {
		t.Errorf("an event that is not allowed: exit %d\n%s", code, out)
	}
	b.proves("now deferred, held by fjellheim-sykehus", "handover", "answer", h, "deferred", "--day", time.Now().AddDate(0, 0, 2).Format(time.DateOnly))
	b.proves("now accepted, held by dalvik-kommune", "handover", "answer", h, "accepted", "--day", time.Now().AddDate(0, 0, 2).Format(time.DateOnly))

	b.proves("Oda Operatør", "ledger", "audit", "--handover", h)
	b.proves(`"total": 1`, "handover", "list", "--json")

	// A message without a route is parked until a named person routes it.
	lost := bytes.ReplaceAll(bench.Message(2, 1), []byte("^^9901|"), []byte("^^0000|"))
	s.hl7(lost)
	list = b.proves("no-route", "parked", "list")
	parked := messageID.FindStringSubmatch(list)[1]
	b.proves("parked", "parked", "show", parked)
	b.proves(parked+": now parked", "parked", "reprocess", parked)
	b.proves(parked+": now ", "parked", "reroute", parked, string(kommune))
	if out, code := b.cli("parked", "reroute", parked, string(kommune)); code != 1 || !strings.Contains(out, "not parked") {
		t.Errorf("a message that is not parked: exit %d\n%s", code, out)
	}
	b.until(20*time.Second, "the routed notice arrives", func() bool { return p.municipality.count("LOG_UTSKRIVNINGSKLAR") == 2 })
	closed := bytes.ReplaceAll(bench.Message(3, 1), []byte("^^9901|"), []byte("^^0000|"))
	s.hl7(closed)
	parked = messageID.FindStringSubmatch(b.proves("no-route", "parked", "list"))[1]
	if out, code := b.cli("parked", "close", parked); code != 1 || !strings.Contains(out, "say why") {
		t.Errorf("closed without a reason: exit %d\n%s", code, out)
	}
	b.proves(parked+": now closed", "parked", "close", parked, "--why", "sent by telephone")
	b.proves("sent by telephone, by Oda Operatør", "parked", "history")
	b.proves("0 messages heard by nobody", "ledger", "unheard")
	b.proves("Oda Operatør", "ledger", "message", parked)

	b.deliveryCommands(s, p)
	s.working.Wait()
	b.settled(30 * time.Second)
	b.provesWhole()
	b.provesEvents(g)
	for _, err := range s.failures() {
		t.Error(err)
	}
	if out, code := b.cliAs("wrong", "ledger", "balance"); code != 1 || !strings.Contains(out, "unauthenticated") {
		t.Errorf("a wrong token: exit %d\n%s", code, out)
	}
	// A checkpoint that was kept outside proves that nothing was cut off since.
	checkpoint := filepath.Join(t.TempDir(), "checkpoint.json")
	if err := os.WriteFile(checkpoint, []byte(b.proves(`"head"`, "ledger", "checkpoint")), 0o600); err != nil {
		t.Fatal(err)
	}
	b.proves("the chain is whole", "ledger", "verify", "--checkpoint", checkpoint)
	b.proves("resources indexed", "ledger", "reindex")
	b.stop(g)
	b.proves("the chain is whole", "ledger", "verify", "--checkpoint", checkpoint, "--config", b.config)
	b.proves("the balance holds", "ledger", "balance", "--config", b.config)
}

// deliveryCommands refuses an outgoing message, sends it again and closes another.
func (b *blackbox) deliveryCommands(s *senders, p *wireParties) {
	b.t.Helper()
	negative := func(a arrived) {
		if a.typ == "LOG_UTSKRIVNINGSKLAR" {
			s.working.Go(func() {
				receipt := []byte(strings.Replace(bench.Receipt(a.raw), `<Status V="1" DN="OK"/>`,
					`<Status V="2" DN="Avvist"/><Error V="E20" S="2.16.578.1.12.4.1.1.8221" DN="Journalsystemet finner ikke pasienten"/>`, 1))
				s.kith(cut(receipt, "<Id>", "<"), receipt)
			})
		}
	}
	positive := p.municipality.first
	p.municipality.set(negative)
	for _, n := range []int{4, 5} {
		s.hl7(bench.Message(n, 1))
	}
	var refused [][]string
	b.until(20*time.Second, "two deliveries are refused", func() bool {
		out, _ := b.cli("parked", "list")
		refused = deliveryID.FindAllStringSubmatch(out, -1)
		return len(refused) == 2
	})
	before := p.municipality.count("LOG_UTSKRIVNINGSKLAR")
	p.municipality.set(positive)
	b.proves("now pending", "parked", "resend", refused[0][1])
	b.until(20*time.Second, "the message arrives again", func() bool { return p.municipality.count("LOG_UTSKRIVNINGSKLAR") == before+1 })
	all := p.municipality.all()
	again := slices.IndexFunc(all[:len(all)-1], func(a arrived) bool { return a.id == all[len(all)-1].id })
	if again >= 0 {
		b.t.Error("a refused message was sent again under its old identity")
	}
	b.proves("now closed", "parked", "close", "--delivery", refused[1][1], "--why", "sent on paper")
	b.proves("nothing is parked", "parked", "list")
	b.proves("sent on paper, by Oda Operatør", "parked", "history")
}

// set changes what is done with first arrivals.
func (a *arrivals) set(first func(arrived)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.first = first
}

// natsURL is where the gateway's events are read.
func (b *blackbox) natsURL() string {
	b.t.Helper()
	cfg, err := loadConfig(b.config)
	if err != nil {
		b.t.Fatal(err)
	}
	return cfg.Events.External.Gateway.URL
}

// TestInvariant5_FullDiskUnderTheStream: events that the stream cannot take stay in the
// ledger, intake goes on, and they come when there is room again.
func TestInvariant5_FullDiskUnderTheStream(t *testing.T) {
	t.Parallel()
	p := newWireParties(t)
	var small string
	b := newBlackbox(t, p, func(_ *blackbox, c *Config) {
		small = mountSmall(t)
		c.Events.Dir = filepath.Join(small, "events")
	})
	s := &senders{blackbox: b, ctx: t.Context()}
	p.municipality.first = func(a arrived) { s.receipts(t, a) }
	g := b.start()
	s.stay(0)
	b.until(30*time.Second, "the first stay is accepted", func() bool { return p.hospital.count("MDM") >= 1 })
	filler := filepath.Join(small, "filler")
	grow(t, filler)
	for n := range 30 {
		s.stay(10 + n)
	}
	b.until(30*time.Second, "stays are accepted", func() bool { return p.hospital.count("MDM") >= 31 })
	s.working.Wait()
	b.settled(30 * time.Second)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	b.provesEvents(g)
	b.provesWhole()
	b.stop(g)
}

// mountSmall mounts a small file system, or skips.
func mountSmall(t *testing.T) string {
	t.Helper()
	small := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(small, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("no small file system can be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(small, syscall.MNT_DETACH) })
	return small
}
