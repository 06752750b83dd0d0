package adapters

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

	"stafett/handover"
)

const (
	// postersMax bounds the TLS configurations held open at a time.
	postersMax = 256
	// connectionsMax to one host at a time; further sends wait for one.
	connectionsMax = 16
)

// Poster is what the wires over HTTP share: it posts to targets, with one client for each
// set of TLS files. Its zero value is ready for use and safe for concurrent use.
type Poster struct {
	mu      sync.Mutex
	closed  bool
	clients map[tlsFiles]*http.Client
}

type tlsFiles struct{ ca, cert, key string }

// Post sends body to to.URL with header and returns the status and at most replyMax bytes
// of the answer. Redirects are not followed: a message goes to the configured address or
// nowhere. The error is a *handover.Fault: unsupported for an URL that cannot be used,
// else temporary; op stands in it.
func (p *Poster) Post(ctx context.Context, op string, to Target, header http.Header, body []byte, replyMax int64) (status int, reply []byte, err error) {
	fault := func(kind handover.FaultKind, text string, err error) error {
		return &handover.Fault{Kind: kind, Op: op, Text: text, Err: err}
	}
	target, err := url.Parse(to.URL)
	if err != nil || target.Scheme != "http" && target.Scheme != "https" || target.Host == "" {
		return 0, nil, fault(handover.FaultUnsupported, "the target's URL is not http or https", nil)
	}
	client, err := p.client(tlsFiles{to.CAFile, to.CertFile, to.KeyFile})
	if err != nil {
		return 0, nil, fault(handover.FaultTemporary, "the sender cannot be used", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fault(handover.FaultUnsupported, "the target's URL cannot be used", nil)
	}
	request.Header = header.Clone()
	request.Header.Set("User-Agent", "stafett")
	if to.Token != "" {
		request.Header.Set("Authorization", "Bearer "+to.Token)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, fault(handover.FaultTemporary, "the receiver could not be reached", withoutURL(err))
	}
	defer response.Body.Close()
	// A reply that breaks off after its status still has that status.
	reply, _ = io.ReadAll(io.LimitReader(response.Body, replyMax))
	return response.StatusCode, reply, nil
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
// every handshake, so that a renewed one is used; a new CA file needs a new Poster.
func (p *Poster) client(files tlsFiles) (*http.Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errors.New("the sender is closed")
	}
	if c, ok := p.clients[files]; ok {
		return c, nil
	}
	config, err := tlsConfig(files)
	if err != nil {
		return nil, err
	}
	c := &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			TLSClientConfig:       config,
			TLSHandshakeTimeout:   10 * time.Second,
			ExpectContinueTimeout: time.Second,
			IdleConnTimeout:       90 * time.Second,
			MaxConnsPerHost:       connectionsMax,
			MaxIdleConnsPerHost:   connectionsMax,
			ForceAttemptHTTP2:     true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if p.clients == nil || len(p.clients) >= postersMax {
		p.closeIdle()
		p.clients = map[tlsFiles]*http.Client{}
	}
	p.clients[files] = c
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

func (p *Poster) closeIdle() {
	for _, c := range p.clients {
		c.CloseIdleConnections()
	}
}

// Close closes idle connections; later posts fail as temporary.
func (p *Poster) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.closeIdle()
	return nil
}
