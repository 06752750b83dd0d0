package transport

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// hearOutMax bounds the bytes that are read and thrown away after an answer.
	hearOutMax = 64 << 20
	// hearOutTime bounds how long that may take.
	hearOutTime = 5 * time.Second
)

// Harden sets the times and sizes within which a request must arrive and its answer
// leave, where s sets none of its own, and has its handler's requests heard out.
func Harden(s *http.Server) {
	if s.Handler != nil {
		s.Handler = hearOut(s.Handler)
	}
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&s.ReadHeaderTimeout, 10*time.Second)
	set(&s.ReadTimeout, time.Minute)
	set(&s.WriteTimeout, 2*time.Minute)
	set(&s.IdleTimeout, 2*time.Minute)
	if s.MaxHeaderBytes == 0 {
		s.MaxHeaderBytes = 64 << 10
	}
}

// hearOut reads on, within limits, in a body that next answered without reading: a client
// that sends all before it reads would else find its connection reset and no answer. Where
// the client closes the connection after the answer net/http does not do so by itself.
func hearOut(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 || r.ContentLength == 0 || r.Header.Get("Expect") != "" {
			next.ServeHTTP(w, r)
			return
		}
		body := &heardBody{ReadCloser: r.Body}
		heard := r.WithContext(r.Context())
		heard.Body = body
		next.ServeHTTP(w, heard)
		if body.ended {
			return
		}
		control := http.NewResponseController(w)
		if control.Flush() != nil || control.SetReadDeadline(time.Now().Add(hearOutTime)) != nil {
			return
		}
		_, _ = io.CopyN(io.Discard, r.Body, hearOutMax) // what it says was answered already
	})
}

// heardBody knows whether its end was read.
type heardBody struct {
	io.ReadCloser
	ended bool
}

func (b *heardBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.ended = b.ended || err != nil
	return n, err
}

const (
	// clientsMax bounds the TLS configurations held open at a time.
	clientsMax = 256
	// connectionsMax to one host at a time; further requests wait for one.
	connectionsMax = 16
)

// Clients makes HTTP clients, one for each set of TLS files; another one when a file has
// changed. Its zero value is ready for use and safe for concurrent use.
type Clients struct {
	mu      sync.Mutex
	closed  bool
	clients map[Files]*renewed[*http.Client]
}

// Client returns the client for f. It follows no redirects: a message goes to the address
// that was configured or nowhere.
func (c *Clients) Client(f Files) (*http.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errors.New("the clients are closed")
	}
	r, known := c.clients[f]
	if !known {
		r = &renewed[*http.Client]{paths: []string{f.CA, f.Cert, f.Key}, read: func() (*http.Client, error) { return client(f) }}
	}
	made, err := r.get()
	if err != nil {
		delete(c.clients, f) // so that it is tried, and fails, until the files are whole
		return nil, err
	}
	if !known {
		c.keep(f, r)
	}
	return made, nil
}

func (c *Clients) keep(f Files, r *renewed[*http.Client]) {
	if c.clients == nil || len(c.clients) >= clientsMax {
		c.closeIdle()
		c.clients = map[Files]*renewed[*http.Client]{}
	}
	c.clients[f] = r
}

func client(f Files) (*http.Client, error) {
	config, err := ClientTLS(f)
	if err != nil {
		return nil, err
	}
	return &http.Client{
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
	}, nil
}

func (c *Clients) closeIdle() {
	for _, r := range c.clients {
		r.value.CloseIdleConnections()
	}
}

// Close closes idle connections; no client is given out any more.
func (c *Clients) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.closeIdle()
}
