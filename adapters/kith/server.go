package kith

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"stafett/adapters"
	"stafett/handover"
	"stafett/transport"
)

const (
	defaultBodyLimit   = 20 << 20
	defaultReadTimeout = 60 * time.Second
	retryAfterSeconds  = 30
	firstBuffer        = 64 << 10
)

// Options configure Handler. Intake and Authenticate are required.
type Options struct {
	Intake adapters.Intake
	// Authenticate returns the party that a bearer token belongs to. A *handover.Fault
	// decides the status (unauthenticated 401, forbidden 403); any other error is temporary.
	Authenticate func(ctx context.Context, bearer string) (handover.PartyID, error)
	// BodyLimit is the bytes of one message; zero is 20 MB.
	BodyLimit int
	// InFlight bounds the bytes of all messages in hand, shared between wires; nil is
	// 64 MB of the handler's own.
	InFlight *transport.Budget
	// ReadTimeout is how long one body may take to arrive; zero is one minute. The time
	// for the header is the http.Server's ReadHeaderTimeout.
	ReadTimeout time.Duration
	// Now and NewCorrelation are for tests; nil is the clock and a random UUID.
	Now            func() time.Time
	NewCorrelation func() handover.CorrelationID
}

// Handler takes messages by POST, as application/xml or text/xml, with a bearer token.
// It answers 202 without a body only when Intake has stored the message; 4xx when it was
// refused; 503 with Retry-After when nothing was stored and the sender must send again.
// The charset parameter is not read: the document itself says its encoding.
// Other answers than 202 carry a short JSON problem (RFC 9457) with the correlation id.
func Handler(o Options) http.Handler {
	if o.BodyLimit <= 0 {
		o.BodyLimit = defaultBodyLimit
	}
	if o.InFlight == nil {
		o.InFlight = transport.NewBudget(transport.InFlightDefault, o.BodyLimit)
	}
	if o.ReadTimeout <= 0 {
		o.ReadTimeout = defaultReadTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewCorrelation == nil {
		o.NewCorrelation = func() handover.CorrelationID { return handover.CorrelationID(uuid.NewString()) }
	}
	return &handler{o}
}

type handler struct{ Options }

// problem is what a sender is told beside a status. Texts never quote the message.
type problem struct {
	// Type is urn:stafett:fault: and the kind; without a kind the status says it all.
	Type        string                 `json:"type,omitempty"`
	Title       string                 `json:"title"`
	Status      int                    `json:"status"`
	Kind        handover.FaultKind     `json:"kind,omitempty"`
	Detail      string                 `json:"detail,omitempty"`
	Path        string                 `json:"path,omitempty"`
	Line        int                    `json:"line,omitempty"`
	Column      int                    `json:"column,omitempty"`
	Correlation handover.CorrelationID `json:"correlation"`
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	correlation := h.NewCorrelation()
	w.Header().Set("X-Correlation-ID", string(correlation))
	// The deadline covers refused requests too: net/http reads on in their bodies.
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(h.ReadTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		h.refuse(w, readFailed(err), correlation)
		return
	}
	// Before all else: who is not known learns nothing of what would have been taken.
	bearer, ok := bearerToken(r)
	if !ok {
		h.refuse(w, &handover.Fault{Kind: handover.FaultUnauthenticated, Op: "kith.Handler", Text: "a bearer token is required"}, correlation)
		return
	}
	party, err := h.Authenticate(r.Context(), bearer)
	if err != nil {
		h.refuse(w, handover.FaultOf(err), correlation)
		return
	}
	if status := rejectRequest(w, r); status != 0 {
		answer(w, status, nil, correlation)
		return
	}
	room := h.InFlight.Share()
	defer room.Release()
	raw, fault := h.body(control, r, room)
	if fault != nil && fault.Kind != handover.FaultTooLarge {
		h.refuse(w, fault, correlation)
		return
	}
	in := adapters.Inbound{Wire: handover.WireKITH, Caller: party, Raw: raw, ReceivedAt: h.Now(), Correlation: correlation}
	if fault != nil {
		// Invariant 2: what is refused for its size is counted, without its bytes.
		in.Raw, in.Broken = nil, fault
	}
	h.answer(w, h.Intake.Take(r.Context(), in), correlation)
}

// rejectRequest returns the status for a request that is not this wire's, or 0.
func rejectRequest(w http.ResponseWriter, r *http.Request) int {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return http.StatusMethodNotAllowed
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/xml" && media != "text/xml" {
		return http.StatusUnsupportedMediaType
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return http.StatusUnsupportedMediaType
	}
	return 0
}

