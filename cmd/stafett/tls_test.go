package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// selfSigned writes a certificate of this machine's and its key.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "stafett"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err1 := x509.CreateCertificate(rand.Reader, form, form, &private.PublicKey, private)
	secret, err2 := x509.MarshalPKCS8PrivateKey(private)
	cert, key = filepath.Join(t.TempDir(), "tls.crt"), filepath.Join(t.TempDir(), "tls.key")
	err3 := os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
	err4 := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// TestCommands_OverTLS: a gateway's certificate is trusted where --ca or STAFETT_CA says so,
// and the token may be a reference.
func TestCommands_OverTLS(t *testing.T) {
	path, token := example(t)
	cfg, err := loadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	cfg.HTTP.CertFile, cfg.HTTP.KeyFile = selfSigned(t)
	a, err := startApp(t.Context(), cfg, discarded())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.shutdown(); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("A_TOKEN", token["operator"])
	command := []string{"ledger", "balance", "--url", "https://" + a.httpAddr, "--token", "env:A_TOKEN"}
	if out, code := run(t, command...); code != 1 || !strings.Contains(out, "certificate") {
		t.Errorf("an unknown certificate: exit %d: %s", code, out)
	}
	if out, code := run(t, append(command, "--ca", cfg.HTTP.CertFile)...); code != 0 {
		t.Errorf("--ca: exit %d: %s", code, out)
	}
	t.Setenv("STAFETT_CA", cfg.HTTP.CertFile)
	if out, code := run(t, command...); code != 0 {
		t.Errorf("STAFETT_CA: exit %d: %s", code, out)
	}
	if out, code := run(t, append(command, "--ca", path)...); code != 1 || !strings.Contains(out, "no certificate") {
		t.Errorf("a CA file without a certificate: exit %d: %s", code, out)
	}
}
