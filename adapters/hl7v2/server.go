package hl7v2

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"stafett/adapters"
	"stafett/handover"
	"stafett/message"
	"stafett/transport"
)

// Server receives messages over MLLP. A connection is served one message at a time, and
// answered in order; a sender may send ahead. Who calls is the party of the listener, or
// that of the client's certificate.
//
// Set the fields, then call Listen and Serve; fields are not changed
// after. A zero field has the default that it states.
type Server struct {
	// Addr is host:port; port 0 is any free one.
	Addr string
	// Party is the party that every caller of this listener is. Exactly one of Party and
	// PartyOf is set.
	Party handover.PartyID
	// PartyOf gives the party of a client certificate's common name. It needs a TLS that
	// requires and verifies client certificates.
	PartyOf func(commonName string) (handover.PartyID, bool)
	// TLS is nil for a plain listener.
	TLS    *tls.Config
	Intake adapters.Intake
	// Codec answers what is not handed to Intake: an oversized message. Nil means &Codec{}.
	Codec *Codec
	// MaxBytes bounds one message: message.DefaultLimits, 20 MB.
	MaxBytes int
	// Budget bounds the bytes in hand, shared between wires. Nil means 64 MB for this server.
	Budget *transport.Budget
	// MaxConnections bounds the open connections, 256; one too many is closed at once.
	MaxConnections int
	// IdleTimeout is how long a connection may be silent between messages, 10 minutes.
	IdleTimeout time.Duration
	// ReadTimeout is how long a message may take from its first byte, 30 seconds.
	ReadTimeout time.Duration
	// WriteTimeout is how long an answer may take, 10 seconds.
	WriteTimeout time.Duration
	// Now is the clock of ReceivedAt, time.Now.
	Now func() time.Time
	// Logger never gets content. Nil means slog.Default.
	Logger *slog.Logger
	// Observer counts; nil means nobody.
	Observer Observer

	mu          sync.Mutex
	listener    net.Listener
	connections map[*connection]struct{}
	stopping    atomic.Bool
	working     sync.WaitGroup
	// hard is cancelled when a shutdown has waited long enough.
	hard     context.Context
	hardStop context.CancelFunc
}

// Observer is told what a server does, for metrics. Its methods are called concurrently.
type Observer interface {
	ConnectionOpened()
	ConnectionClosed(reason CloseReason)
	// MessageAnswered tells the outcome of one message: its bytes, and the time from its
	// last byte to the answer.
	MessageAnswered(outcome adapters.Outcome, size int, took time.Duration)
	// ReadingStopped tells that a message had to wait for room.
	ReadingStopped()
}

// CloseReason says why a connection ended.
type CloseReason string

// The reasons, in the order in which a connection can meet them.
const (
	CloseTooMany         CloseReason = "too-many-connections"
	CloseUnauthenticated CloseReason = "unauthenticated"
	CloseIdle            CloseReason = "idle"
	CloseByPeer          CloseReason = "closed-by-peer"
	CloseGarbage         CloseReason = "garbage"
	CloseSlow            CloseReason = "slow"
	CloseTruncated       CloseReason = "truncated"
	CloseOversized       CloseReason = "oversized"
	CloseUnanswered      CloseReason = "unanswered"
	CloseWriteFailed     CloseReason = "write-failed"
	CloseShutdown        CloseReason = "shutdown"
	ClosePanic           CloseReason = "panic"
)

const (
	maxConnectionsDefault = 256
	idleTimeoutDefault    = 10 * time.Minute
	readTimeoutDefault    = 30 * time.Second
	writeTimeoutDefault   = 10 * time.Second
)

// ErrServerClosed is what Serve returns after Shutdown.
var ErrServerClosed = errors.New("hl7v2: server closed")

// Listen opens the listener and returns its address. It refuses a server that could not
// tell who calls.
func (s *Server) Listen() (net.Addr, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	s.defaults()
	l, err := net.Listen("tcp", s.Addr)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping.Load() || s.listener != nil {
		return nil, errors.Join(errors.New("hl7v2: the server was started before"), l.Close())
	}
	s.listener = l
	s.connections = map[*connection]struct{}{}
	s.hard, s.hardStop = context.WithCancel(context.Background())
	return l.Addr(), nil
}

