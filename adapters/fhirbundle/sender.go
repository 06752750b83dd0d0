package fhirbundle

import (
	"context"
	"net/http"

	"stafett/adapters"
	"stafett/handover"
)

// replyMax bounds what is kept of a server's answer.
const replyMax = 8 << 20

const opSend = "fhirbundle.Send"

// Sender posts Bundles to a FHIR server. Its zero value is ready for use and safe for
// concurrent use; the deadline of a send is its context's.
type Sender struct{ poster adapters.Poster }

var _ adapters.Sender = (*Sender)(nil)

// Send posts out.Raw, a transaction, to to.URL, the server's base. A transaction-response
// with a good entry for each one sent is the receiving system's receipt. What any other
// answer means is in fault.
// Redirects are not followed: a message goes to the configured address or nowhere.
func (s *Sender) Send(ctx context.Context, to adapters.Target, out adapters.Outgoing) (adapters.Sent, error) {
	header := http.Header{
		"Content-Type": {"application/fhir+json; charset=utf-8"},
		"Accept":       {"application/fhir+json; fhirVersion=4.0"},
		"Prefer":       {"return=minimal, handling=strict"},
		"X-Request-Id": {out.ID},
	}
	status, reply, err := s.poster.Post(ctx, opSend, to, header, out.Raw, replyMax)
	if err != nil {
		return adapters.Sent{}, err
	}
	return result(status, reply, out)
}

func result(status int, reply []byte, out adapters.Outgoing) (adapters.Sent, error) {
	sent := adapters.Sent{Reply: reply}
	if f := fault(status, reply, out.Raw); f != nil {
		return sent, f
	}
	sent.Receipt = &adapters.Receipt{Positive: true, OriginalID: out.ID, OriginalType: out.Type}
	return sent, nil
}

func sendFault(kind handover.FaultKind, text, path string) error {
	return &handover.Fault{Kind: kind, Op: opSend, Text: text, Path: path}
}

// Close closes idle connections; later sends fail as temporary.
func (s *Sender) Close() error { return s.poster.Close() }
