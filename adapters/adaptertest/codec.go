package adaptertest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stafett/adapters"
	"stafett/handover"
	"stafett/message"
)

// Samples are what RunCodec needs of one format.
type Samples struct {
	// Good are messages that decode, and whose envelope is read, without a fault.
	Good [][]byte
	// Private are the names and numbers in Good that no fault may quote.
	Private []string
	// CheckAnswer, where set, checks the answer's bytes to fault (nil: positive) by the
	// rules of the format. It is not called where there are none.
	CheckAnswer func(t *testing.T, fault *handover.Fault, raw []byte)
}

// RunCodec runs the suite against a codec.
func RunCodec(t *testing.T, c adapters.Codec, s Samples) {
	for _, test := range []struct {
		name string
		test func(t *testing.T, c adapters.Codec, s Samples)
	}{
		{"GoodIsReadWhole", goodIsRead},
		{"LimitsHold", limitsHold},
		{"EveryTruncationIsReadOrRefused", truncations},
		{"FlippedBytesAreReadOrRefused", flips},
		{"EveryFaultKindHasALegalAnswer", answersAreLegal},
		{"ReceiptsOfNothingDoNotPanic", receiptsOfNothing},
	} {
		t.Run(test.name, func(t *testing.T) { test.test(t, c, s) })
	}
}

func goodIsRead(t *testing.T, c adapters.Codec, s Samples) {
	for i, raw := range s.Good {
		before := bytes.Clone(raw)
		m, err := c.Decode(raw, message.DefaultLimits())
		if err != nil {
			t.Fatalf("sample %d: %v", i, err)
		}
		if !bytes.Equal(raw, before) || !bytes.Equal(m.Raw, raw) || m.Wire != c.Wire() {
			t.Errorf("sample %d: the message is not the bytes that were received", i)
		}
		bytesRead := m.Raw
		if m.Decoded != nil {
			bytesRead = m.Decoded
		}
		if err := checkPositions(m.Root, 0, len(bytesRead)); err != nil {
			t.Errorf("sample %d: %v", i, err)
		}
		env, err := c.Envelope(m)
		if err != nil {
			t.Errorf("sample %d: %v", i, err)
		}
		if env.Type == "" || env.ID == "" {
			t.Errorf("sample %d: the envelope has no type or id", i)
		}
		if _, err := c.Encode(m.Root); err != nil {
			t.Errorf("sample %d: cannot be encoded: %v", i, err)
		}
	}
}

// checkPositions checks that each node lies inside its parent and has a place.
func checkPositions(n *message.Node, from, to int) error {
	if n.Start < from || n.End > to || n.End < n.Start || n.Line < 1 || n.Column < 1 {
		return fmt.Errorf("%s has no place inside its parent: %d..%d in %d..%d, line %d, column %d",
			n.Name, n.Start, n.End, from, to, n.Line, n.Column)
	}
	for _, c := range n.Children {
		if err := checkPositions(c, n.Start, n.End); err != nil {
			return err
		}
	}
	return nil
}

func limitsHold(t *testing.T, c adapters.Codec, s Samples) {
	for i, raw := range s.Good {
		for name, limits := range map[string]message.Limits{
			"bytes": {Bytes: len(raw) - 1, Depth: 64, Nodes: 500_000},
			"depth": {Bytes: len(raw), Depth: 1, Nodes: 500_000},
			"nodes": {Bytes: len(raw), Depth: 64, Nodes: 3},
		} {
			_, err := c.Decode(raw, limits)
			if f := handover.FaultOf(err); f == nil || f.Kind != handover.FaultTooLarge {
				t.Errorf("sample %d over its limit of %s: %v", i, name, err)
			}
		}
	}
}

