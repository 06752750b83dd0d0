package fhirmsg

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"stafett/adapters"
	"stafett/handover"
)

const (
	// replyMax bounds what is kept of a server's answer.
	replyMax = 256 << 10
	// clientsMax bounds the TLS configurations held open at a time.
	clientsMax = 256
	// connectionsMax to one host at a time; further sends wait for one.
	connectionsMax = 16
)

// Sender posts Bundles to a FHIR server. Its zero value is ready for use and safe for
// concurrent use; the deadline of a send is its context's.
type Sender struct {
	mu      sync.Mutex
	closed  bool
	clients map[tlsFiles]*http.Client
}

type tlsFiles struct{ ca, cert, key string }

var _ adapters.Sender = (*Sender)(nil)

// Send posts out.Raw to to.URL, the server's base. 2xx is the receiving system's receipt,
// unless the body says that an entry failed. What any other answer means is in fault.
// Redirects are not followed: a message goes to the configured address or nowhere.
func (s *Sender) Send(ctx context.Context, to adapters.Target, out adapters.Outgoing) (adapters.Sent, error) {
	target, err := url.Parse(to.URL)
	if err != nil || target.Scheme != "http" && target.Scheme != "https" || target.Host == "" {
		return adapters.Sent{}, sendFault(handover.FaultUnsupported, "the target's URL is not http or https", "", nil)
	}
	client, err := s.client(tlsFiles{to.CAFile, to.CertFile, to.KeyFile})
	if err != nil {
		return adapters.Sent{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL, bytes.NewReader(out.Raw))
	if err != nil {
		return adapters.Sent{}, sendFault(handover.FaultUnsupported, "the target's URL cannot be used", "", nil)
	}
	request.Header.Set("Content-Type", "application/fhir+json; charset=utf-8")
	request.Header.Set("Accept", "application/fhir+json; fhirVersion=4.0")
	request.Header.Set("Prefer", "return=minimal, handling=strict")
	request.Header.Set("X-Request-Id", out.ID)
	request.Header.Set("User-Agent", "stafett")
	if to.Token != "" {
		request.Header.Set("Authorization", "Bearer "+to.Token)
	}
	response, err := client.Do(request)
	if err != nil {
		return adapters.Sent{}, sendFault(handover.FaultTemporary, "the receiver could not be reached", "", withoutURL(err))
	}
	defer response.Body.Close()
	// A reply that breaks off after its status still has that status.
	reply, _ := io.ReadAll(io.LimitReader(response.Body, replyMax))
	return result(response.StatusCode, reply, out)
}

func result(status int, reply []byte, out adapters.Outgoing) (adapters.Sent, error) {
	sent := adapters.Sent{Reply: reply}
	if f := fault(status, reply); f != nil {
		return sent, f
	}
	sent.Receipt = &adapters.Receipt{Positive: true, OriginalID: out.ID, OriginalType: out.Type}
	return sent, nil
}

func sendFault(kind handover.FaultKind, text, path string, err error) error {
	return &handover.Fault{Kind: kind, Op: "fhirmsg.Send", Text: text, Path: path, Err: err}
}

// withoutURL drops the address from a client's error: configuration may hold secrets there.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// client returns the client for a set of TLS files. A client certificate is read again at
// every handshake, so that a renewed one is used; a new CA file needs a new Sender.
func (s *Sender) client(files tlsFiles) (*http.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, sendFault(handover.FaultTemporary, "the sender is closed", "", nil)
	}
	if c, ok := s.clients[files]; ok {
		return c, nil
	}
	config, err := tlsConfig(files)
	if err != nil {
		return nil, sendFault(handover.FaultTemporary, "the TLS files cannot be used", "", err)
	}
	c := &http.Client{
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			TLSClientConfig:     config,
			TLSHandshakeTimeout: 10 * time.Second,
			IdleConnTimeout:     90 * time.Second,
			MaxConnsPerHost:     connectionsMax,
			MaxIdleConnsPerHost: connectionsMax,
			ForceAttemptHTTP2:   true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if s.clients == nil || len(s.clients) >= clientsMax {
		s.closeIdle()
		s.clients = map[tlsFiles]*http.Client{}
	}
	s.clients[files] = c
	return c, nil
}

func tlsConfig(files tlsFiles) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if files.ca != "" {
		pem, err := os.ReadFile(files.ca)
		if err != nil {
			return nil, fmt.Errorf("reading the CA file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("the CA file holds no certificate")
		}
	}
	if files.cert != "" {
		if _, err := tls.LoadX509KeyPair(files.cert, files.key); err != nil {
			return nil, fmt.Errorf("reading the client certificate: %w", err)
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(files.cert, files.key)
			return &pair, err
		}
	}
	return config, nil
}

func (s *Sender) closeIdle() {
	for _, c := range s.clients {
		c.CloseIdleConnections()
	}
}

// Close closes idle connections; later sends fail as temporary.
func (s *Sender) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.closeIdle()
	return nil
}
