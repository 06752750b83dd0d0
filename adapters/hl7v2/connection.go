package hl7v2

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/google/uuid"

	"stafett/adapters"
	"stafett/handover"
	"stafett/transport"
)

// connection is one sender's connection.
type connection struct {
	server *Server
	// conn is the socket; stream is what is read and written: the socket, or TLS over it.
	conn   net.Conn
	stream net.Conn
	id     string
	party  handover.PartyID
	reader *bufio.Reader
	log    *slog.Logger

	mu   sync.Mutex
	idle bool
}

const readerSize = 16 << 10

// serve receives and answers until one side ends, and says why.
func (c *connection) serve() (reason CloseReason) {
	c.log = c.server.Logger.With("connection", c.id)
	c.stream = c.conn
	defer func() {
		if p := recover(); p != nil {
			// The value may hold content, so that only its type is logged.
			c.log.Error("mllp connection failed", "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			reason = ClosePanic
		}
		_ = c.stream.Close()
	}()
	if err := c.identify(); err != nil {
		c.log.Warn("mllp caller is not known", "error", err.Error())
		return CloseUnauthenticated
	}
	c.log = c.log.With("party", c.party)
	c.reader = bufio.NewReaderSize(c.stream, readerSize)
	for {
		if reason, ok := c.await(); !ok {
			return c.end(reason)
		}
		if reason, ok := c.exchange(); !ok {
			return c.end(reason)
		}
	}
}

// end logs what an operator should see.
func (c *connection) end(reason CloseReason) CloseReason {
	switch reason {
	case CloseIdle, CloseByPeer, CloseShutdown:
		c.log.Debug("mllp connection closed", "reason", reason)
	default:
		c.log.Warn("mllp connection closed", "reason", reason)
	}
	return reason
}

var errNoParty = errors.New("no party has the client certificate's common name")

// identify finds the party that calls.
func (c *connection) identify() error {
	s := c.server
	c.party = s.Party
	if s.TLS == nil {
		return nil
	}
	// Until the handshake is done a shutdown may close the connection.
	if !c.setIdle(true) {
		return ErrServerClosed
	}
	secure := tls.Server(c.conn, s.TLS)
	ctx, cancel := context.WithTimeout(s.hard, s.ReadTimeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		return err
	}
	c.stream = secure
	if s.PartyOf == nil {
		return nil
	}
	certificates := secure.ConnectionState().PeerCertificates
	if len(certificates) == 0 {
		return errNoParty
	}
	party, ok := s.PartyOf(certificates[0].Subject.CommonName)
	if !ok || party == "" {
		return errNoParty
	}
	c.party = party
	return nil
}

// await waits for the start of a message; false with the reason where there is none.
func (c *connection) await() (CloseReason, bool) {
	if !c.setIdle(true) {
		return c.linger(), false
	}
	err := awaitFrame(c.reader)
	c.setIdle(false)
	switch {
	case err == nil:
		return "", true
	case c.server.stopping.Load():
		return CloseShutdown, false
	case errors.Is(err, errGarbage):
		return CloseGarbage, false
	case errors.Is(err, os.ErrDeadlineExceeded):
		return CloseIdle, false
	}
	return CloseByPeer, false
}

// setIdle marks whether a shutdown may close the connection now, and sets the deadline of
// what is read next. It returns false where idling is over because of one.
func (c *connection) setIdle(idle bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if idle && c.server.stopping.Load() {
		return false
	}
	c.idle = idle
	wait := c.server.ReadTimeout
	if idle {
		wait = c.server.IdleTimeout
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(wait))
	return true
}

// stopIfIdle wakes a connection that waits between messages.
func (c *connection) stopIfIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle {
		_ = c.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// exchange reads one message and answers it; false with the reason where the connection
// is to be closed.
func (c *connection) exchange() (CloseReason, bool) {
	s := c.server
	room := s.Budget.Share()
	defer room.Release()
	raw, err := readFrame(c.reader, s.MaxBytes, func(size int) error {
		waited, err := room.Grow(s.hard, size)
		if waited {
			s.Observer.ReadingStopped()
			// The time that we kept the sender waiting is not the sender's.
			_ = c.conn.SetReadDeadline(time.Now().Add(s.ReadTimeout))
		}
		return err
	})
	switch {
	case errors.Is(err, errOversized):
		return c.refuseOversized(raw, room)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return CloseSlow, false
	case errors.Is(err, context.Canceled):
		return CloseShutdown, false
	case err != nil:
		return CloseTruncated, false
	}
	started := time.Now()
	// Invariant 1: what is written is intake's answer, made after its commit; without one
	// the connection is closed, and the sender keeps the message.
	answer := s.Intake.Take(s.hard, adapters.Inbound{Wire: handover.WireHL7v2, Caller: c.party, Raw: raw,
		ReceivedAt: s.Now(), Correlation: handover.CorrelationID(uuid.NewString())})
	if answer.Outcome == adapters.OutcomeUnanswered || len(answer.Bytes) == 0 {
		s.Observer.MessageAnswered(adapters.OutcomeUnanswered, len(raw), time.Since(started))
		return CloseUnanswered, false
	}
	if !c.write(answer.Bytes) {
		return CloseWriteFailed, false
	}
	s.Observer.MessageAnswered(answer.Outcome, len(raw), time.Since(started))
	return "", true
}

// oversizedPassed is how many times the limit is still read of an oversized message, so
// that its sender comes to read the answer.
const oversizedPassed = 4

// refuseOversized answers a message that was not read to its end: AR where its header is
// readable, else nothing, and the connection ends.
func (c *connection) refuseOversized(start []byte, room *transport.Share) (CloseReason, bool) {
	s := c.server
	header := s.Codec.header(start)
	room.Release()
	passed := passFrame(c.reader, oversizedPassed*s.MaxBytes, start[len(start)-1])
	s.Observer.MessageAnswered(adapters.OutcomeRefused, s.MaxBytes+1, 0)
	c.log.Warn("mllp message over the limit refused", "limit", s.MaxBytes)
	if header == nil || (passed != nil && !errors.Is(passed, errOversized)) {
		return CloseOversized, false
	}
	env, _ := s.Codec.Envelope(header)
	at := s.Now()
	answer := s.Codec.Answer(env, "", tooLarge("the message has more bytes than are taken", 0, 0), at)
	if !c.write(answer) {
		return CloseWriteFailed, false
	}
	if passed != nil {
		c.linger()
		return CloseOversized, false
	}
	return "", true
}

// write sends one framed answer.
func (c *connection) write(answer []byte) bool {
	framed, ok := frame(answer)
	if !ok {
		c.log.Error("an answer cannot be framed")
		return false
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(c.server.WriteTimeout))
	_, err := c.stream.Write(framed)
	return err == nil
}

const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 1 << 20
)

// linger ends our side and reads on for a moment: closing with bytes unread resets the
// connection, and the reset may overtake the last answer.
func (c *connection) linger() CloseReason {
	half, ok := c.stream.(interface{ CloseWrite() error })
	if ok && half.CloseWrite() == nil {
		_ = c.conn.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.CopyN(io.Discard, c.stream, lingerBytes)
	}
	return CloseShutdown
}