func (s *Server) check() error {
	switch {
	case s.Intake == nil:
		return errors.New("hl7v2: a server needs an intake")
	case (s.Party == "") == (s.PartyOf == nil):
		return errors.New("hl7v2: a server needs either a party or client certificates that name one")
	case s.PartyOf != nil && (s.TLS == nil || s.TLS.ClientAuth != tls.RequireAndVerifyClientCert):
		return errors.New("hl7v2: parties by certificate need TLS that requires and verifies client certificates")
	}
	return nil
}

func (s *Server) defaults() {
	setDefault(&s.MaxBytes, message.DefaultLimits().Bytes)
	setDefault(&s.MaxConnections, maxConnectionsDefault)
	setDefault(&s.IdleTimeout, idleTimeoutDefault)
	setDefault(&s.ReadTimeout, readTimeoutDefault)
	setDefault(&s.WriteTimeout, writeTimeoutDefault)
	if s.Codec == nil {
		s.Codec = &Codec{}
	}
	if s.Budget == nil {
		s.Budget = transport.NewBudget(transport.InFlightDefault, s.MaxBytes)
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Logger == nil {
		s.Logger = slog.Default()
	}
	if s.Observer == nil {
		s.Observer = nobody{}
	}
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

type nobody struct{}

func (nobody) ConnectionOpened()                                    {}
func (nobody) ConnectionClosed(CloseReason)                         {}
func (nobody) MessageAnswered(adapters.Outcome, int, time.Duration) {}
func (nobody) ReadingStopped()                                      {}

// acceptPause is how long accepting waits after a failure, such as too many open files.
const acceptPause = 50 * time.Millisecond

// Serve accepts connections until Shutdown, and then returns ErrServerClosed.
func (s *Server) Serve() error {
	s.mu.Lock()
	l := s.listener
	s.mu.Unlock()
	if l == nil {
		return errors.New("hl7v2: Serve before Listen")
	}
	for {
		conn, err := l.Accept()
		if err == nil {
			s.open(conn)
			continue
		}
		if s.stopping.Load() {
			return ErrServerClosed
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		s.Logger.Error("mllp accept failed", "listener", l.Addr().String(), "error", err.Error())
		select {
		case <-time.After(acceptPause):
		case <-s.hard.Done():
			return ErrServerClosed
		}
	}
}

// open starts serving conn, or closes it where there is no place.
func (s *Server) open(conn net.Conn) {
	c := &connection{server: s, conn: conn, id: uuid.NewString()}
	s.mu.Lock()
	full := len(s.connections) >= s.MaxConnections
	if full || s.stopping.Load() {
		s.mu.Unlock()
		_ = conn.Close()
		if full {
			s.Observer.ConnectionOpened()
			s.Observer.ConnectionClosed(CloseTooMany)
			s.Logger.Warn("mllp connection refused: too many are open", "party", s.Party)
		}
		return
	}
	s.connections[c] = struct{}{}
	s.working.Add(1)
	s.mu.Unlock()
	s.Observer.ConnectionOpened()
	go func() {
		defer s.working.Done()
		reason := c.serve()
		s.mu.Lock()
		delete(s.connections, c)
		s.mu.Unlock()
		s.Observer.ConnectionClosed(reason)
	}()
}

// Shutdown stops accepting, closes idle connections, lets each other connection finish and
// answer the message in hand, and returns when all are closed. When ctx ends first, it
// closes them unanswered, so that their senders keep the messages, and returns ctx's
// error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.stopping.Store(true)
	if s.listener == nil {
		s.mu.Unlock()
		return nil
	}
	_ = s.listener.Close()
	for c := range s.connections {
		c.stopIfIdle()
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		s.working.Wait()
		close(done)
	}()
	select {
	case <-done:
		s.hardStop()
		return nil
	case <-ctx.Done():
	}
	s.hardStop()
	s.mu.Lock()
	for c := range s.connections {
		_ = c.conn.Close()
	}
	s.mu.Unlock()
	<-done
	return ctx.Err()
}
