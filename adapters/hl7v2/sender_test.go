package hl7v2

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"stafett/adapters"
	"stafett/adapters/adaptertest"
	"stafett/handover"
)

// receiver is a peer that answers as reply says, written without our encoder. reply gets
// MSH-10; "" closes the connection unanswered.
type receiver struct {
	url string

	mu          sync.Mutex
	connections int
	messages    int
}

func startReceiver(t *testing.T, reply func(id string) string) *receiver {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{url: "mllp://" + l.Addr().String()}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			r.connections++
			r.mu.Unlock()
			go r.serve(conn, reply)
		}
	}()
	return r
}

func (r *receiver) serve(conn net.Conn, reply func(id string) string) {
	defer conn.Close()
	c := newClient(context.Background(), conn)
	for {
		got, err := c.answer() // the frame is the same
		if err != nil || got.Kind == adaptertest.ReplyNone {
			return
		}
		r.mu.Lock()
		r.messages++
		r.mu.Unlock()
		answer := reply(strings.Split(string(got.Bytes), "|")[9])
		if answer == "" {
			return
		}
		if _, err := conn.Write(framed([]byte(answer))); err != nil {
			return
		}
	}
}

func ackText(code, id, more string) string {
	return "MSH|^~\\&|EPJ|FJELLHEIM|||20260302||ACK|a1|P|2.5\rMSA|" + code + "|" + id + "\r" + more
}

func outgoing() adapters.Outgoing {
	return adapters.Outgoing{Type: "MDM^T02", ID: "FJ-0001", Raw: admission}
}

