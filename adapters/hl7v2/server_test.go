package hl7v2

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"stafett/message"
	"strings"
	"sync"
	"testing"
	"time"

	"stafett/adapters"
	"stafett/adapters/adaptertest"
	"stafett/handover"
	"stafett/transport"
)

const fjellheim handover.PartyID = "fjellheim-sykehus"

// run starts s on a free port and stops it when t ends.
func run(t *testing.T, s *Server) (address string) {
	t.Helper()
	s.Addr = "127.0.0.1:0"
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	addr, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; !errors.Is(err, ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	return addr.String()
}

// client is a connection of a test's own, so that our sender's mistakes do not hide here.
type client struct {
	conn   net.Conn
	reader *bufio.Reader
}

func connect(ctx context.Context, address string) (*client, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return newClient(ctx, conn), nil
}

func newClient(ctx context.Context, conn net.Conn) *client {
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	return &client{conn, bufio.NewReader(conn)}
}

func framed(raw []byte) []byte {
	return append(append([]byte{0x0B}, raw...), 0x1C, 0x0D)
}

// answer reads one answer; a closed connection is ReplyNone.
func (c *client) answer() (adaptertest.Reply, error) {
	text, err := c.reader.ReadString(0x0D)
	for err == nil && !strings.HasSuffix(text, "\x1c\r") {
		var more string
		more, err = c.reader.ReadString(0x0D)
		text += more
	}
	if err != nil {
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return adaptertest.Reply{}, err
		}
		return adaptertest.Reply{Kind: adaptertest.ReplyNone}, nil
	}
	if text[0] != 0x0B {
		return adaptertest.Reply{}, fmt.Errorf("an answer starts with %q", text[0])
	}
	reply := adaptertest.Reply{Kind: adaptertest.ReplyNegative, Bytes: []byte(text[1 : len(text)-2])}
	if strings.Contains(text, "\rMSA|AA|") || strings.Contains(text, "\rMSA|CA|") {
		reply.Kind = adaptertest.ReplyPositive
	}
	return reply, nil
}

// harnessServer is the wire's half of the suite.
func harnessServer(s *Server, address string) adaptertest.Server {
	with := func(ctx context.Context, f func(c *client) error) (adaptertest.Reply, error) {
		c, err := connect(ctx, address)
		if err != nil {
			return adaptertest.Reply{Kind: adaptertest.ReplyNone}, nil // refused: the sender keeps the message
		}
		defer c.conn.Close()
		if err := f(c); err != nil {
			return adaptertest.Reply{Kind: adaptertest.ReplyNone}, nil
		}
		return c.answer()
	}
	return adaptertest.Server{
		Send: func(ctx context.Context, raw []byte) (adaptertest.Reply, error) {
			return with(ctx, func(c *client) error {
				_, err := c.conn.Write(framed(raw))
				return err
			})
		},
		SendSlowly: func(ctx context.Context, raw []byte) (adaptertest.Reply, error) {
			return with(ctx, func(c *client) error { return adaptertest.Trickle(ctx, c.conn, framed(raw)) })
		},
		HangUp: func(ctx context.Context, raw []byte) error {
			c, err := connect(ctx, address)
			if err != nil {
				return err
			}
			_, err = c.conn.Write(framed(raw)[:len(raw)/2])
			return errors.Join(err, c.conn.Close())
		},
		Shutdown: s.Shutdown,
	}
}

func numberedAdmission(i int) []byte {
	return bytes.ReplaceAll(admission, []byte("FJ-0001"), fmt.Appendf(nil, "FJ-%d", 10_000+i))
}

func harness() adaptertest.Harness {
	return adaptertest.Harness{
		Codec: &Codec{}, Party: fjellheim, Good: numberedAdmission,
		Malformed: header("PID|1", "?"),
		Oversized: func(n int) []byte {
			return append(bytes.Clone(admission), bytes.Repeat([]byte("NTE|1||mer\r"), n/11+1)...)
		},
		Start: func(t *testing.T, settings adaptertest.Settings) adaptertest.Server {
			s := &Server{Party: fjellheim, Intake: settings.Intake, MaxBytes: settings.MaxBytes, ReadTimeout: settings.ReadTimeout}
			return harnessServer(s, run(t, s))
		},
	}
}

func TestServer_Suite(t *testing.T) { adaptertest.RunServer(t, harness()) }

// start runs a server over a recorder and connects to it.
func start(t *testing.T, s *Server) (*adaptertest.Recorder, func() *client) {
	t.Helper()
	r := adaptertest.NewRecorder(&Codec{})
	s.Intake, s.Party = r, fjellheim
	address := run(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return r, func() *client {
		c, err := connect(ctx, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.conn.Close() })
		return c
	}
}

