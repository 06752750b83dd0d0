package bench

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// peer is the municipality of a load run: it takes every message and answers each with a
// positive receipt of its own.
type peer struct {
	addr     string
	server   *http.Server
	receipts chan []byte
	gateway  atomic.Pointer[string]
	token    atomic.Pointer[string]
	client   http.Client
}

// startPeer listens; without present the address is given away but nobody is there.
func startPeer(present bool) (*peer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &peer{addr: l.Addr().String(), receipts: make(chan []byte, 100_000), client: http.Client{Timeout: 30 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: 32, MaxConnsPerHost: 32}}}
	if !present {
		return p, l.Close()
	}
	p.server = &http.Server{Handler: http.HandlerFunc(p.take), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = p.server.Serve(l) }()
	for range 24 {
		go p.answer()
	}
	return p, nil
}

func (p *peer) target(gateway, token string) {
	p.gateway.Store(&gateway)
	p.token.Store(&token)
}

func (p *peer) take(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	if bytes.Contains(raw, []byte("<MsgHead")) {
		p.receipts <- raw
	}
}

// answer posts a receipt for each message taken.
func (p *peer) answer() {
	for raw := range p.receipts {
		req, err := http.NewRequest("POST", "http://"+*p.gateway.Load()+"/kith", strings.NewReader(Receipt(raw)))
		if err != nil {
			continue
		}
		req.Header.Set("Content-Type", "application/xml")
		req.Header.Set("Authorization", "Bearer "+*p.token.Load())
		for range 5 {
			resp, err := p.client.Do(req)
			if err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode == http.StatusAccepted {
					break
				}
			}
		}
	}
}

func (p *peer) close() {
	if p.server != nil {
		p.server.Close()
		close(p.receipts)
	}
}
