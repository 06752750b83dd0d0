// Package intake is the door for messages of the wires: HL7 v2 and KITH. Its stages stand in
// take, one file each: decode and identify (identify.go), translate and validate
// (translate.go), settle (settle.go). What does not pass ends in conclude.go.
package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"stafett/adapters"
	"stafett/conformance"
	"stafett/directory"
	"stafett/fhir"
	"stafett/gateway/act"
	"stafett/gateway/kernel"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
	"stafett/message"
)

// Intake takes messages. Its methods are safe for concurrent use.
type Intake struct {
	k         *kernel.Kernel
	limits    message.Limits
	validator func(*fhir.Node) []conformance.Issue
	waiting   waitingRoom
	inHand    sync.WaitGroup
	// heavy has a place for each large message that is in hand: the others pass.
	heavy chan struct{}
}

// A message over heavyBytes is taken beside at most heavyAtOnce-1 others of that size, so that
// a few of them hold up no small one, and their trees have a bound.
const (
	heavyBytes  = 64 << 10
	heavyAtOnce = 2
)

var _ adapters.Intake = (*Intake)(nil)

// New makes an intake; the zero Limits are the default ones.
func New(k *kernel.Kernel, limits message.Limits) *Intake {
	if limits == (message.Limits{}) {
		limits = message.DefaultLimits()
	}
	return &Intake{k: k, limits: limits, validator: conformance.Validate, heavy: make(chan struct{}, heavyAtOnce)}
}

// taking is one message on its way through intake; each stage fills its part.
type taking struct {
	in    adapters.Inbound
	now   time.Time
	codec adapters.Codec
	row   ledger.Message

	tree     *message.Message  // decode
	env      adapters.Envelope // decode
	sender   directory.Party   // identify
	receiver handover.PartyID  // identify; empty when the message names none
	content  account.Canonical // translate
	report   account.Report    // translate
	again    bool              // a kept message that is tried again
	parkedOn handover.ID       // whose attention it raised when it was kept
	person   string            // the named person who had it tried again
	rerouted handover.PartyID  // the receiver that person chose
	verdict  act.Verdict       // what that person said of the patient
	checked  bool              // identify: the wire's own checks found the fault
	ours     bool              // translate, validate: the fault is our own mapping's or code's
	copies   []handover.PartyID
	unread   bool            // it goes on as it came, because nothing here reads it
	unknown  *handover.Fault // identify: it is of a format that nothing here reads
}

// Take is intake. It returns only after the commit, or unanswered (invariant 1).
func (g *Intake) Take(ctx context.Context, in adapters.Inbound) adapters.Answer {
	g.inHand.Add(1)
	defer g.inHand.Done()
	t := g.begin(in)
	if len(in.Raw) > heavyBytes {
		select {
		case g.heavy <- struct{}{}:
			defer func() { <-g.heavy }()
		case <-ctx.Done():
			return unanswered(t, &handover.Fault{Kind: handover.FaultTemporary, Op: "intake.Take", Err: ctx.Err()})
		}
	}
	defer func() { g.k.Observe.Took(in.Wire, t.row.Disposition, g.k.Now().Sub(t.now)) }()
	return g.takeSafely(ctx, t)
}

// Drain waits until what intake has in hand is answered.
func (g *Intake) Drain() { g.inHand.Wait() }

// takeSafely leaves a message that panics unanswered: its sender still owns it.
func (g *Intake) takeSafely(ctx context.Context, t *taking) (answer adapters.Answer) {
	defer func() {
		if p := recover(); p != nil {
			g.k.Log.Error("intake panicked", "correlation", t.in.Correlation, "panic", fmt.Sprintf("%T", p))
			answer = unanswered(t, &handover.Fault{Kind: handover.FaultUnknown, Op: "intake.Take", Text: "panic"})
		}
	}()
	if in := t.in; in.Broken != nil {
		return g.conclude(ctx, t, g.broken(ctx, t))
	}
	return g.take(ctx, t)
}