func bearerToken(r *http.Request) (string, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	return token, strings.EqualFold(scheme, "Bearer") && token != ""
}

// body reads the message within the limits, in the room that it takes.
func (h *handler) body(control *http.ResponseController, r *http.Request, room *transport.Share) (raw []byte, fault *handover.Fault) {
	if r.ContentLength > int64(h.BodyLimit) {
		return nil, tooLarge()
	}
	size := min(firstBuffer, h.BodyLimit+1)
	if r.ContentLength >= 0 {
		// One byte more, so that the end is seen without growing.
		size = min(size, int(r.ContentLength)+1)
	}
	for {
		if !room.TryGrow(len(raw) + size) {
			return nil, &handover.Fault{Kind: handover.FaultOverload, Op: "kith.Handler", Text: "too many bytes are in hand"}
		}
		grown := make([]byte, len(raw), len(raw)+size)
		copy(grown, raw)
		whole, err := fill(r.Body, &grown)
		raw = grown
		switch {
		case err != nil:
			return nil, readFailed(err)
		case len(raw) > h.BodyLimit:
			return nil, tooLarge()
		case whole:
			// Without this, the old deadline would end the request while Intake works.
			if err := control.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return nil, readFailed(err)
			}
			return raw, nil
		}
		size = min(len(raw), h.BodyLimit+1-len(raw))
	}
}

// fill reads into buf up to its capacity and reports whether the body ended. io.ReadFull
// would not do: it gives one error for a short body and for a connection that was cut.
func fill(body io.Reader, buf *[]byte) (whole bool, err error) {
	for len(*buf) < cap(*buf) {
		n, err := body.Read((*buf)[len(*buf):cap(*buf)])
		*buf = (*buf)[:len(*buf)+n]
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

func tooLarge() *handover.Fault {
	return &handover.Fault{Kind: handover.FaultTooLarge, Op: "kith.Handler", Text: "the message has too many bytes"}
}

func readFailed(err error) *handover.Fault {
	text := "the message did not arrive whole"
	if errors.Is(err, os.ErrDeadlineExceeded) {
		text = "the message took too long to arrive"
	}
	return &handover.Fault{Kind: handover.FaultTemporary, Op: "kith.Handler", Text: text, Err: err}
}

// answer writes what Intake decided.
func (h *handler) answer(w http.ResponseWriter, a adapters.Answer, correlation handover.CorrelationID) {
	switch a.Outcome {
	case adapters.OutcomeStored:
		// Invariant 1: this is the one place that answers positively, after the commit.
		w.WriteHeader(http.StatusAccepted)
	case adapters.OutcomeRefused:
		status := HTTPStatus(a.Fault)
		if status < 400 {
			status = http.StatusUnprocessableEntity
		}
		answer(w, status, a.Fault, correlation)
	default:
		fault := a.Fault
		if fault == nil || !fault.Kind.Temporary() {
			fault = &handover.Fault{Kind: handover.FaultTemporary}
		}
		h.refuse(w, fault, correlation)
	}
}

// refuse answers a fault that arose before or instead of Intake's word.
func (h *handler) refuse(w http.ResponseWriter, fault *handover.Fault, correlation handover.CorrelationID) {
	status := HTTPStatus(fault)
	if status < 400 {
		status = http.StatusServiceUnavailable
	}
	answer(w, status, fault, correlation)
}

func answer(w http.ResponseWriter, status int, fault *handover.Fault, correlation handover.CorrelationID) {
	p := problem{Status: status, Title: strings.ToLower(http.StatusText(status)), Correlation: correlation}
	// The detail of an unknown error stays inside.
	if fault != nil && fault.Kind != handover.FaultUnknown {
		p.Type = "urn:stafett:fault:" + string(fault.Kind)
		p.Kind, p.Detail, p.Path, p.Line, p.Column = fault.Kind, fault.Text, fault.Path, fault.Line, fault.Column
	}
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", strconv.Itoa(retryAfterSeconds))
	}
	w.Header().Set("Content-Type", "application/problem+json")
	body, err := json.Marshal(p)
	if err != nil {
		body = nil
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the sender is gone, or has the status
}
