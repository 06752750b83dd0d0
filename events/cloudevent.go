package events

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"stafett/handover"
	"stafett/ledger"
)

// The CloudEvents 1.0 attributes as NATS headers (NATS protocol binding, binary mode),
// and the header by which the server tells a repeat.
const (
	headerSpecVersion = "ce-specversion"
	headerID          = "ce-id"
	headerSource      = "ce-source"
	headerType        = "ce-type"
	headerTime        = "ce-time"
	headerSubject     = "ce-subject"
	headerContentType = "ce-datacontenttype"
	headerSchema      = "ce-dataschema"
	// headerSequence is the CloudEvents extension "sequence": the ledger's number.
	headerSequence = "ce-sequence"
	headerMsgID    = nats.MsgIdHdr
)

// Data is the payload of one event: ids, codes and links, never a person's data.
type Data struct {
	Sequence  int64                    `json:"sequence"`
	ID        string                   `json:"id"`
	Handover  handover.ID              `json:"handover"`
	Chain     handover.ChainID         `json:"chain"`
	Kind      handover.Kind            `json:"kind"`
	Event     handover.EventName       `json:"event"`
	From      handover.PartyID         `json:"from"`
	To        handover.PartyID         `json:"to"`
	State     handover.State           `json:"state"`
	Actor     handover.PartyID         `json:"actor,omitempty"`
	Role      handover.ActorRole       `json:"role,omitempty"`
	Reason    handover.Reason          `json:"reason,omitempty"`
	Attention handover.AttentionReason `json:"attention,omitempty"`
	Message   handover.MessageID       `json:"message,omitempty"`
	At        string                   `json:"at"`
	// ChainHead is the ledger chain's head before the unit that holds the event (invariant 8).
	ChainHead handover.Digest `json:"chainHead,omitempty"`
	Links     Links           `json:"links"`
}

// Links are paths below the gateway's own address.
type Links struct {
	Task    string `json:"task"`
	Message string `json:"message,omitempty"`
}

// Type returns the CloudEvents type of an event.
func Type(kind handover.Kind, name handover.EventName) string {
	return "no.stafett.handover.v1." + string(kind) + "." + string(name)
}

// SchemaID returns the dataschema URI of an event, which is its schema's $id.
func SchemaID(name handover.EventName) string {
	return "urn:stafett:schema:handover.v1:" + string(name)
}

// Encode makes the NATS message of an event. The same event gives the same subject,
// headers and bytes always, which is what makes a stream comparable with the ledger.
func Encode(e ledger.Event, epoch string) (*nats.Msg, error) {
	at := e.At.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
	d := Data{Sequence: e.Seq, ID: e.ID, Handover: e.Handover, Chain: e.Chain, Kind: e.Kind, Event: e.Name,
		From: e.From, To: e.To, State: e.State, Actor: e.Actor, Role: e.Role, Reason: e.Reason,
		Attention: e.Attention, Message: e.Message, At: at, ChainHead: e.ChainHead,
		Links: Links{Task: "/fhir/Task/" + string(e.Handover)}}
	if e.Message != "" {
		d.Links.Message = "/messages/" + string(e.Message)
	}
	body, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("events: encode event %d: %w", e.Seq, err)
	}
	m := nats.NewMsg(Subject(e))
	m.Data = body
	m.Header = nats.Header{
		headerSpecVersion: {"1.0"},
		headerID:          {e.ID},
		headerSource:      {"urn:stafett:ledger:" + epoch},
		headerType:        {Type(e.Kind, e.Name)},
		headerTime:        {at},
		headerSubject:     {string(e.Handover)},
		headerContentType: {"application/json"},
		headerSchema:      {SchemaID(e.Name)},
		headerSequence:    {strconv.FormatInt(e.Seq, 10)},
		headerMsgID:       {e.ID},
	}
	return m, nil
}

// digestOf covers the subject, every CloudEvents header and the payload.
func digestOf(subject string, h nats.Header, data []byte) handover.Digest {
	names := make([]string, 0, len(h))
	for name := range h {
		if len(name) > 3 && name[:3] == "ce-" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	sum := sha256.New()
	put := func(s string) { fmt.Fprintf(sum, "%d:%s", len(s), s) }
	put(subject)
	for _, name := range names {
		put(name)
		for _, v := range h[name] {
			put(v)
		}
	}
	sum.Write(data)
	return handover.Digest(hex.EncodeToString(sum.Sum(nil)))
}

// sequenceOf reads the ledger's number of a stored event, 0 when it has none.
func sequenceOf(h nats.Header) int64 {
	n, err := strconv.ParseInt(h.Get(headerSequence), 10, 64)
	if err != nil || n < 1 {
		return 0
	}
	return n
}