// readAny decodes anything and requires what Codec promises of any bytes.
func readAny(c adapters.Codec, s Samples, raw []byte) error {
	m, err := c.Decode(raw, message.DefaultLimits())
	if err != nil {
		var f *handover.Fault
		legal := []handover.FaultKind{handover.FaultMalformed, handover.FaultTooLarge, handover.FaultUnsupported}
		if !errors.As(err, &f) || !slices.Contains(legal, f.Kind) {
			return fmt.Errorf("decode gives %w", err)
		}
		if f.Text == "" {
			return errors.New("decode gives a fault without text")
		}
	} else if m == nil || m.Root == nil {
		return errors.New("decode gives neither message nor fault")
	}
	env, envErr := c.Envelope(m)
	var f *handover.Fault
	if envErr != nil && !errors.As(envErr, &f) {
		return fmt.Errorf("envelope gives %w", envErr)
	}
	if m == nil && envErr == nil {
		return errors.New("the envelope of nothing is no fault")
	}
	for _, e := range []error{err, envErr} {
		for _, private := range s.Private {
			if e != nil && strings.Contains(e.Error(), private) {
				return errors.New("a fault quotes the message")
			}
		}
	}
	_ = c.Answer(env, "m-1", handover.FaultOf(errors.Join(err, envErr)), time.Unix(0, 0).UTC())
	return nil
}

func truncations(t *testing.T, c adapters.Codec, s Samples) {
	for i, raw := range s.Good {
		for n := range raw {
			if err := readAny(c, s, raw[:n:n]); err != nil {
				t.Fatalf("sample %d cut to %d bytes: %v", i, n, err)
			}
		}
	}
}

func flips(t *testing.T, c adapters.Codec, s Samples) {
	rapid.Check(t, func(t *rapid.T) {
		raw := bytes.Clone(rapid.SampledFrom(s.Good).Draw(t, "sample"))
		for range rapid.IntRange(1, 8).Draw(t, "flips") {
			at := rapid.IntRange(0, len(raw)-1).Draw(t, "at")
			raw[at] = rapid.Byte().Draw(t, "byte")
		}
		if err := readAny(c, s, raw); err != nil {
			t.Fatal(err)
		}
	})
}

func answersAreLegal(t *testing.T, c adapters.Codec, s Samples) {
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	for _, raw := range s.Good {
		m, err := c.Decode(raw, message.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		env, err := c.Envelope(m)
		if err != nil {
			t.Fatal(err)
		}
		if positive := c.Answer(env, "m-1", nil, at); positive != nil && s.CheckAnswer != nil {
			s.CheckAnswer(t, nil, positive)
		}
		for _, kind := range handover.FaultKinds() {
			fault := &handover.Fault{Kind: kind, Op: "adaptertest", Text: "made by the suite", Path: "Task.status", Line: 1, Column: 1}
			got := c.Answer(env, "m-1", fault, at)
			if kind.Temporary() && got != nil {
				t.Errorf("%s is answered; the sender must keep the message", kind)
			}
			if !bytes.Equal(got, c.Answer(env, "m-1", fault, at)) {
				t.Errorf("%s: the same answer made twice differs", kind)
			}
			if got != nil && s.CheckAnswer != nil {
				s.CheckAnswer(t, fault, got)
			}
		}
	}
}

func receiptsOfNothing(t *testing.T, c adapters.Codec, _ Samples) {
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	for _, env := range []adapters.Envelope{{}, {ReceiptWanted: true}} {
		for _, r := range []adapters.Receipt{{}, {Positive: true}, {Errors: []adapters.ReceiptError{{}}}} {
			_, _ = c.Relay(env, r, "m-1", at)
		}
		for _, kind := range handover.FaultKinds() {
			fault := &handover.Fault{Kind: kind}
			_ = c.Answer(env, "", fault, at)
			_, _ = c.Refusal(env, fault, "m-1", at)
		}
	}
	if _, err := c.Encode(nil); err == nil {
		t.Error("nothing was encoded without an error")
	}
	if err := c.Attach(nil, adapters.Document{ContentType: "text/plain; charset=utf-8"}); err == nil {
		t.Error("a document was attached to nothing without an error")
	}
}