func (c *client) want(t *testing.T, kind adaptertest.ReplyKind) adaptertest.Reply {
	t.Helper()
	reply, err := c.answer()
	if err != nil {
		t.Fatal(err)
	}
	if reply.Kind != kind {
		t.Fatalf("the reply is %s, want %s", reply.Kind, kind)
	}
	return reply
}

func (c *client) write(t *testing.T, raw ...[]byte) {
	t.Helper()
	if _, err := c.conn.Write(bytes.Join(raw, nil)); err != nil {
		t.Fatal(err)
	}
}

func TestServer_PipelinedMessages_AnsweredInOrder(t *testing.T) {
	_, connect := start(t, &Server{})
	c := connect()
	for i := range 20 {
		c.write(t, []byte("\r\n"), framed(numberedAdmission(i)))
	}
	for i := range 20 {
		if reply := c.want(t, adaptertest.ReplyPositive); !bytes.Contains(reply.Bytes, fmt.Appendf(nil, "MSA|CA|FJ-%d\r", 10_000+i)) {
			t.Fatalf("answer %d is %q", i, reply.Bytes)
		}
	}
}

func TestServer_ClosesForAReason(t *testing.T) {
	for _, c := range []struct {
		name   string
		server *Server
		sent   []byte
		reason CloseReason
	}{
		{"garbage", &Server{}, bytes.Repeat([]byte("x"), garbageMax+2), CloseGarbage},
		{"silent", &Server{IdleTimeout: 50 * time.Millisecond}, nil, CloseIdle},
		{"stalled", &Server{ReadTimeout: 50 * time.Millisecond}, framed(admission)[:100], CloseSlow},
		{"oversized without header", &Server{MaxBytes: 5000}, framed(bytes.Repeat([]byte("x"), 6000)), CloseOversized},
		{"endless", &Server{MaxBytes: 5000, ReadTimeout: 200 * time.Millisecond}, framed(bytes.Repeat([]byte("x"), 6000))[:5900], CloseOversized},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &observer{}
			c.server.Observer = o
			_, connect := start(t, c.server)
			conn := connect()
			conn.write(t, c.sent)
			conn.want(t, adaptertest.ReplyNone)
			if got := o.reason(t); got != c.reason {
				t.Errorf("closed for %s, want %s", got, c.reason)
			}
		})
	}
}

func TestServer_OversizedThenGood_OnOneConnection(t *testing.T) {
	o := &observer{}
	_, connect := start(t, &Server{MaxBytes: 5000, Observer: o})
	c := connect()
	c.write(t, framed(harness().Oversized(6000)), framed(admission))
	reply := c.want(t, adaptertest.ReplyNegative)
	if !bytes.Contains(reply.Bytes, []byte("MSA|CR|FJ-0001\r")) || !bytes.Contains(reply.Bytes, []byte("too-large")) {
		t.Errorf("the answer is %q", reply.Bytes)
	}
	c.want(t, adaptertest.ReplyPositive)
}

func TestServer_ExactlyTheLimit_IsTaken(t *testing.T) {
	r, connect := start(t, &Server{MaxBytes: len(admission)})
	c := connect()
	c.write(t, framed(admission))
	c.want(t, adaptertest.ReplyPositive)
	c.write(t, framed(append(bytes.Clone(admission), 'Z')))
	c.want(t, adaptertest.ReplyNegative)
	if len(r.Taken()) != 1 {
		t.Error("one byte more was taken")
	}
}

func TestServer_EndBlockInsideMessage_IsRefusedByTheParser(t *testing.T) {
	r, connect := start(t, &Server{})
	c := connect()
	c.write(t, framed(header("NTE|1||a\x1cb")))
	c.want(t, adaptertest.ReplyNegative)
	if len(r.Taken()) != 1 {
		t.Error("the message was cut")
	}
}

func TestServer_TooManyConnections_TheLastIsClosed(t *testing.T) {
	o := &observer{}
	_, connect := start(t, &Server{MaxConnections: 1, Observer: o})
	first := connect()
	first.write(t, framed(admission))
	first.want(t, adaptertest.ReplyPositive)
	second := connect()
	second.want(t, adaptertest.ReplyNone)
	first.write(t, framed(admission))
	first.want(t, adaptertest.ReplyPositive)
	if got := o.reason(t); got != CloseTooMany {
		t.Errorf("closed for %s", got)
	}
}

