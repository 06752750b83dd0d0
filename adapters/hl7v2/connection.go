package hl7v2

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"hash"
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
	frames incoming
	log    *slog.Logger

	mu   sync.Mutex
	idle bool
}

const readerSize = 16 << 10

// serve receives and answers until one side ends, and says why.
func (c *connection) serve() (reason CloseReason) {
	c.log = c.server.Logger.With("connection", c.id, "peer", c.conn.RemoteAddr().String())
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
	c.frames = incoming{c.reader, c.brief}
	for started := false; ; {
		if !started {
			if reason, ok := c.await(); !ok {
				return c.end(reason)
			}
		}
		next := c.exchange()
		if next.closed != "" {
			return c.end(next.closed)
		}
		started = next.started
	}
}

// after is what follows a message: closed says why the connection ends, started that the
// start of another message has been read already.
type after struct {
	closed  CloseReason
	started bool
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
	garbage, err := awaitFrame(c.reader)
	c.setIdle(false)
	if garbage > 0 {
		c.log.Warn("mllp bytes outside a frame passed over", "bytes", garbage)
	}
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

// brief bounds the next read while the end of a frame is looked for.
func (c *connection) brief(on bool) {
	wait := c.server.ReadTimeout
	if on {
		wait = min(wait, endGrace)
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(wait))
}

// exchange reads one message and answers it.
func (c *connection) exchange() after {
	s := c.server
	room := s.Budget.Share()
	defer room.Release()
	raw, restarted, err := c.frames.readFrame(s.MaxBytes, func(size int) error {
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
	case errors.Is(err, context.Canceled):
		return after{closed: CloseShutdown}
	case restarted:
		c.recordBroken(raw)
		c.setIdle(false)
		return after{started: true}
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.recordBroken(raw)
		return after{closed: CloseSlow}
	case err != nil:
		c.recordBroken(raw)
		return after{closed: CloseTruncated}
	}
	return c.answer(adapters.Inbound{Raw: raw})
}

// answer hands a message to intake and writes its answer.
func (c *connection) answer(in adapters.Inbound) after {
	// Invariant 1: what is written is intake's answer, made after its commit; without one
	// the connection is closed, and the sender keeps the message.
	answer := c.take(in)
	if answer.Outcome == adapters.OutcomeUnanswered || len(answer.Bytes) == 0 {
		return after{closed: CloseUnanswered}
	}
	if !c.write(answer.Bytes) {
		return after{closed: CloseWriteFailed}
	}
	return after{}
}

// take has intake take what was read.
func (c *connection) take(in adapters.Inbound) adapters.Answer {
	s, started := c.server, time.Now()
	in.Wire, in.Caller, in.ReceivedAt, in.Correlation = handover.WireHL7v2, c.party, s.Now(), handover.CorrelationID(uuid.NewString())
	answer := s.Intake.Take(s.hard, in)
	outcome := answer.Outcome
	if len(answer.Bytes) == 0 {
		outcome = adapters.OutcomeUnanswered
	}
	s.Observer.MessageAnswered(outcome, len(in.Raw), time.Since(started))
	return answer
}

// headOf is what is kept of a message that was not taken whole.
func headOf(raw []byte) []byte { return raw[:min(len(raw), headerBytes)] }

// recordBroken has what was read of a message that has no end counted as refused (invariant
// 2). It is not answered: its sender has begun another, or is gone.
func (c *connection) recordBroken(raw []byte) {
	c.log.Warn("mllp message broken off", "bytes", len(raw))
	if len(raw) == 0 {
		return
	}
	sum := sha256.Sum256(raw)
	c.take(adapters.Inbound{Raw: headOf(raw), Broken: malformed(fmt.Sprintf("the message was broken off after %d bytes, SHA-256 %x", len(raw), sum), 0, 0)})
}

// oversizedPassed is how many times the limit is still read of an oversized message, so
// that its sender comes to read the answer.
const oversizedPassed = 4

// refuseOversized has a message over the limit counted as refused (invariant 2), with its
// size and digest as far as it was read, and answers it: AR where its header is readable,
// else nothing, and the connection ends.
func (c *connection) refuseOversized(start []byte, room *transport.Share) after {
	s := c.server
	seen := &passed{digest: sha256.New()}
	_, _ = seen.Write(start)
	room.Release()
	restarted, err := c.frames.passFrame(oversizedPassed*s.MaxBytes, seen)
	c.log.Warn("mllp message over the limit refused", "limit", s.MaxBytes, "bytes", seen.bytes)
	in := adapters.Inbound{Raw: seen.head, Broken: tooLarge(fmt.Sprintf("the message has more bytes than are taken: %d, SHA-256 %x", seen.bytes, seen.digest.Sum(nil)), 0, 0)}
	if s.Codec.header(seen.head) == nil || err != nil && !errors.Is(err, errOversized) {
		c.take(in)
		return after{closed: CloseOversized}
	}
	next := c.answer(in)
	if next.closed == "" && err != nil {
		c.linger()
		next.closed = CloseOversized
	}
	next.started = restarted
	return next
}

// passed is what is known of bytes that are not kept.
type passed struct {
	digest hash.Hash
	head   []byte
	bytes  int
}

func (p *passed) Write(b []byte) (int, error) {
	p.bytes += len(b)
	if room := headerBytes - len(p.head); room > 0 {
		p.head = append(p.head, b[:min(room, len(b))]...)
	}
	return p.digest.Write(b)
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