// broken is the fault of a message that its wire did not take whole; what its start says of
// its sender is read for the record.
func (g *Intake) broken(ctx context.Context, t *taking) error {
	_ = g.decode(ctx, t) // the wire knows better what is wrong
	g.believeCaller(t)
	return t.in.Broken
}

// take is the list of intake's stages.
func (g *Intake) take(ctx context.Context, t *taking) adapters.Answer {
	for _, stage := range []func(context.Context, *taking) error{
		g.decode, g.identify, g.translate, g.validate, g.settle,
	} {
		if err := stage(ctx, t); err != nil {
			return g.conclude(ctx, t, err)
		}
	}
	return stored(t)
}

func (g *Intake) begin(in adapters.Inbound) *taking {
	now := g.k.Now()
	if in.ReceivedAt.IsZero() {
		in.ReceivedAt = now
	}
	return &taking{in: in, now: now, codec: g.codecOf(in), row: ledger.Message{
		ID: handover.MessageID(kernel.NewID()), Caller: in.Caller, Wire: in.Wire,
		Digest: message.DigestOf(in.Raw), Raw: in.Raw,
		ReceivedAt: in.ReceivedAt.UTC(), Correlation: in.Correlation,
	}}
}

// codecOf is the wire's codec, as the caller's settings have it.
func (g *Intake) codecOf(in adapters.Inbound) adapters.Codec {
	codec := g.k.Codec(in.Wire)
	tuned, ok := codec.(adapters.Tuned)
	party, _ := g.k.Directory.Party(in.Caller)
	settings := adapters.Settings{Charset: party.HL7.Charset, RefuseFeed: party.HL7.RefuseFeed}
	if !ok || settings == (adapters.Settings{}) {
		return codec
	}
	return tuned.As(settings)
}

// incoming is the message as a plan takes it.
func (t *taking) incoming() act.Incoming {
	t.describe()
	owed := t.codec != nil && !t.codec.FastReceipt() && t.env.Receipt == nil
	in := act.Incoming{Row: t.row, Copies: t.copies, ReceiptOwed: owed, Unread: t.unread, Again: t.again, ParkedOn: t.parkedOn, Person: t.person,
		Sender: t.sender, Receiver: t.receiver, Rerouted: t.rerouted != "", Verdict: t.verdict, Feed: t.feeds(), Ours: t.ours, Content: t.content,
		RefusesIllegal: t.codec != nil && t.codec.Refuses(handover.FaultIllegal)}
	in.References = slices.DeleteFunc([]string{t.env.Parent, t.env.Conversation}, func(ref string) bool { return ref == "" })
	return in
}

// feeds reports whether the message's wire tells of every patient.
func (t *taking) feeds() bool {
	_, ok := t.codec.(adapters.Feeder)
	return ok
}

// describe puts what the envelope and the report say on the message's row.
func (t *taking) describe() {
	t.row.ExternalID, t.row.Conversation = externalID(t.env.ID, t.in.Raw), t.env.Conversation
	if t.codec != nil {
		t.row.Type = t.codec.TypeCode(t.env.Type)
	}
	t.row.Envelope, _ = json.Marshal(t.env) // texts always can be marshalled
	if len(t.report.Fates) > 0 {
		t.row.Report, _ = json.Marshal(t.report)
	}
}

// answer makes the positive transport answer, once: a message tried again keeps its first.
func (t *taking) answer() {
	if !t.again {
		t.row.Answer = t.codec.Answer(t.env, t.row.ID, nil, t.now)
	}
}

func stored(t *taking) adapters.Answer {
	return adapters.Answer{Outcome: adapters.OutcomeStored, Bytes: t.row.Answer, Message: t.row.ID}
}

func unanswered(t *taking, f *handover.Fault) adapters.Answer {
	t.row.Disposition = ""
	return adapters.Answer{Outcome: adapters.OutcomeUnanswered, Fault: f}
}