func TestServer_PanicInIntake_ClosesThatConnectionOnly(t *testing.T) {
	o := &observer{}
	var log bytes.Buffer
	s := &Server{Observer: o, Party: fjellheim, Logger: slog.New(slog.NewTextHandler(&log, nil)), Intake: panicking{}}
	address := run(t, s)
	for range 2 {
		c, err := connect(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		c.write(t, framed(admission))
		c.want(t, adaptertest.ReplyNone)
		if got := o.reason(t); got != ClosePanic {
			t.Errorf("closed for %s", got)
		}
		_ = c.conn.Close()
	}
	if strings.Contains(log.String(), "MYRVANG") {
		t.Error("the log names the patient")
	}
}

type panicking struct{}

func (panicking) Take(_ context.Context, in adapters.Inbound) adapters.Answer { panic(string(in.Raw)) }

func TestServer_ShutdownRunsOut_NothingIsAnswered(t *testing.T) {
	r := adaptertest.NewRecorder(&Codec{})
	s := &Server{Party: fjellheim, Intake: r}
	address := run(t, s)
	release := r.Hold()
	defer release()
	c, err := connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	c.write(t, framed(admission))
	<-r.Entered()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown: %v", err)
	}
	c.want(t, adaptertest.ReplyNone)
}

func TestServer_ShutdownWithIdleConnections_IsQuick(t *testing.T) {
	o := &observer{}
	s := &Server{Observer: o, IdleTimeout: time.Hour}
	_, connect := start(t, s)
	c := connect()
	c.write(t, framed(admission))
	c.want(t, adaptertest.ReplyPositive)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if got := o.reason(t); got != CloseShutdown {
		t.Errorf("closed for %s", got)
	}
	c.want(t, adaptertest.ReplyNone)
}

// TestServer_BudgetUsedUp_ReadingStopsAndGoesOn fills the budget with half messages and
// then lets them all come to an end.
func TestServer_BudgetUsedUp_ReadingStopsAndGoesOn(t *testing.T) {
	const size = 64 << 10
	o := &observer{}
	r, connect := start(t, &Server{MaxBytes: size, Budget: transport.NewBudget(2*size, size), Observer: o, ReadTimeout: 10 * time.Second})
	big := func(i int) []byte {
		return append(numberedAdmission(i), bytes.Repeat([]byte("NTE|1||mer\r"), (size-3000)/11)...)
	}
	var group sync.WaitGroup
	for i := range 8 {
		c := connect()
		raw := framed(big(i))
		group.Go(func() {
			for part := range slices.Chunk(raw, 9000) {
				if _, err := c.conn.Write(part); err != nil {
					t.Error(err)
					return
				}
			}
			if reply, err := c.answer(); err != nil || reply.Kind != adaptertest.ReplyPositive {
				t.Errorf("message %d: %s %v", i, reply.Kind, err)
			}
		})
	}
	group.Wait()
	if len(r.Taken()) != 8 {
		t.Errorf("intake took %d of 8", len(r.Taken()))
	}
}

func TestServer_ListenRefusesWhatCannotTellCallers(t *testing.T) {
	intake := adaptertest.NewRecorder(&Codec{})
	byName := func(string) (handover.PartyID, bool) { return "", false }
	for name, s := range map[string]*Server{
		"no intake":        {Party: fjellheim},
		"no party":         {Intake: intake},
		"both":             {Intake: intake, Party: fjellheim, PartyOf: byName},
		"names, no TLS":    {Intake: intake, PartyOf: byName},
		"names, no demand": {Intake: intake, PartyOf: byName, TLS: testServerTLS(t, 0)},
	} {
		if _, err := s.Listen(); err == nil {
			t.Errorf("%s: a listener was opened", name)
		}
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add(framed(admission))
	f.Add([]byte("\r\n\x0bMSH\x1cx\x1c\r\x0b"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		in := incoming{bufio.NewReaderSize(bytes.NewReader(raw), 16), func(bool) {}}
		for started := false; ; {
			if !started {
				if _, err := awaitFrame(in.Reader); err != nil {
					return
				}
			}
			got, restarted, err := in.readFrame(64, func(int) error { return nil })
			if len(got) > 64 || bytes.IndexByte(got, startBlock) >= 0 {
				t.Fatalf("%q was read with a limit of 64", got)
			}
			if errors.Is(err, errOversized) {
				if restarted, err = in.passFrame(256, io.Discard); err != nil {
					return
				}
			}
			if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatal(err)
			}
			started = restarted
		}
	})
}

