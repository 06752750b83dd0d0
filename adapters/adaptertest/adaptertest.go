// Package adaptertest is the suite that every wire passes: RunServer for what receives,
// RunCodec for what reads and writes, RunRules for what the wire prescribes. It holds the acknowledgement rule of package
// adapters from the outside, through real sockets.
package adaptertest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"stafett/adapters"
	"stafett/handover"
)

// ReplyKind is what a sender can conclude from what came back.
type ReplyKind string

// The kinds of reply.
const (
	// ReplyPositive: stored; the sender may forget the message (MLLP AA/CA, HTTP 2xx).
	ReplyPositive ReplyKind = "positive"
	// ReplyNegative: not taken, with a reason; sending it again is no use (MLLP AE/AR/CE/CR,
	// HTTP 4xx).
	ReplyNegative ReplyKind = "negative"
	// ReplyNone: nothing, or "try later"; the sender keeps the message (MLLP closed
	// unanswered, HTTP 5xx, 429 or closed).
	ReplyNone ReplyKind = "none"
)

// Reply is what came back for one message.
type Reply struct {
	Kind ReplyKind
	// Bytes is the whole answer, empty where the wire answers by status.
	Bytes []byte
}

// Settings are what the suite needs of the server under test.
type Settings struct {
	Intake adapters.Intake
	// MaxBytes is the limit of one message.
	MaxBytes int
	// ReadTimeout is how long one message may take to arrive, from its first byte.
	ReadTimeout time.Duration
}

// Server is one running server and its clients. Each call uses a connection of its own.
// An error means that the client could not do its part; a connection that the server
// closed without an answer is ReplyNone.
type Server struct {
	// Send sends raw and reads the answer.
	Send func(ctx context.Context, raw []byte) (Reply, error)
	// SendSlowly sends raw with Trickle, and reads the answer.
	SendSlowly func(ctx context.Context, raw []byte) (Reply, error)
	// HangUp sends the first half of raw and closes the connection.
	HangUp func(ctx context.Context, raw []byte) error
	// Shutdown stops the server gracefully: it returns when the messages in hand are
	// answered, or with ctx's error.
	Shutdown func(ctx context.Context) error
}

// Harness joins one wire to the suite.
type Harness struct {
	// Codec makes the answers that the suite's intake gives.
	Codec adapters.Codec
	// Start starts a server on 127.0.0.1 port 0 and stops it when t ends.
	Start func(t *testing.T, s Settings) Server
	// Good makes the i-th of any number of good messages, each with an id of its own and
	// of some hundred bytes to a few thousand.
	Good func(i int) []byte
	// Malformed is a message that Codec refuses.
	Malformed []byte
	// Oversized makes a message of more than n bytes, else good.
	Oversized func(n int) []byte
	// Party is what Inbound.Caller must be.
	Party handover.PartyID
}

const (
	testTimeout = 30 * time.Second
	maxBytes    = 64 << 10
	readTimeout = time.Second
)

// Trickle writes raw byte by byte, with a pause between, until it is written, w fails or
// ctx ends. It is how a slow sender sends.
func Trickle(ctx context.Context, w io.Writer, raw []byte) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := range raw {
		if _, err := w.Write(raw[i : i+1]); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// RunServer runs the suite against a wire's server.
func RunServer(t *testing.T, h Harness) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, h Harness)
	}{
		{"Invariant1_AnswerOnlyAfterIntake", answerAfterIntake},
		{"StoredIsPositive_BytesAndCallerExact", storedIsPositive},
		{"RefusedIsNegative_UnansweredIsNone", outcomesAreTold},
		{"MalformedReachesIntakeAndIsNegative", malformedIsTold},
		{"RepeatGetsFirstAnswer", repeatIsIdentical},
		{"OversizedIsRefused_ServerLives", oversizedIsRefused},
		{"SlowSenderTimesOut_OthersGoOn", slowSenderTimesOut},
		{"HangUpStoresNothing_ServerLives", hangUpStoresNothing},
		{"ConcurrentSendersGetTheirOwnAnswers", concurrentSenders},
		{"ShutdownAnswersMessageInHand", shutdownAnswers},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, h) })
	}
}

