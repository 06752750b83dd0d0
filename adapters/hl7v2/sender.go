package hl7v2

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"sync"
	"time"

	"stafett/adapters"
	"stafett/handover"
	"stafett/message"
	"stafett/transport"
)

// Sender sends over MLLP to mllp://host:port and, with TLS 1.2 or later, mllps://host:port.
// It keeps one connection per target, on which one message is sent and answered at a time.
// The zero value is ready. It is safe for concurrent use.
//
// The answer decides (2.5 sections 2.9.2 and 2.9.3):
//
//	AA          Sent, with a positive receipt: the application has it
//	AE, AR      Sent, with a negative receipt: the application has refused it
//	CA          Sent, without a receipt: it is stored there, the application's word may follow
//	CE          a temporary fault: not stored, for a reason that may pass
//	CR          a fault of kind invalid: its type, version or processing id is never taken
//	other, none a temporary fault, and a new connection next time
type Sender struct {
	// Codec reads the answers. Nil means &Codec{}.
	Codec *Codec
	// Timeout bounds a send whose context has no deadline, 30 seconds.
	Timeout time.Duration
	// IdleMax is how long an unused connection is kept, one minute.
	IdleMax time.Duration

	mu     sync.Mutex
	lines  map[adapters.Target]*line
	closed bool
}

var _ adapters.Sender = (*Sender)(nil)

const (
	opSend             = "hl7v2.Send"
	sendTimeoutDefault = 30 * time.Second
	idleMaxDefault     = time.Minute
	// idleTrusted is how long an unused connection is taken to be open without a look.
	idleTrusted = time.Second
	// answerMax bounds one answer; an ACK is a few hundred bytes.
	answerMax = 256 << 10
)

// line is the one connection to a target; the holder of turn uses it.
type line struct {
	turn   chan struct{}
	conn   net.Conn
	reader *bufio.Reader
	used   time.Time
}

func temporary(text string, err error) *handover.Fault {
	return &handover.Fault{Kind: handover.FaultTemporary, Op: opSend, Text: text, Err: err}
}

// Send sends out and reads the answer.
func (s *Sender) Send(ctx context.Context, to adapters.Target, out adapters.Outgoing) (adapters.Sent, error) {
	framed, ok := frame(out.Raw)
	if !ok {
		return adapters.Sent{}, &handover.Fault{Kind: handover.FaultInvalid, Op: opSend, Text: "the message holds bytes that end an MLLP frame"}
	}
	address, fault := addressOf(to)
	if fault != nil {
		return adapters.Sent{}, fault
	}
	if _, has := ctx.Deadline(); !has {
		timeout := s.Timeout
		setDefault(&timeout, sendTimeoutDefault)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	l, fault := s.lineTo(ctx, to)
	if fault != nil {
		return adapters.Sent{}, fault
	}
	defer func() { <-l.turn }()
	raw, fault := s.exchange(ctx, l, to, address, framed)
	if fault != nil {
		l.drop()
		return adapters.Sent{}, fault
	}
	sent, fault, keep := s.understand(raw, out)
	if !keep || s.isClosed() {
		l.drop()
	}
	if fault != nil {
		return sent, fault
	}
	return sent, nil
}

// addressOf returns host:port of a target.
func addressOf(to adapters.Target) (string, *handover.Fault) {
	u, err := url.Parse(to.URL)
	if err != nil || (u.Scheme != schemePlain && u.Scheme != schemeEncrypted) || u.Hostname() == "" || u.Port() == "" {
		return "", &handover.Fault{Kind: handover.FaultInvalid, Op: opSend, Text: "the target is not mllp://host:port or mllps://host:port"}
	}
	return u.Host, nil
}

// lineTo waits for its turn on the target's line.
func (s *Sender) lineTo(ctx context.Context, to adapters.Target) (*line, *handover.Fault) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, temporary("the sender is closed", nil)
	}
	if s.lines == nil {
		s.lines = map[adapters.Target]*line{}
	}
	l := s.lines[to]
	if l == nil {
		l = &line{turn: make(chan struct{}, 1)}
		s.lines[to] = l
	}
	s.mu.Unlock()
	select {
	case l.turn <- struct{}{}:
		return l, nil
	case <-ctx.Done():
		return nil, temporary("other messages to the same target took too long", ctx.Err())
	}
}