// A start block begins a message, also inside one: what came before is counted as refused and
// not answered, and what follows is taken.
func TestServer_StartBlockInsideAFrame_BeginsAnother(t *testing.T) {
	var log bytes.Buffer
	r, connect := start(t, &Server{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	c := connect()
	c.write(t, framed(admission)[:150], framed(numberedAdmission(1)))
	if reply := c.want(t, adaptertest.ReplyPositive); !bytes.Contains(reply.Bytes, []byte("|FJ-10001\r")) {
		t.Errorf("the answer is %q", reply.Bytes)
	}
	if taken := r.Taken(); len(taken) != 1 || !bytes.Equal(taken[0].In.Raw, numberedAdmission(1)) {
		t.Errorf("%d messages were taken", len(taken))
	}
	broken := r.Broken()
	if len(broken) != 1 || !bytes.Equal(broken[0].In.Raw, admission[:149]) || broken[0].In.Broken.Kind != handover.FaultMalformed || broken[0].In.Caller != fjellheim {
		t.Fatalf("%d broken messages are counted", len(broken))
	}
	if !strings.Contains(log.String(), "broken off") || !strings.Contains(log.String(), "peer="+c.conn.LocalAddr().String()) {
		t.Errorf("the log is %q", log.String())
	}
}

// Padding between frames is passed over without end, and an end block is an end without its
// carriage return too.
func TestServer_ToleratesWhatSendersDoBetweenFrames(t *testing.T) {
	_, connect := start(t, &Server{})
	c := connect()
	c.write(t, bytes.Repeat([]byte("\r\n\x00 \n"), 5*garbageMax), []byte{startBlock}, numberedAdmission(1), []byte{endBlock})
	c.want(t, adaptertest.ReplyPositive)
	c.write(t, []byte{startBlock}, numberedAdmission(2), []byte{endBlock, '\n'}, []byte{startBlock}, numberedAdmission(3), []byte{endBlock}, framed(numberedAdmission(4)))
	for range 3 {
		c.want(t, adaptertest.ReplyPositive)
	}
}

// Invariant 2: what is refused for its size, or has no end, is counted, with its size and digest.
func TestInvariant2_WhatWasNotTakenWholeIsCounted(t *testing.T) {
	r, connect := start(t, &Server{MaxBytes: 5000})
	c := connect()
	oversized := harness().Oversized(6000)
	c.write(t, framed(oversized))
	c.want(t, adaptertest.ReplyNegative)
	c.write(t, framed(admission)[:200])
	if err := c.conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.want(t, adaptertest.ReplyNone)
	broken := r.Broken()
	if len(broken) != 2 {
		t.Fatalf("%d are counted", len(broken))
	}
	for i, whole := range [][]byte{oversized, admission[:199]} {
		f := broken[i].In.Broken
		if want := fmt.Sprintf("%d", len(whole)); !strings.Contains(f.Text, want) || !strings.Contains(f.Text, string(message.DigestOf(whole))) {
			t.Errorf("%q does not tell %s and the digest", f.Text, want)
		}
		if len(broken[i].In.Raw) > headerBytes {
			t.Errorf("%d bytes are kept", len(broken[i].In.Raw))
		}
	}
}

// observer keeps the reasons for which connections were closed.
type observer struct {
	once   sync.Once
	closed chan CloseReason
}

func (o *observer) reasons() chan CloseReason {
	o.once.Do(func() { o.closed = make(chan CloseReason, 100) })
	return o.closed
}

func (o *observer) reason(t *testing.T) CloseReason {
	t.Helper()
	select {
	case r := <-o.reasons():
		return r
	case <-time.After(10 * time.Second):
		t.Fatal("no connection was closed")
		return ""
	}
}

func (o *observer) ConnectionOpened()                                    {}
func (o *observer) ConnectionClosed(r CloseReason)                       { o.reasons() <- r }
func (o *observer) MessageAnswered(adapters.Outcome, int, time.Duration) {}
func (o *observer) ReadingStopped()                                      {}

// Waiting for the carriage return that does not come leaves a TLS connection whole.
func TestServer_EndWithoutReturn_OverTLS(t *testing.T) {
	r := adaptertest.NewRecorder(&Codec{})
	address := run(t, &Server{Intake: r, Party: fjellheim, TLS: testServerTLS(t, tls.NoClientCert)})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(ctx, conn)
	t.Cleanup(func() { _ = conn.Close() })
	for i := range 3 {
		c.write(t, []byte{startBlock}, numberedAdmission(i), []byte{endBlock})
		c.want(t, adaptertest.ReplyPositive)
	}
	if len(r.Taken()) != 3 {
		t.Errorf("%d messages were taken", len(r.Taken()))
	}
}
