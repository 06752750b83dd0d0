package kith

import (
	"context"
	"net/http"
	"strconv"

	"stafett/adapters"
	"stafett/handover"
)

// maxReply bounds what is kept of a receiver's HTTP answer.
const maxReply = 64 << 10

const opSend = "kith.Send"

// Sender posts messages over HTTP. Its zero value is ready for use and safe for
// concurrent use; the deadline of a send is its context's.
type Sender struct{ poster adapters.Poster }

var _ adapters.Sender = (*Sender)(nil)

// Send posts out.Raw to to.URL. 2xx means that the receiver's transport has the message;
// what its system says comes as an AppRec. 4xx other than 408, 425 and 429 ends the
// attempts; anything else is temporary. Redirects are not followed: a message goes to the
// configured address or nowhere.
func (s *Sender) Send(ctx context.Context, to adapters.Target, out adapters.Outgoing) (adapters.Sent, error) {
	header := http.Header{"Content-Type": {"application/xml; charset=utf-8"}}
	status, reply, err := s.poster.Post(ctx, opSend, to, header, out.Raw, maxReply)
	if err != nil {
		return adapters.Sent{}, err
	}
	return result(status, reply)
}

func result(status int, reply []byte) (adapters.Sent, error) {
	sent := adapters.Sent{Reply: reply}
	if status >= 200 && status < 300 {
		return sent, nil
	}
	kind := handover.FaultTemporary
	switch {
	case status < 400 || status > 499:
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests:
	case status == http.StatusUnauthorized:
		kind = handover.FaultUnauthenticated
	case status == http.StatusForbidden:
		kind = handover.FaultForbidden
	case status == http.StatusNotFound, status == http.StatusGone:
		kind = handover.FaultNotFound
	case status == http.StatusRequestEntityTooLarge:
		kind = handover.FaultTooLarge
	case status == http.StatusUnsupportedMediaType:
		kind = handover.FaultUnsupported
	default:
		kind = handover.FaultInvalid
	}
	return sent, &handover.Fault{Kind: kind, Op: opSend, Text: "the receiver answered with HTTP status " + strconv.Itoa(status)}
}

// Close closes idle connections; later sends fail as temporary.
func (s *Sender) Close() error { return s.poster.Close() }