// start starts a server over a new recorder.
func (h Harness) start(t *testing.T) (Server, *Recorder, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	t.Cleanup(cancel)
	r := NewRecorder(h.Codec)
	return h.Start(t, Settings{Intake: r, MaxBytes: maxBytes, ReadTimeout: readTimeout}), r, ctx
}

// send sends raw and requires an answer of kind.
func send(ctx context.Context, t *testing.T, s Server, raw []byte, kind ReplyKind) Reply {
	t.Helper()
	reply, err := s.Send(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	if reply.Kind != kind {
		t.Fatalf("the reply is %s, want %s", reply.Kind, kind)
	}
	return reply
}

// sent is the result of a send in another goroutine.
type sent struct {
	reply Reply
	err   error
}

func sendLater(ctx context.Context, s Server, raw []byte) <-chan sent {
	done := make(chan sent, 1)
	go func() {
		reply, err := s.Send(ctx, raw)
		done <- sent{reply, err}
	}()
	return done
}

// Invariant 1: no positive answer leaves before the commit.
func answerAfterIntake(t *testing.T, h Harness) {
	s, r, ctx := h.start(t)
	release := r.Hold()
	defer release()
	done := sendLater(ctx, s, h.Good(0))
	r.waitEntered(ctx, t)
	select {
	case got := <-done:
		t.Fatalf("%s %v came before intake returned", got.reply.Kind, got.err)
	case <-time.After(100 * time.Millisecond):
	}
	release()
	if got := <-done; got.err != nil || got.reply.Kind != ReplyPositive {
		t.Fatalf("after intake returned: %s %v", got.reply.Kind, got.err)
	}
}

func storedIsPositive(t *testing.T, h Harness) {
	s, r, ctx := h.start(t)
	raw := h.Good(0)
	reply := send(ctx, t, s, raw, ReplyPositive)
	taken := r.Taken()
	if len(taken) != 1 {
		t.Fatalf("intake took %d messages", len(taken))
	}
	in := taken[0].In
	if !bytes.Equal(in.Raw, raw) {
		t.Error("intake's bytes are not those that were sent")
	}
	if in.Caller != h.Party || in.Wire != h.Codec.Wire() || in.ReceivedAt.IsZero() || in.Correlation == "" {
		t.Errorf("intake was not told who sent what and when: caller %q, wire %q, at %v, correlation %q",
			in.Caller, in.Wire, in.ReceivedAt, in.Correlation)
	}
	if !bytes.Equal(reply.Bytes, taken[0].Answer.Bytes) {
		t.Error("the answer's bytes are not intake's")
	}
}

func outcomesAreTold(t *testing.T, h Harness) {
	s, r, ctx := h.start(t)
	for i, kind := range handover.FaultKinds() {
		if kind == handover.FaultIllegal {
			continue // HL7 v2 and KITH receipt it as read
		}
		r.RefuseWith(&handover.Fault{Kind: kind, Text: "made by the suite"})
		reply, err := s.Send(ctx, h.Good(i))
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		want := ReplyNegative
		if kind.Temporary() {
			want = ReplyNone
		}
		if reply.Kind != want {
			t.Errorf("%s: the reply is %s, want %s", kind, reply.Kind, want)
		}
	}
	r.RefuseWith(nil)
	send(ctx, t, s, h.Good(1000), ReplyPositive)
}

func malformedIsTold(t *testing.T, h Harness) {
	s, r, ctx := h.start(t)
	send(ctx, t, s, h.Malformed, ReplyNegative)
	if taken := r.Taken(); len(taken) != 1 || taken[0].Answer.Outcome != adapters.OutcomeRefused {
		t.Error("a malformed message is intake's to refuse, so that it is recorded")
	}
	send(ctx, t, s, h.Good(0), ReplyPositive)
}

func repeatIsIdentical(t *testing.T, h Harness) {
	s, r, ctx := h.start(t)
	first := send(ctx, t, s, h.Good(0), ReplyPositive)
	send(ctx, t, s, h.Good(1), ReplyPositive)
	second := send(ctx, t, s, h.Good(0), ReplyPositive)
	if !bytes.Equal(first.Bytes, second.Bytes) {
		t.Error("a repeat is answered with other bytes")
	}
	if len(r.Taken()) != 3 {
		t.Error("repeats are intake's to find, not the server's")
	}
}

func oversizedIsRefused(t *testing.T, h Harness) {
	s, r, ctx := h.start(t)
	for _, n := range []int{maxBytes, 4 * maxBytes} {
		send(ctx, t, s, h.Oversized(n), ReplyNegative)
	}
	for _, taken := range r.Taken() {
		if len(taken.In.Raw) > maxBytes {
			t.Error("an oversized message was handed to intake")
		}
	}
	send(ctx, t, s, h.Good(0), ReplyPositive)
}

func slowSenderTimesOut(t *testing.T, h Harness) {
	s, r, ctx := h.start(t)
	raw := h.Good(0)
	done := make(chan sent, 1)
	started := time.Now()
	go func() {
		reply, err := s.SendSlowly(ctx, raw)
		done <- sent{reply, err}
	}()
	others := 0
	for i := 1; ; i++ {
		select {
		case got := <-done:
			if got.err != nil || got.reply.Kind == ReplyPositive {
				t.Fatalf("a sender of one byte at a time got %s, %v", got.reply.Kind, got.err)
			}
			if whole := time.Duration(len(raw)) * 20 * time.Millisecond; time.Since(started) >= whole {
				t.Fatalf("the sender was not stopped before it was done: %v", time.Since(started))
			}
			if others == 0 {
				t.Fatal("no other sender was served meanwhile")
			}
			if len(r.Taken()) != others {
				t.Error("a part of a message was handed to intake")
			}
			return
		default:
			send(ctx, t, s, h.Good(i%50), ReplyPositive)
			others++
		}
	}
}

func hangUpStoresNothing(t *testing.T, h Harness) {
	s, r, ctx := h.start(t)
	for i := range 5 {
		if err := s.HangUp(ctx, h.Good(i)); err != nil {
			t.Fatal(err)
		}
	}
	send(ctx, t, s, h.Good(100), ReplyPositive)
	for _, taken := range r.Taken() {
		if !bytes.Equal(taken.In.Raw, h.Good(100)) {
			t.Error("half a message was handed to intake")
		}
	}
}

func concurrentSenders(t *testing.T, h Harness) {
	s, r, ctx := h.start(t)
	const senders, each = 8, 10
	failed := make(chan error, senders)
	for n := range senders {
		go func() {
			for i := range each {
				raw := h.Good(n*each + i)
				reply, err := s.Send(ctx, raw)
				if err == nil {
					err = r.checkOwn(raw, reply)
				}
				if err != nil {
					failed <- fmt.Errorf("sender %d, message %d: %w", n, i, err)
					return
				}
			}
			failed <- nil
		}()
	}
	for range senders {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	if got := len(r.Taken()); got != senders*each {
		t.Errorf("intake took %d messages of %d", got, senders*each)
	}
}

func shutdownAnswers(t *testing.T, h Harness) {
	s, r, ctx := h.start(t)
	release := r.Hold()
	defer release()
	done := sendLater(ctx, s, h.Good(0))
	r.waitEntered(ctx, t)
	stopped := make(chan error, 1)
	go func() { stopped <- s.Shutdown(ctx) }()
	select {
	case err := <-stopped:
		t.Fatalf("the server stopped with a message in hand: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	release()
	if got := <-done; got.err != nil || got.reply.Kind != ReplyPositive {
		t.Errorf("the message in hand got %s, %v", got.reply.Kind, got.err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if reply, err := s.Send(ctx, h.Good(1)); err == nil && reply.Kind != ReplyNone {
		t.Errorf("a stopped server answered %s", reply.Kind)
	}
}
