package events

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate writes a self-signed certificate for 127.0.0.1 and its key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "events"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, &form, &form, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestOpen_ListeningBeyondThisMachineNeedsACertificate(t *testing.T) {
	ctx := context.Background()
	for _, listen := range []string{":0", "0.0.0.0:0", "[::]:0", "example.test:4222"} {
		if b, err := Open(ctx, Config{Dir: t.TempDir(), Listen: listen}); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s: %v", listen, err)
			if b != nil {
				b.Close()
			}
		}
	}
	cert, key := certificate(t)
	b, err := Open(ctx, Config{Dir: t.TempDir(), Listen: "0.0.0.0:0", CertFile: cert, KeyFile: key, Readers: readers()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	m := &memory{epoch: "e1"}
	m.add(9)
	r := run(t, m, b)
	settled(t, r, m)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(strings.TrimPrefix(b.ClientURL(), "tls://"), "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	connect := Connect{URL: "tls://127.0.0.1:" + port, User: string(hospital), Password: "hospital-secret", CAFile: cert}
	n := 0
	if err := Tail(ctx, TailOptions{Connect: connect, Party: hospital, From: 1, Until: true}, func(Msg) error { n++; return nil }); err != nil || n != 6 {
		t.Errorf("%d events, %v", n, err)
	}
	connect.CAFile, connect.URL = "", "nats://127.0.0.1:"+port
	if err := Tail(ctx, TailOptions{Connect: connect, Party: hospital, From: 1, Until: true}, func(Msg) error { return nil }); err == nil {
		t.Error("a client without the certificate was let in")
	}
}