func (s *Sender) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// exchange writes the message and reads the framed answer.
func (s *Sender) exchange(ctx context.Context, l *line, to adapters.Target, address string, framed []byte) ([]byte, *handover.Fault) {
	idleMax := s.IdleMax
	setDefault(&idleMax, idleMaxDefault)
	if !l.usable(idleMax) {
		l.drop()
		if err := l.dial(ctx, to, address); err != nil {
			return nil, temporary("the receiver cannot be reached", err)
		}
	}
	deadline, _ := ctx.Deadline()
	if err := l.conn.SetDeadline(deadline); err != nil {
		return nil, temporary("the connection is closed", err)
	}
	conn := l.conn
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		if !stop() {
			l.used = time.Time{} // its deadline is being spoilt: not to be used again
		}
	}()
	if _, err := l.conn.Write(framed); err != nil {
		return nil, temporary("the message could not be written", err)
	}
	if _, err := awaitFrame(l.reader); err != nil {
		return nil, temporary("the receiver did not answer", err)
	}
	answer := incoming{l.reader, func(brief bool) { _ = conn.SetReadDeadline(endOf(brief, deadline)) }}
	raw, restarted, err := answer.readFrame(answerMax, func(int) error { return nil })
	if err != nil || restarted {
		return nil, temporary("the receiver's answer did not arrive whole", err)
	}
	l.used = time.Now()
	return raw, nil
}

// endOf is a read's deadline; a brief one's is at most endGrace ahead.
func endOf(brief bool, deadline time.Time) time.Time {
	if soon := time.Now().Add(endGrace); brief && soon.Before(deadline) {
		return soon
	}
	return deadline
}

// usable reports whether the line's connection can be written to. After a pause it looks
// whether the receiver has closed it, or has said something that nobody asked for.
func (l *line) usable(idleMax time.Duration) bool {
	if l.conn == nil || l.reader.Buffered() > 0 {
		return false
	}
	idle := time.Since(l.used)
	if idle > idleMax {
		return false
	}
	if idle < idleTrusted {
		return true
	}
	_ = l.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	_, err := l.reader.Peek(1)
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// dial opens the line's connection.
func (l *line) dial(ctx context.Context, to adapters.Target, address string) error {
	dialer := &net.Dialer{}
	var conn net.Conn
	if u, _ := url.Parse(to.URL); u.Scheme == schemePlain {
		plain, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		conn = plain
	} else {
		// Read for each connection, so that a renewed file is used.
		config, err := transport.ClientTLS(to.TLS())
		if err != nil {
			return err
		}
		if conn, err = (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", address); err != nil {
			return err
		}
	}
	l.conn, l.reader, l.used = conn, bufio.NewReader(conn), time.Now()
	return nil
}

// drop closes the line's connection.
func (l *line) drop() {
	if l.conn != nil {
		_ = l.conn.Close()
	}
	l.conn, l.reader = nil, nil
}

// understand reads the answer. keep is false where the connection can no longer be
// trusted to answer the message that was sent on it.
func (s *Sender) understand(raw []byte, out adapters.Outgoing) (sent adapters.Sent, fault *handover.Fault, keep bool) {
	codec := s.Codec
	if codec == nil {
		codec = &Codec{}
	}
	sent.Reply = raw
	m, err := codec.Decode(raw, message.Limits{Bytes: answerMax})
	if err != nil {
		return sent, temporary("the receiver's answer is not readable", err), false
	}
	msa := segment(m.Root, "MSA")
	if msa == nil {
		return sent, temporary("the receiver's answer has no MSA segment", nil), false
	}
	if plain(childText(msa, "2")) != out.ID {
		return sent, temporary("the receiver answered another message", nil), false
	}
	switch plain(childText(msa, "1")) {
	case "AA":
		sent.Receipt = &adapters.Receipt{Positive: true, OriginalID: out.ID, OriginalType: out.Type}
	case "AE", "AR":
		sent.Receipt = &adapters.Receipt{OriginalID: out.ID, OriginalType: out.Type, Errors: errorsOf(m.Root, msa)}
	case "CA":
	case "CE":
		return sent, temporary("the receiver did not store the message (CE)", nil), true
	case "CR":
		return sent, &handover.Fault{Kind: handover.FaultInvalid, Op: opSend,
			Text: "the receiver takes no message of this type, version or processing id (CR)"}, true
	default:
		return sent, temporary("the receiver's answer has no known MSA-1", nil), false
	}
	return sent, nil, true
}

// Close closes all connections. A send that is under way ends with its own answer or
// deadline; later ones fail.
func (s *Sender) Close() error {
	s.mu.Lock()
	s.closed = true
	lines := s.lines
	s.lines = nil
	s.mu.Unlock()
	for _, l := range lines {
		select {
		case l.turn <- struct{}{}:
			l.drop()
			<-l.turn
		default: // the one who has the turn closes it
		}
	}
	return nil
}

var _ io.Closer = (*Sender)(nil)
