package adaptertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"stafett/adapters"
	"stafett/handover"
	"stafett/message"
)

// Recorder is an intake that keeps what it was given in memory and answers as a gateway
// would: what its codec cannot read is refused, a repeat of the same bytes gets the first
// answer. Its clock goes a minute forward at each message, so that an answer that is made
// anew differs from the first. It is safe for concurrent use.
type Recorder struct {
	codec   adapters.Codec
	entered chan struct{}

	mu     sync.Mutex
	now    time.Time
	broken []Taken
	taken  []Taken
	first  map[handover.Digest]adapters.Answer
	refuse *handover.Fault
	hold   chan struct{}
}

// Taken is one message and what was answered.
type Taken struct {
	In     adapters.Inbound
	Answer adapters.Answer
}

var _ adapters.Intake = (*Recorder)(nil)

// NewRecorder returns a recorder that takes all that codec can read.
func NewRecorder(codec adapters.Codec) *Recorder {
	return &Recorder{codec: codec, entered: make(chan struct{}, 10_000),
		now:   time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC),
		first: map[handover.Digest]adapters.Answer{}}
}

// RefuseWith makes every later message fail with fault; nil ends that.
func (r *Recorder) RefuseWith(fault *handover.Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = fault
}

// Hold makes Take wait until release is called, which may be called twice.
func (r *Recorder) Hold() (release func()) {
	hold := make(chan struct{})
	r.mu.Lock()
	r.hold = hold
	r.mu.Unlock()
	return sync.OnceFunc(func() {
		r.mu.Lock()
		r.hold = nil
		r.mu.Unlock()
		close(hold)
	})
}

// Entered gives one value for each Take that has begun.
func (r *Recorder) Entered() <-chan struct{} { return r.entered }

// Taken returns what was taken so far, in the order of answering.
func (r *Recorder) Taken() []Taken {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Taken(nil), r.taken...)
}

// Take implements adapters.Intake.
func (r *Recorder) Take(ctx context.Context, in adapters.Inbound) adapters.Answer {
	if in.Broken != nil {
		return r.takeBroken(in)
	}
	r.mu.Lock()
	hold := r.hold
	r.mu.Unlock()
	select {
	case r.entered <- struct{}{}:
	default:
	}
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return adapters.Answer{Outcome: adapters.OutcomeUnanswered, Fault: &handover.Fault{Kind: handover.FaultTemporary, Err: ctx.Err()}}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	// The server may reuse its buffer after Take; a real intake has stored the bytes.
	in.Raw = bytes.Clone(in.Raw)
	digest := message.DigestOf(in.Raw)
	answer, repeated := r.first[digest]
	if !repeated {
		answer = r.answer(in, handover.MessageID(fmt.Sprintf("m-%d", len(r.taken)+1)))
		if answer.Outcome == adapters.OutcomeStored {
			r.first[digest] = answer
		}
	}
	r.taken = append(r.taken, Taken{in, answer})
	return answer
}

// takeBroken refuses what a wire did not take whole, and keeps it apart.
func (r *Recorder) takeBroken(in adapters.Inbound) adapters.Answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	in.Raw = bytes.Clone(in.Raw)
	m, _ := r.codec.Decode(in.Raw, message.DefaultLimits())
	env, _ := r.codec.Envelope(m)
	answer := adapters.Answer{Outcome: adapters.OutcomeRefused, Fault: in.Broken, Bytes: r.codec.Answer(env, "", in.Broken, r.now)}
	r.broken = append(r.broken, Taken{in, answer})
	return answer
}

// Broken returns what wires did not take whole, in order.
func (r *Recorder) Broken() []Taken {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Taken(nil), r.broken...)
}

// answer decides about a message that was not seen before.
func (r *Recorder) answer(in adapters.Inbound, id handover.MessageID) adapters.Answer {
	r.now = r.now.Add(time.Minute)
	m, err := r.codec.Decode(in.Raw, message.DefaultLimits())
	env, envErr := r.codec.Envelope(m)
	if err == nil {
		err = envErr
	}
	fault := handover.FaultOf(err)
	if r.refuse != nil {
		fault = r.refuse
	}
	switch {
	case fault == nil:
		return adapters.Answer{Outcome: adapters.OutcomeStored, Message: id, Bytes: r.codec.Answer(env, id, nil, r.now)}
	case fault.Kind.Temporary():
		return adapters.Answer{Outcome: adapters.OutcomeUnanswered, Fault: fault}
	}
	return adapters.Answer{Outcome: adapters.OutcomeRefused, Message: id, Fault: fault, Bytes: r.codec.Answer(env, id, fault, r.now)}
}

// waitEntered waits until one more Take has begun.
func (r *Recorder) waitEntered(ctx context.Context, t *testing.T) {
	t.Helper()
	select {
	case <-r.entered:
	case <-ctx.Done():
		t.Fatal("intake was not called")
	}
}

// checkOwn reports whether reply is the answer to raw and to no other message.
func (r *Recorder) checkOwn(raw []byte, reply Reply) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if reply.Kind != ReplyPositive {
		return fmt.Errorf("the reply is %s", reply.Kind)
	}
	if !bytes.Equal(reply.Bytes, r.first[message.DigestOf(raw)].Bytes) {
		return errors.New("the answer is another message's")
	}
	return nil
}
