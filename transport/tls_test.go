package transport

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority makes certificates for one test, in a folder of its own.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
	file string // of its own certificate
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	der, key := a.sign(t, name)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, a.key, a.file = cert, key, filepath.Join(a.dir, "ca.pem")
	write(t, a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return a
}

// sign makes a certificate for name, valid for 127.0.0.1; the first one is a's own.
func (a *authority) sign(t *testing.T, name string) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, IsCA: a.cert == nil,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

// pair writes a certificate for name and its key to files called file, over what stood there.
func (a *authority) pair(t *testing.T, file, name string) Files {
	t.Helper()
	der, key := a.sign(t, name)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	f := Files{Cert: filepath.Join(a.dir, file+".pem"), Key: filepath.Join(a.dir, file+".key")}
	write(t, f.Cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, f.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
	return f
}

// write gives the file a time of its own, however coarse the file system's clock is.
func write(t *testing.T, path string, content []byte) {
	t.Helper()
	at := time.Now()
	if info, err := os.Stat(path); err == nil {
		at = info.ModTime().Add(time.Second)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// meet connects a client to a server and returns whom each of them met.
func meet(t *testing.T, server *tls.Config, client Files) (metServer, metClient string, err error) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	met := make(chan string, 1)
	go func() {
		defer close(met)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		c := conn.(*tls.Conn)
		if c.Handshake() != nil {
			return
		}
		if certs := c.ConnectionState().PeerCertificates; len(certs) > 0 {
			met <- certs[0].Subject.CommonName
		}
		_, _ = c.Write([]byte("x"))
	}()
	config, err := ClientTLS(client)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", l.Addr().String(), config)
	if err != nil {
		return "", "", err
	}
	defer conn.Close()
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		return "", "", err // with TLS 1.3 the server's refusal of a client comes here
	}
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName, <-met, nil
}

func TestServerTLS_WhoMayConnect(t *testing.T) {
	a, stranger := newAuthority(t, "ours"), newAuthority(t, "theirs")
	own, known, unknown := a.pair(t, "server", "server"), a.pair(t, "client", "fjellheim"), stranger.pair(t, "client", "stranger")
	for name, c := range map[string]struct {
		ca     string
		client Files
		met    string
		ok     bool
	}{
		"none asked, none shown": {"", Files{CA: a.file}, "", true},
		"none asked, one shown":  {"", Files{CA: a.file, Cert: known.Cert, Key: known.Key}, "", true},
		"asked and shown":        {a.file, Files{CA: a.file, Cert: known.Cert, Key: known.Key}, "fjellheim", true},
		"asked, none shown":      {a.file, Files{CA: a.file}, "", false},
		"asked, a stranger's":    {a.file, Files{CA: a.file, Cert: unknown.Cert, Key: unknown.Key}, "", false},
		"the server is unknown":  {"", Files{CA: stranger.file}, "", false},
		"by the system's roots":  {"", Files{}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := ServerTLS(Files{CA: c.ca, Cert: own.Cert, Key: own.Key}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			server, client, err := meet(t, config, c.client)
			if (err == nil) != c.ok || client != c.met || c.ok && server != "server" {
				t.Errorf("met %q and %q, %v", server, client, err)
			}
		})
	}
}

func TestServerTLS_CertificatesRenew(t *testing.T) {
	first, second := newAuthority(t, "first"), newAuthority(t, "second")
	own := first.pair(t, "server", "former")
	var log bytes.Buffer
	config, err := ServerTLS(Files{CA: first.file, Cert: own.Cert, Key: own.Key}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	old, young := first.pair(t, "client", "old"), second.pair(t, "client", "young")
	client := func(f Files) Files { return Files{CA: filepath.Join(first.dir, "roots.pem"), Cert: f.Cert, Key: f.Key} }
	write(t, filepath.Join(first.dir, "roots.pem"), read(t, first.file))
	expect := func(f Files, wantServer, wantClient string) {
		t.Helper()
		server, caller, err := meet(t, config, client(f))
		if server != wantServer || caller != wantClient || (err == nil) != (wantServer != "") {
			t.Errorf("met %q and %q, want %q and %q: %v", server, caller, wantServer, wantClient, err)
		}
	}
	expect(old, "former", "old")
	expect(young, "", "")

	first.pair(t, "server", "renewed")
	expect(old, "renewed", "old")

	// Half a renewal: the certificate has come, its key has not.
	cert, key := read(t, own.Cert), read(t, own.Key)
	write(t, own.Key, []byte("half a key"))
	expect(old, "renewed", "old")
	expect(old, "renewed", "old")
	if n := strings.Count(log.String(), "cannot be used"); n != 1 {
		t.Errorf("logged %d times: %s", n, &log)
	}
	write(t, own.Cert, cert)
	write(t, own.Key, key)
	expect(old, "renewed", "old")

	// The authority whose clients are taken changes, by way of an empty file.
	write(t, first.file, nil)
	expect(old, "renewed", "old")
	write(t, first.file, read(t, second.file))
	expect(young, "renewed", "young")
	expect(old, "", "")
}

func TestTLS_FilesThatCannotBeUsed(t *testing.T) {
	a := newAuthority(t, "ours")
	own, other := a.pair(t, "own", "own"), a.pair(t, "other", "other")
	none := filepath.Join(a.dir, "none.pem")
	for name, f := range map[string]Files{
		"no CA file":         {CA: none, Cert: own.Cert, Key: own.Key},
		"CA is a key":        {CA: own.Key, Cert: own.Cert, Key: own.Key},
		"no certificate":     {Cert: none, Key: own.Key},
		"no key":             {Cert: own.Cert, Key: none},
		"key is not named":   {Cert: own.Cert},
		"cert is not named":  {Key: own.Key},
		"key of another":     {Cert: own.Cert, Key: other.Key},
		"all the wrong file": {CA: own.Key, Cert: own.Key, Key: own.Cert},
	} {
		if _, err := ClientTLS(f); err == nil {
			t.Errorf("client, %s: taken", name)
		}
		if _, err := ServerTLS(f, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("server, %s: taken", name)
		}
	}
	if _, err := ServerTLS(Files{}, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a server without a certificate")
	}
	if _, err := ClientTLS(Files{CA: none}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the cause is lost: %v", err)
	}
}
