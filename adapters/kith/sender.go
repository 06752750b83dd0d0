package kith

import (
	"context"
	"net/http"
	"regexp"
	"slices"
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

// Send posts out.Raw to to.URL. 200, 201, 202 and 204 mean that the receiver's transport has
// the message, unless a page of markup came with it: that is a sign-in page or a proxy
// speaking, and such an answer is temporary. What the receiver's system says comes as an
// AppRec. 4xx other than 408, 425 and 429 ends the attempts; anything else is temporary.
// Redirects are not followed: a message goes to the configured address or nowhere.
func (s *Sender) Send(ctx context.Context, to adapters.Target, out adapters.Outgoing) (adapters.Sent, error) {
	header := http.Header{"Content-Type": {"application/xml; charset=utf-8"}}
	status, reply, err := s.poster.Post(ctx, opSend, to, header, out.Raw, maxReply)
	if err != nil {
		return adapters.Sent{}, err
	}
	return result(status, reply)
}

// taken are the statuses by which a transport says that it has a message.
var taken = []int{http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent}

// markup is HTML or XML anywhere in a body that should be empty.
var markup = regexp.MustCompile(`<[!?/A-Za-z]`)

func result(status int, reply []byte) (adapters.Sent, error) {
	sent := adapters.Sent{Reply: reply}
	if slices.Contains(taken, status) {
		if markup.Match(reply) {
			return sent, &handover.Fault{Kind: handover.FaultTemporary, Op: opSend, Text: "the receiver answered with a page, which is no acceptance"}
		}
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
