package kith

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
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

func outgoing(t testing.TB) adapters.Outgoing {
	return adapters.Outgoing{Type: "LOG_INNLAGT", ID: "7d1c0f7e-3b0a-4c55-9d1e-000000000001", Raw: fixture(t, "log_innlagt.xml")}
}

func TestSenderPostsTheBytes(t *testing.T) {
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	s := &Sender{}
	sent, err := s.Send(t.Context(), adapters.Target{URL: server.URL + "/kith", Token: "hemmelig"}, outgoing(t))
	if err != nil || sent.Receipt != nil {
		t.Fatalf("%+v, %v", sent, err)
	}
	if string(body) != string(outgoing(t).Raw) || got.Method != "POST" || got.URL.Path != "/kith" || got.Header.Get("Authorization") != "Bearer hemmelig" ||
		!strings.HasPrefix(got.Header.Get("Content-Type"), "application/xml") {
		t.Errorf("%s %s %v", got.Method, got.URL, got.Header)
	}
	if _, err := s.Send(t.Context(), adapters.Target{URL: server.URL}, outgoing(t)); err != nil || got.Header.Get("Authorization") != "" {
		t.Errorf("without token: %v, %v", err, got.Header)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Send(t.Context(), adapters.Target{URL: server.URL}, outgoing(t)); !handover.FaultOf(err).Kind.Temporary() {
		t.Errorf("a closed sender: %v", err)
	}
}

// TestSenderStatus walks every status: the taking ones are sent, 4xx ends the attempts, else later.
func TestSenderStatus(t *testing.T) {
	for status := 100; status < 600; status++ {
		sent, err := result(status, []byte("r"))
		if string(sent.Reply) != "r" || sent.Receipt != nil {
			t.Errorf("%d: %+v", status, sent)
		}
		if status <= 202 && status >= 200 || status == 204 {
			if err != nil {
				t.Errorf("%d: %v", status, err)
			}
			continue
		}
		final := status/100 == 4 && status != 408 && status != 425 && status != 429
		if f := handover.FaultOf(err); f == nil || f.Kind.Temporary() == final {
			t.Errorf("%d: %v", status, err)
		}
	}
	for _, page := range []string{"<html>", "\ufeff \r\n<!DOCTYPE html><html><body>Logg inn</body></html>", "Vennligst <a href=x>logg inn</a>", "<?xml version='1.0'?><Fault/>"} {
		if _, err := result(200, []byte(page)); err == nil || !handover.FaultOf(err).Kind.Temporary() {
			t.Errorf("%q is taken for an acceptance: %v", page, err)
		}
	}
	for _, body := range []string{"", "\n", "OK", `{"id":"1"}`} {
		if _, err := result(202, []byte(body)); err != nil {
			t.Errorf("%q: %v", body, err)
		}
	}
	for status, kind := range map[int]handover.FaultKind{401: handover.FaultUnauthenticated, 403: handover.FaultForbidden, 404: handover.FaultNotFound,
		410: handover.FaultNotFound, 413: handover.FaultTooLarge, 415: handover.FaultUnsupported, 400: handover.FaultInvalid, 422: handover.FaultInvalid} {
		if _, err := result(status, nil); handover.FaultOf(err).Kind != kind {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestSenderFollowsNoRedirect(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the message went elsewhere") }))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	_, err := (&Sender{}).Send(t.Context(), adapters.Target{URL: server.URL, Token: "x"}, outgoing(t))
	if f := handover.FaultOf(err); f == nil || !f.Kind.Temporary() {
		t.Error(err)
	}
}

func TestSenderBoundsTheReply(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 4*maxReply))
	}))
	defer server.Close()
	sent, err := (&Sender{}).Send(t.Context(), adapters.Target{URL: server.URL}, outgoing(t))
	if err != nil || len(sent.Reply) != maxReply {
		t.Errorf("%d bytes, %v", len(sent.Reply), err)
	}
}

func TestSenderObeysTheDeadline(t *testing.T) {
	stop := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(stop)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := (&Sender{}).Send(ctx, adapters.Target{URL: server.URL}, outgoing(t))
	if f := handover.FaultOf(err); f == nil || f.Kind != handover.FaultTemporary || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestSenderFaults(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for name, c := range map[string]struct {
		to        adapters.Target
		temporary bool
	}{
		"scheme":     {adapters.Target{URL: "mllp://127.0.0.1:1"}, false},
		"no url":     {adapters.Target{}, false},
		"no host":    {adapters.Target{URL: "http://"}, false},
		"bad url":    {adapters.Target{URL: "http://[::1"}, false},
		"closed":     {adapters.Target{URL: closed.URL + "/?nokkel=hemmelig"}, true},
		"no CA file": {adapters.Target{URL: "https://127.0.0.1:1", CAFile: "testdata/none.pem"}, true},
		"bad CA":     {adapters.Target{URL: "https://127.0.0.1:1", CAFile: "testdata/log_innlagt.xml"}, true},
		"no cert":    {adapters.Target{URL: "https://127.0.0.1:1", CertFile: "testdata/none.pem"}, true},
	} {
		_, err := (&Sender{}).Send(t.Context(), c.to, outgoing(t))
		f := handover.FaultOf(err)
		if f == nil || f.Kind.Temporary() != c.temporary {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if strings.Contains(f.Error(), "hemmelig") || f.Err != nil && strings.Contains(f.Err.Error(), "hemmelig") {
			t.Errorf("%s: the fault holds the address", name)
		}
	}
}

func TestSenderSpeaksMutualTLS(t *testing.T) {
	dir := t.TempDir()
	clientCert, clientKey, pool := clientCertificate(t, dir)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) != 1 || r.TLS.PeerCertificates[0].Subject.CommonName != "stafett" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	server.StartTLS()
	defer server.Close()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Sender{}
	defer s.Close()
	if _, err := s.Send(t.Context(), adapters.Target{URL: server.URL, CAFile: ca, CertFile: clientCert, KeyFile: clientKey}, outgoing(t)); err != nil {
		t.Error(err)
	}
	for name, to := range map[string]adapters.Target{
		"no client certificate": {URL: server.URL, CAFile: ca},
		"unknown server":        {URL: server.URL, CertFile: clientCert, KeyFile: clientKey},
	} {
		if _, err := s.Send(t.Context(), to, outgoing(t)); !handover.FaultOf(err).Kind.Temporary() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func clientCertificate(t *testing.T, dir string) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "stafett"}, NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(cert)
	return certFile, keyFile, pool
}
