package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
)

// Files are the paths of PEM files; each may be empty, Cert and Key together.
type Files struct {
	// CA holds who may have signed the other side's certificate. Empty is, for a client,
	// the system's roots; for a server, that no certificate is asked for.
	CA string
	// Cert and Key are one's own certificate with its chain, and its key.
	Cert, Key string
}

// versionMin is the oldest TLS that is spoken.
const versionMin = tls.VersionTLS12

// ClientTLS makes a client's configuration of f as the files now stand.
func ClientTLS(f Files) (*tls.Config, error) {
	config := &tls.Config{MinVersion: versionMin}
	if f.CA != "" {
		pool, err := readPool(f.CA)
		if err != nil {
			return nil, err
		}
		config.RootCAs = pool
	}
	if f.Cert != "" || f.Key != "" {
		pair, err := readPair(f)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{*pair}
	}
	return config, nil
}

// ServerTLS makes a server's configuration of f. With f.CA every client must show a
// certificate that is signed by it. A file that changes is read anew at the next
// connection; while what it then holds cannot be used, log says so and the server goes on
// with what it had.
func ServerTLS(f Files, log *slog.Logger) (*tls.Config, error) {
	pair, err := renew(func() (*tls.Certificate, error) { return readPair(f) }, f.Cert, f.Key)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: versionMin,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return pair.keep(log), nil }}
	if f.CA == "" {
		return config, nil
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	base := config.Clone()
	demanding, err := renew(func() (*tls.Config, error) {
		pool, err := readPool(f.CA)
		c := base.Clone()
		c.ClientCAs = pool
		return c, err
	}, f.CA)
	if err != nil {
		return nil, err
	}
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return demanding.keep(log), nil }
	return config, nil
}

func readPool(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the CA file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("the CA file holds no certificate")
	}
	return pool, nil
}

func readPair(f Files) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	return &pair, nil
}

// renewed is a value that was made of files, and is made anew when one of them changes.
type renewed[T any] struct {
	paths []string
	read  func() (T, error)

	mu    sync.Mutex
	seen  []stamp
	value T
}

// stamp is how a changed file is known: its time, in nanoseconds, and size. A file that is
// not there has none.
type stamp struct{ changed, size int64 }

// renew makes the first value; its error is read's.
func renew[T any](read func() (T, error), paths ...string) (*renewed[T], error) {
	r := &renewed[T]{paths: paths, read: read}
	_, err := r.get()
	return r, err
}

// get returns the value. With an error, which is given once for each change, the files as
// they now stand cannot be used, and the value is the former one.
func (r *renewed[T]) get() (T, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// Looked at before it is read: a file that changes in between is read once more.
	now := make([]stamp, len(r.paths))
	for i, path := range r.paths {
		if info, err := os.Stat(path); err == nil {
			now[i] = stamp{info.ModTime().UnixNano(), info.Size()}
		}
	}
	if slices.Equal(now, r.seen) {
		return r.value, nil
	}
	r.seen = now
	value, err := r.read()
	if err == nil {
		r.value = value
	}
	return r.value, err
}

// keep returns the value, and logs what get cannot use.
func (r *renewed[T]) keep(log *slog.Logger) T {
	value, err := r.get()
	if err != nil {
		log.Error("a renewed certificate cannot be used, the former one is kept", "files", r.paths, "cause", err.Error())
	}
	return value
}