func TestSender_EveryAnswer(t *testing.T) {
	for _, c := range []struct {
		name  string
		reply func(id string) string
		kind  handover.FaultKind
		want  *adapters.Receipt
	}{
		{"AA", func(id string) string { return ackText("AA", id, "") }, "", &adapters.Receipt{Positive: true}},
		{"AE", func(id string) string { return ackText("AE", id, "ERR||PID^1|101^Missing^HL70357|E\r") }, "", &adapters.Receipt{Errors: []adapters.ReceiptError{{Code: "101", System: errorSystem, Text: "Missing"}}}},
		{"AR", func(id string) string { return ackText("AR", id+"|not known", "") }, "", &adapters.Receipt{Errors: []adapters.ReceiptError{{Text: "not known"}}}},
		{"CA", func(id string) string { return ackText("CA", id, "") }, "", nil},
		{"CE", func(id string) string { return ackText("CE", id, "") }, handover.FaultTemporary, nil},
		{"CR", func(id string) string { return ackText("CR", id, "") }, handover.FaultInvalid, nil},
		{"unknown code", func(id string) string { return ackText("XX", id, "") }, handover.FaultTemporary, nil},
		{"another's answer", func(id string) string { return ackText("AA", id+"x", "") }, handover.FaultTemporary, nil},
		{"no MSA", func(string) string { return "MSH|^~\\&|a\r" }, handover.FaultTemporary, nil},
		{"no HL7", func(string) string { return "hello" }, handover.FaultTemporary, nil},
		{"closed", func(string) string { return "" }, handover.FaultTemporary, nil},
		{"too long", func(id string) string { return ackText("AA", id, strings.Repeat("NTE|1||x\r", 40_000)) }, handover.FaultTemporary, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := startReceiver(t, c.reply)
			s := &Sender{Timeout: 10 * time.Second}
			defer s.Close()
			sent, err := s.Send(t.Context(), adapters.Target{URL: r.url}, outgoing())
			if c.kind != "" {
				wantKind(t, c.name, err, c.kind)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if (sent.Receipt == nil) != (c.want == nil) || len(sent.Reply) == 0 {
				t.Fatalf("sent %+v", sent)
			}
			if got := sent.Receipt; got != nil && (got.Positive != c.want.Positive || got.OriginalID != "FJ-0001" ||
				got.OriginalType != "MDM^T02" || fmt.Sprint(got.Errors) != fmt.Sprint(c.want.Errors)) {
				t.Errorf("receipt %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestSender_OneConnectionIsKept_AndRenewed(t *testing.T) {
	var mu sync.Mutex
	n := 0
	r := startReceiver(t, func(id string) string {
		mu.Lock()
		defer mu.Unlock()
		if n++; n == 3 {
			return ""
		}
		return ackText("AA", id, "")
	})
	s := &Sender{}
	defer s.Close()
	to := adapters.Target{URL: r.url}
	for i := range 5 {
		_, err := s.Send(t.Context(), to, outgoing())
		if i == 2 {
			wantKind(t, "closed", err, handover.FaultTemporary)
		} else if err != nil {
			t.Errorf("message %d: %v", i, err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.connections != 2 || r.messages != 5 {
		t.Errorf("%d connections, %d messages", r.connections, r.messages)
	}
}

func TestSender_IdleConnectionClosedByReceiver_IsNoticed(t *testing.T) {
	r := startReceiver(t, func(id string) string { return ackText("AA", id, "") })
	s := &Sender{}
	defer s.Close()
	to := adapters.Target{URL: r.url}
	if _, err := s.Send(t.Context(), to, outgoing()); err != nil {
		t.Fatal(err)
	}
	l := s.lines[to]
	for name, spoil := range map[string]func(){
		"closed": func() { _ = l.conn.Close(); l.used = time.Now().Add(-2 * idleTrusted) },
		"old":    func() { l.used = time.Now().Add(-2 * idleMaxDefault) },
		"idle":   func() { l.used = time.Now().Add(-2 * idleTrusted) },
	} {
		spoil()
		if _, err := s.Send(t.Context(), to, outgoing()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSender_Concurrent_EachGetsItsOwnAnswer(t *testing.T) {
	r := startReceiver(t, func(id string) string { return ackText("AA", id, "") })
	s := &Sender{}
	defer s.Close()
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			out := adapters.Outgoing{ID: fmt.Sprintf("FJ-%d", 10_000+i), Raw: numberedAdmission(i)}
			if sent, err := s.Send(t.Context(), adapters.Target{URL: r.url}, out); err != nil || sent.Receipt.OriginalID != out.ID {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if r.connections != 1 {
		t.Errorf("%d connections", r.connections)
	}
}

func TestSender_CannotSend(t *testing.T) {
	s := &Sender{}
	for _, url := range []string{"http://127.0.0.1:1", "mllp://127.0.0.1", "mllp://:1", "://", ""} {
		_, err := s.Send(t.Context(), adapters.Target{URL: url}, outgoing())
		wantKind(t, url, err, handover.FaultInvalid)
	}
	_, err := s.Send(t.Context(), adapters.Target{URL: "mllp://127.0.0.1:1"}, adapters.Outgoing{Raw: []byte("\x1c\r")})
	wantKind(t, "unframable", err, handover.FaultInvalid)
	l, listenErr := net.Listen("tcp", "127.0.0.1:0")
	if listenErr != nil {
		t.Fatal(listenErr)
	}
	defer l.Close() // it accepts, and never answers
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = s.Send(ctx, adapters.Target{URL: "mllp://" + l.Addr().String()}, outgoing())
	wantKind(t, "silent", err, handover.FaultTemporary)
	_, err = s.Send(t.Context(), adapters.Target{URL: "mllps://127.0.0.1:1", CAFile: "missing"}, outgoing())
	wantKind(t, "no CA", err, handover.FaultTemporary)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	_, err = s.Send(t.Context(), adapters.Target{URL: "mllp://" + l.Addr().String()}, outgoing())
	wantKind(t, "closed", err, handover.FaultTemporary)
}

// authority makes certificates for one test.
type authority struct {
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	caFile string
	dir    string
	serial int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.caFile = filepath.Join(a.dir, "ca.pem")
	der, key := a.sign(t, "Test CA", true)
	var err error
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.key = key
	writePEM(t, a.caFile, "CERTIFICATE", der)
	return a
}

// sign makes a certificate for name, valid for 127.0.0.1, signed by a or by itself.
func (a *authority) sign(t *testing.T, name string, isCA bool) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a.serial++
	template := &x509.Certificate{SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: isCA, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	parent, signer := template, key
	if !isCA {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

// files writes a certificate and key for name.
func (a *authority) files(t *testing.T, name string) (cert, key string) {
	t.Helper()
	der, private := a.sign(t, name, false)
	raw, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(a.dir, name+".pem"), filepath.Join(a.dir, name+".key")
	writePEM(t, cert, "CERTIFICATE", der)
	writePEM(t, key, "EC PRIVATE KEY", raw)
	return cert, key
}

func writePEM(t *testing.T, path, typ string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (a *authority) serverTLS(t *testing.T, auth tls.ClientAuthType) *tls.Config {
	t.Helper()
	cert, key := a.files(t, "server")
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: auth, ClientCAs: pool, MinVersion: tls.VersionTLS12}
}

func testServerTLS(t *testing.T, auth tls.ClientAuthType) *tls.Config {
	t.Helper()
	return newAuthority(t).serverTLS(t, auth)
}

// TestTLS_CertificateNamesTheCaller sends with our own sender to our own server.
func TestTLS_CertificateNamesTheCaller(t *testing.T) {
	a := newAuthority(t)
	o := &observer{}
	r := adaptertest.NewRecorder(&Codec{})
	address := run(t, &Server{Intake: r, TLS: a.serverTLS(t, tls.RequireAndVerifyClientCert), Observer: o,
		PartyOf: func(name string) (handover.PartyID, bool) { return fjellheim, name == "epj.fjellheim" }})
	send := func(to adapters.Target) error {
		s := &Sender{Timeout: 10 * time.Second}
		defer s.Close()
		to.URL = "mllps://" + address
		_, err := s.Send(t.Context(), to, outgoing())
		return err
	}
	known, knownKey := a.files(t, "epj.fjellheim")
	if err := send(adapters.Target{CAFile: a.caFile, CertFile: known, KeyFile: knownKey}); err != nil {
		t.Fatal(err)
	}
	if taken := r.Taken(); len(taken) != 1 || taken[0].In.Caller != fjellheim {
		t.Error("the certificate's party is not the caller")
	}
	if got := o.reason(t); got != CloseByPeer {
		t.Errorf("closed for %s", got)
	}
	unknown, unknownKey := a.files(t, "epj.ukjent")
	other := newAuthority(t)
	foreign, foreignKey := other.files(t, "epj.fjellheim")
	for name, to := range map[string]adapters.Target{
		"unknown name":      {CAFile: a.caFile, CertFile: unknown, KeyFile: unknownKey},
		"foreign authority": {CAFile: a.caFile, CertFile: foreign, KeyFile: foreignKey},
		"no certificate":    {CAFile: a.caFile},
		"untrusted server":  {CAFile: other.caFile, CertFile: known, KeyFile: knownKey},
	} {
		wantKind(t, name, send(to), handover.FaultTemporary)
		if got := o.reason(t); got != CloseUnauthenticated {
			t.Errorf("%s: closed for %s", name, got)
		}
	}
	if len(r.Taken()) != 1 {
		t.Error("an outsider's message was taken")
	}
}

func TestTLS_SuiteOverPartyListener(t *testing.T) {
	a := newAuthority(t)
	r := adaptertest.NewRecorder(&Codec{})
	s := &Server{Intake: r, Party: fjellheim, TLS: a.serverTLS(t, tls.NoClientCert)}
	address := run(t, s)
	sender := &Sender{Timeout: 10 * time.Second}
	defer sender.Close()
	to := adapters.Target{URL: "mllps://" + address, CAFile: a.caFile}
	for i := range 3 {
		out := adapters.Outgoing{ID: fmt.Sprintf("FJ-%d", 10_000+i), Raw: numberedAdmission(i)}
		if sent, err := sender.Send(t.Context(), to, out); err != nil || sent.Receipt != nil {
			t.Errorf("message %d: %v %v", i, sent.Receipt, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	_, err := sender.Send(t.Context(), to, outgoing())
	wantKind(t, "stopped", err, handover.FaultTemporary)
}

func BenchmarkServer_Exchange(b *testing.B) {
	r := adaptertest.NewRecorder(&Codec{})
	s := &Server{Addr: "127.0.0.1:0", Party: fjellheim, Intake: r}
	addr, err := s.Listen()
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = s.Serve() }()
	sender := &Sender{}
	for b.Loop() {
		if _, err := sender.Send(b.Context(), adapters.Target{URL: "mllp://" + addr.String()}, outgoing()); err != nil {
			b.Fatal(err)
		}
	}
	_ = sender.Close()
	_ = s.Shutdown(context.Background())
}
