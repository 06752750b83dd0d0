package fhirbundle

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
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stafett/adapters"
	"stafett/handover"
)

const private = "MYRVANG 12034800000"

var outcomeBody = `{"resourceType":"OperationOutcome","issue":[{"severity":"warning","code":"informational"},
	{"severity":"error","code":"required","details":{"text":"` + private + `"},"diagnostics":"` + private + `","expression":["Task.input[0].value"]},
	{"severity":"fatal","code":"` + private + `"}]}`

func send(t *testing.T, url string) (adapters.Sent, error) {
	t.Helper()
	s := &Sender{}
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return s.Send(ctx, adapters.Target{URL: url, Token: "secret-token"}, adapters.Outgoing{Type: "transaction", ID: "m-1", Raw: []byte(twoEntries)})
}

const (
	twoEntries = `{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"PUT"}},{"request":{"method":"PUT"}}]}`
	twoStored  = `{"resourceType":"Bundle","type":"transaction-response","entry":[{"response":{"status":"200 OK"}},{"response":{"status":"201"}}]}`
)

func TestSend_Request_IsFHIR(t *testing.T) {
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		fmt.Fprint(w, twoStored)
	}))
	defer server.Close()
	sent, err := send(t, server.URL+"/fhir")
	if err != nil {
		t.Fatal(err)
	}
	if got.Method != "POST" || got.URL.Path != "/fhir" || string(body) != twoEntries ||
		got.Header.Get("Content-Type") != "application/fhir+json; charset=utf-8" || got.Header.Get("Authorization") != "Bearer secret-token" ||
		got.Header.Get("X-Request-Id") != "m-1" {
		t.Errorf("%s %s %v %s", got.Method, got.URL, got.Header, body)
	}
	if r := sent.Receipt; r == nil || !r.Positive || r.OriginalID != "m-1" || r.OriginalType != "transaction" || !strings.Contains(string(sent.Reply), "transaction-response") {
		t.Errorf("%+v", sent)
	}
}

func TestSend_EveryStatus(t *testing.T) {
	want := func(status int, body string) handover.FaultKind {
		switch status {
		case 401:
			return handover.FaultUnauthenticated
		case 403:
			return handover.FaultForbidden
		case 404:
			return handover.FaultNotFound
		case 410:
			return handover.FaultGone
		case 412:
			return handover.FaultPrecondition
		case 413:
			return handover.FaultTooLarge
		case 405, 406, 415:
			return handover.FaultUnsupported
		case 408, 409, 423, 425, 429:
			return handover.FaultTemporary
		}
		switch {
		case status < 300 && body == twoStored:
			return ""
		case status < 300:
			return handover.FaultTemporary
		case status >= 400 && status < 500:
			return handover.FaultInvalid
		}
		return handover.FaultTemporary
	}
	for status := 200; status < 600; status++ {
		for _, body := range []string{"", "<html>" + private, outcomeBody, twoStored} {
			if status < 300 && body == outcomeBody {
				continue
			}
			sent, err := result(status, []byte(body), adapters.Outgoing{ID: "m", Raw: []byte(twoEntries)})
			f := handover.FaultOf(err)
			if want(status, body) == "" {
				if err != nil || sent.Receipt == nil || !sent.Receipt.Positive {
					t.Errorf("%d: %v %+v", status, err, sent)
				}
				continue
			}
			if f == nil || f.Kind != want(status, body) || f.Kind.Temporary() != (want(status, body) == handover.FaultTemporary) || sent.Receipt != nil {
				t.Errorf("%d: %v", status, err)
			}
			if strings.Contains(err.Error(), "MYRVANG") {
				t.Errorf("%d quotes the answer", status)
			}
			if body == outcomeBody && (!strings.Contains(f.Text, "(required, unknown)") || f.Path != "Task.input[0].value") {
				t.Errorf("%d: %q at %q", status, f.Text, f.Path)
			}
		}
	}
}

// response is a transaction-response with these entries.
func response(entries ...string) string {
	return `{"resourceType":"Bundle","type":"transaction-response","entry":[` + strings.Join(entries, ",") + `]}`
}

