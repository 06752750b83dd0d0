package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// webServer is a simulated party's HTTP server.
type webServer struct {
	server *http.Server
	url    string
	ended  chan struct{}
}

func startWeb(h http.Handler) (*webServer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	w := &webServer{server: &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: exchangeMax},
		url: "http://" + l.Addr().String(), ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		w.server.Serve(l)
	}()
	return w, nil
}

func (w *webServer) Close() {
	w.server.Close()
	<-w.ended
}

// readBody reads a bounded request body after checking the bearer token.
func readBody(w http.ResponseWriter, r *http.Request, token string) ([]byte, bool) {
	if r.Header.Get("Authorization") != "Bearer "+token {
		http.Error(w, "unauthorized", http.StatusUnauthorized)
		return nil, false
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, messageMax))
	if err != nil {
		http.Error(w, "broken off", http.StatusBadRequest)
		return nil, false
	}
	return raw, true
}

// reply is an HTTP answer that was read whole.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// call sends one request with a bearer token.
func call(ctx context.Context, method, url, token, contentType string, body []byte, header map[string]string) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeMax)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return reply{}, fmt.Errorf("demo: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{}, fmt.Errorf("demo: %s: %w", method, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, messageMax))
	if err != nil {
		return reply{}, fmt.Errorf("demo: read answer: %w", err)
	}
	return reply{resp.StatusCode, resp.Header, raw}, nil
}
