package events

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"stafett/handover"
)

// requiredStream is the gateway's stream: nothing in it expires, is thrown out or can be
// deleted, so that its sequence can be the ledger's.
func requiredStream(replicas int, duplicates time.Duration) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: StreamName, Description: "Handover events in ledger order; the sequence is the ledger's.",
		Subjects: []string{subjectAll}, Retention: jetstream.LimitsPolicy, Storage: jetstream.FileStorage,
		Discard: jetstream.DiscardNew, Replicas: replicas, Duplicates: duplicates,
		MaxConsumers: -1, MaxMsgs: -1, MaxBytes: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1,
		DenyDelete: true, DenyPurge: true,
	}
}

// weaker names the first setting of have that promises less than want.
func weaker(have, want jetstream.StreamConfig) error {
	checks := []struct {
		name string
		ok   bool
	}{
		{"storage", have.Storage == want.Storage},
		{"replicas", have.Replicas >= want.Replicas},
		{"retention", have.Retention == want.Retention},
		{"discard", have.Discard == want.Discard},
		{"max_age", have.MaxAge == 0},
		{"max_msgs", have.MaxMsgs <= 0},
		{"max_bytes", have.MaxBytes <= 0},
		{"max_msgs_per_subject", have.MaxMsgsPerSubject <= 0},
		{"max_msg_size", have.MaxMsgSize <= 0},
		{"deny_delete", have.DenyDelete},
		{"deny_purge", have.DenyPurge},
		{"no_ack", !have.NoAck},
		{"sealed", !have.Sealed},
		{"persist_mode", want.PersistMode == jetstream.AsyncPersistMode || have.PersistMode == jetstream.DefaultPersistMode},
		{"duplicate_window", have.Duplicates >= want.Duplicates},
		{"rollup", !have.AllowRollup},
		{"message ttl", !have.AllowMsgTTL},
		{"first_seq", have.FirstSeq <= 1},
		{"mirror or sources", have.Mirror == nil && len(have.Sources) == 0},
		{"subjects", len(have.Subjects) == len(want.Subjects)},
	}
	for _, c := range checks {
		if !c.ok {
			return fmt.Errorf("%w: %s of stream %s", ErrWeakStream, c.name, have.Name)
		}
	}
	return nil
}

// awaitStream is ensureStream with patience: a cluster that has just started has no
// leader to ask for some seconds.
func (b *Bus) awaitStream(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWait)
	defer cancel()
	var last error
	err := untilLoud(ctx, func(ctx context.Context) error {
		// A server without a leader does not answer at all, so each try has its own end.
		try, done := context.WithTimeout(ctx, 2*time.Second)
		defer done()
		if _, last = b.ensureStream(try); last == nil {
			cancel()
		}
		return last
	}, func(error) {})
	if err != nil {
		return err
	}
	return last
}

// ensureStream makes the gateway's stream, or refuses one that is weaker.
func (b *Bus) ensureStream(ctx context.Context) (jetstream.Stream, error) {
	if err := b.checkSync(ctx); err != nil {
		return nil, err
	}
	js, err := streams(b.conn)
	if err != nil {
		return nil, err
	}
	want := requiredStream(b.replicas, b.duplicates)
	st, err := ensure(ctx, js, want)
	if err != nil {
		return nil, err
	}
	have := st.CachedInfo().Config
	if have.Subjects[0] != subjectAll || have.SubjectTransform != nil {
		return nil, fmt.Errorf("%w: subjects of stream %s", ErrWeakStream, StreamName)
	}
	return st, nil
}

// ensurePartyStream makes the stream in a party's account. It takes events on a secret
// subject and renames them as they are stored: whoever reads the account can make the
// server publish an answer on a subject of the reader's choice, and must not hit this one.
func (b *Bus) ensurePartyStream(ctx context.Context, party handover.PartyID) (jetstream.JetStream, jetstream.Stream, error) {
	conn := b.parties[party]
	if conn == nil {
		return nil, nil, fmt.Errorf("events: party %s has no account", party)
	}
	js, err := streams(conn)
	if err != nil {
		return nil, nil, err
	}
	ingest := "ingest." + nuid.Next() + "."
	want := requiredStream(b.replicas, b.duplicates)
	want.Description = "Handover events that the party takes part in, in ledger order."
	want.Subjects = []string{ingest + ">"}
	want.SubjectTransform = &jetstream.SubjectTransformConfig{Source: ingest + subjectAll, Destination: subjectAll}
	if b.replicas == 1 {
		// A copy of a copy: the tail that a power failure takes is filled in again.
		want.PersistMode = jetstream.AsyncPersistMode
	}
	st, err := ensure(ctx, js, want)
	return js, st, err
}

// ensure gets the stream as it is, or creates it; it never changes one.
func ensure(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) (jetstream.Stream, error) {
	st, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		st, err = js.CreateStream(ctx, want)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			st, err = js.Stream(ctx, want.Name) // another process was first
		}
	}
	if err != nil {
		return nil, fmt.Errorf("events: stream %s: %w", want.Name, err)
	}
	if err := weaker(st.CachedInfo().Config, want); err != nil {
		return nil, err
	}
	return st, nil
}

// prefixOf is what stands before handover.v1 on the subject that a party's stream takes.
func prefixOf(cfg jetstream.StreamConfig) string {
	s := cfg.Subjects[0]
	return s[:len(s)-1]
}

// damaged reports whether messages are missing from inside a stream.
func damaged(s jetstream.StreamState) bool {
	return s.LastSeq > 0 && (s.FirstSeq != 1 || s.Msgs != s.LastSeq)
}
