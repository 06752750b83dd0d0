package adapters

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"

	"stafett/handover"
	"stafett/transport"
)

// Poster is what the wires over HTTP share: it posts to targets. Its zero value is ready
// for use and safe for concurrent use.
type Poster struct{ clients transport.Clients }

// Post sends body to to.URL with header and returns the status and at most replyMax bytes
// of the answer. Redirects are not followed: a message goes to the configured address or
// nowhere. The error is a *handover.Fault: unsupported for an URL that cannot be used,
// else temporary; op stands in it.
func (p *Poster) Post(ctx context.Context, op string, to Target, header http.Header, body []byte, replyMax int64) (status int, reply []byte, err error) {
	fault := func(kind handover.FaultKind, text string, err error) error {
		return &handover.Fault{Kind: kind, Op: op, Text: text, Err: err}
	}
	target, err := url.Parse(to.URL)
	if err != nil || target.Scheme != "http" && target.Scheme != "https" || target.Host == "" {
		return 0, nil, fault(handover.FaultUnsupported, "the target's URL is not http or https", nil)
	}
	client, err := p.clients.Client(to.TLS())
	if err != nil {
		return 0, nil, fault(handover.FaultTemporary, "the sender cannot be used", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fault(handover.FaultUnsupported, "the target's URL cannot be used", nil)
	}
	request.Header = header.Clone()
	request.Header.Set("User-Agent", "stafett")
	if to.Token != "" {
		request.Header.Set("Authorization", "Bearer "+to.Token)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, fault(handover.FaultTemporary, "the receiver could not be reached", withoutURL(err))
	}
	defer response.Body.Close()
	// A reply that breaks off after its status still has that status.
	reply, _ = io.ReadAll(io.LimitReader(response.Body, replyMax))
	return response.StatusCode, reply, nil
}

// withoutURL drops the address from a client's error: configuration may hold secrets there.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// Close closes idle connections; later posts fail as temporary.
func (p *Poster) Close() error {
	p.clients.Close()
	return nil
}
