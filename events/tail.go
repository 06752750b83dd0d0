package events

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"stafett/handover"
)

// Msg is one event as a subscriber meets it.
type Msg struct {
	// Sequence is the stream's own: in a party's account it counts that party's events
	// without gaps, and is what a subscriber keeps.
	Sequence uint64
	// Ledger is the ledger's sequence.
	Ledger  int64
	ID      string
	Type    string
	Subject string
	Time    time.Time
	Data    []byte
}

// TailOptions say what to follow.
type TailOptions struct {
	Connect Connect
	// Party is whose account the credentials are for; it chooses the inbox.
	Party handover.PartyID
	// From is the stream's first sequence wanted, the last one kept plus one; 0 for new ones only.
	From uint64
	// Subject narrows what is followed; empty for all.
	Subject string
	// Until ends the tail after the stream's last sequence at the start, instead of following.
	Until bool
}

// consumer is the ordered consumer that opts ask for.
func (opts TailOptions) consumer() jetstream.OrderedConsumerConfig {
	cfg := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverNewPolicy, MaxResetAttempts: -1}
	if opts.From > 0 {
		cfg.DeliverPolicy, cfg.OptStartSeq = jetstream.DeliverByStartSequencePolicy, opts.From
	}
	if opts.Subject != "" {
		cfg.FilterSubjects = []string{opts.Subject}
	}
	return cfg
}

// Tail follows a stream as any subscriber would, over the network with its own
// credentials, and calls f with each event in order. A failure of f ends it. An ordered
// consumer starts again by itself where it was after a lost connection.
func Tail(ctx context.Context, opts TailOptions, f func(Msg) error) error {
	conn, err := dial(opts.Connect, nats.CustomInboxPrefix(inboxPrefix(opts.Party)))
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := streams(conn)
	if err != nil {
		return err
	}
	consumer, err := js.OrderedConsumer(ctx, StreamName, opts.consumer())
	if err != nil {
		return fmt.Errorf("events: follow: %w", err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("events: follow: %w", err)
	}
	defer messages.Stop()
	pending := consumer.CachedInfo().NumPending
	for !opts.Until || pending > 0 {
		raw, err := messages.Next(jetstream.NextContext(ctx))
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, jetstream.ErrNoHeartbeat) {
			continue
		}
		if err != nil {
			return fmt.Errorf("events: follow: %w", err)
		}
		meta, err := raw.Metadata()
		if err != nil {
			return fmt.Errorf("events: follow: %w", err)
		}
		if err := f(msgOf(raw, meta)); err != nil {
			return err
		}
		pending = meta.NumPending
	}
	return nil
}

func msgOf(raw jetstream.Msg, meta *jetstream.MsgMetadata) Msg {
	h := raw.Headers()
	at, _ := time.Parse(time.RFC3339Nano, h.Get(headerTime))
	return Msg{Sequence: meta.Sequence.Stream, Ledger: sequenceOf(h), ID: h.Get(headerID), Type: h.Get(headerType),
		Subject: raw.Subject(), Time: at, Data: raw.Data()}
}