func TestSend_OnlyATransactionResponseIsAReceipt(t *testing.T) {
	for _, c := range []struct {
		body string
		kind handover.FaultKind
	}{
		{twoStored, ""},
		{outcomeBody, handover.FaultInvalid},
		{`{"resourceType":"OperationOutcome","issue":[{"severity":"information","code":"informational"}]}`, handover.FaultTemporary},
		{response(`{"response":{"status":"201 Created"}}`, `{"response":{"status":"422 Unprocessable","outcome":`+outcomeBody+`}}`), handover.FaultInvalid},
		{response(`{"response":{"status":"503"}}`, `{"response":{"status":"200"}}`), handover.FaultTemporary},
		{response(`{"response":{"status":"200"}}`, `{"response":{}}`), handover.FaultTemporary},
		{response(`{"response":{"status":"200"}}`), handover.FaultTemporary},
		{response(`{"response":{"status":"200"}}`, `{"response":{"status":"200"}}`, `{"response":{"status":"200"}}`), handover.FaultTemporary},
		{strings.Replace(twoStored, "transaction-response", "batch-response", 1), handover.FaultTemporary},
		{strings.Replace(twoStored, "transaction-response", "searchset", 1), handover.FaultTemporary},
		{twoEntries, handover.FaultTemporary},
		{`{"resourceType":"Task"}`, handover.FaultTemporary},
		{"<!DOCTYPE html><title>" + private, handover.FaultTemporary},
		{"", handover.FaultTemporary},
		{twoStored[:len(twoStored)-1], handover.FaultTemporary},
	} {
		sent, err := result(200, []byte(c.body), adapters.Outgoing{Raw: []byte(twoEntries)})
		kind := handover.FaultKind("")
		if err != nil {
			kind = handover.FaultOf(err).Kind
		}
		if kind != c.kind || (sent.Receipt != nil) != (c.kind == "") || err != nil && strings.Contains(err.Error(), "MYRVANG") {
			t.Errorf("%.60s: %v %+v", c.body, err, sent.Receipt)
		}
	}
}

func TestIsElementPath(t *testing.T) {
	for s, want := range map[string]bool{"Task.input[0].value": true, "Task": true, "Bundle.entry[12].resource": true, "": false, "task.x": false, "Solveig": false,
		"Patient.name.where(family='MYRVANG')": false, "Patient.MYRVANG": false, "Patient.": true, "Task.input[0": false, "Task.input[x]": false, "Task..x": false, "Task.a b": false} {
		if got := isElementPath(s); got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}

func TestSend_Redirect_NotFollowed(t *testing.T) {
	followed := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	if _, err := send(t, server.URL); handover.FaultOf(err) == nil || !handover.FaultOf(err).Kind.Temporary() || followed {
		t.Errorf("%v, followed: %v", err, followed)
	}
}

func TestSend_LargeReply_Bounded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 2*replyMax))
	}))
	defer server.Close()
	sent, err := send(t, server.URL)
	if sent.Receipt != nil || !handover.FaultOf(err).Kind.Temporary() || len(sent.Reply) != replyMax {
		t.Errorf("%d bytes, %v", len(sent.Reply), err)
	}
}

func TestInvariant7_NoAnswer_IsTemporary(t *testing.T) {
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cut" {
			panic(http.ErrAbortHandler)
		}
		<-hang
	}))
	defer server.Close()
	defer close(hang)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{server.URL + "/hang", server.URL + "/cut", closed} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		s := &Sender{}
		sent, err := s.Send(ctx, adapters.Target{URL: url}, adapters.Outgoing{})
		cancel()
		f := handover.FaultOf(err)
		if f == nil || f.Kind != handover.FaultTemporary || sent.Receipt != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestSend_BadTarget_EndsAttempts(t *testing.T) {
	for _, url := range []string{"", "mllp://x", "://", "http://"} {
		if _, err := send(t, url); handover.FaultOf(err) == nil || handover.FaultOf(err).Kind != handover.FaultUnsupported {
			t.Errorf("%q: %v", url, err)
		}
	}
	s := &Sender{}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Send(t.Context(), adapters.Target{URL: "http://127.0.0.1:1"}, adapters.Outgoing{}); handover.FaultOf(err) == nil {
		t.Error("a closed sender sends")
	}
}

func TestSend_MutualTLS(t *testing.T) {
	dir := t.TempDir()
	pair := certificate(t, dir)
	pool := x509.NewCertPool()
	pool.AddCert(pair.Leaf)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) != 1 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, response())
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	server.Config.ErrorLog = nil
	server.StartTLS()
	defer server.Close()
	to := adapters.Target{URL: server.URL, CAFile: filepath.Join(dir, "cert.pem"), CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	s := &Sender{}
	defer s.Close()
	if _, err := s.Send(t.Context(), to, adapters.Outgoing{}); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]adapters.Target{
		"no client certificate": {URL: server.URL, CAFile: to.CAFile},
		"unknown CA":            {URL: server.URL, CertFile: to.CertFile, KeyFile: to.KeyFile},
		"no such file":          {URL: server.URL, CAFile: filepath.Join(dir, "none.pem")},
		"not a certificate":     {URL: server.URL, CAFile: to.KeyFile},
	} {
		if _, err := s.Send(t.Context(), bad, adapters.Outgoing{}); handover.FaultOf(err) == nil || handover.FaultOf(err).Kind != handover.FaultTemporary {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// certificate makes a certificate that is its own CA, for server and client.
func certificate(t *testing.T, dir string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "solbakken-rehabilitering"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, typ string, content []byte) []byte {
		out := pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: content})
		if err := os.WriteFile(filepath.Join(dir, name), out, 0o600); err != nil {
			t.Fatal(err)
		}
		return out
	}
	pair, err := tls.X509KeyPair(write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", keyDER))
	if err != nil {
		t.Fatal(err)
	}
	if pair.Leaf, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return pair
}
