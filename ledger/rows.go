package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"stafett/handover"
)

// The chained tables. Bytes lie beside their row in a table of their own, so that a row
// that changes state does not rewrite them, and are in the digest by digest only, so that
// they can be erased.
var (
	messageTable  = newTable("message", new(messageRow).fields())
	handoverTable = newTable("handover", new(handoverRow).fields())
	versionTable  = newTable("resource_version", new(versionRow).fields())
	deliveryTable = newTable("delivery", new(deliveryRow).fields())
	eventTable    = newTable("event", new(eventRow).fields())
	auditTable    = newTable("audit", new(auditRow).fields())
)

// messageRow is a message without its bytes.
type messageRow struct {
	Message
	pos, entry int64
	erased     bool
	content    []byte // digests of raw, answer, envelope, report
}

func (r *messageRow) fields() []field {
	m := &r.Message
	return []field{
		{"pos", &r.pos, fixed}, {"entry", &r.entry, loose},
		{"id", (*string)(&m.ID), fixed}, {"sender", (*string)(&m.Sender), 0},
		{"caller", (*string)(&m.Caller), fixed}, {"wire", (*string)(&m.Wire), fixed},
		{"type", &m.Type, 0}, {"external_id", &m.ExternalID, fixed},
		{"digest", (*string)(&m.Digest), fixed}, {"received_at", &m.ReceivedAt, fixed},
		{"correlation", (*string)(&m.Correlation), 0}, {"disposition", (*string)(&m.Disposition), 0},
		{"reason", (*string)(&m.Reason), 0}, {"detail", &m.Detail, 0},
		{"handover", (*string)(&m.Handover), 0}, {"conversation", &m.Conversation, 0},
		{"answer_code", &m.AnswerCode, 0}, {"repeats", (*string)(&m.Repeats), 0},
		{"contact", &m.Contact, 0}, {"deadline", &m.Deadline, 0}, {"step", &m.Step, 0},
		{"resolution", &m.Resolution, 0}, {"person", &m.Person, 0}, {"version", &m.Version, 0},
		{"erased", &r.erased, 0}, {"content", &r.content, 0},
		{"resolved_at", &m.ResolvedAt, later}, {"unheard", &m.Unheard, later},
	}
}

// parts are the message's bytes, in the order of the content digests.
func (r *messageRow) parts() []*[]byte {
	return []*[]byte{&r.Raw, &r.Answer, &r.Envelope, &r.Report}
}

// handoverRow holds the handover as a document, and what is selected by beside it.
type handoverRow struct {
	handover.Handover
	pos, entry      int64
	copies          string // ",a,b,"
	open, attention bool
	due             time.Time
	doc             string
}

func (r *handoverRow) fields() []field {
	h := &r.Handover
	return []field{
		{"pos", &r.pos, fixed}, {"entry", &r.entry, loose},
		{"id", (*string)(&h.ID), fixed}, {"chain", (*string)(&h.Chain), 0},
		{"sender", (*string)(&h.Sender), 0}, {"receiver", (*string)(&h.Receiver), 0},
		{"copies", &r.copies, 0}, {"open", &r.open, 0}, {"attention", &r.attention, 0},
		{"deadline", &h.Deadline, 0}, {"due", &r.due, 0}, {"version", &h.Version, 0}, {"doc", &r.doc, 0},
	}
}

// fill derives the columns from the handover.
func (r *handoverRow) fill() error {
	h := &r.Handover
	normaliseTimes(h)
	doc, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("ledger: handover as JSON: %w", err)
	}
	r.doc = string(doc)
	r.open = h.State.Open()
	r.attention = len(h.Attentions) > 0
	r.due = h.Deadline
	for _, a := range h.Attentions {
		r.due = earliest(r.due, a.Deadline)
	}
	var b strings.Builder
	for _, c := range h.Copies {
		b.WriteString("," + string(c))
	}
	if b.Len() > 0 {
		b.WriteString(",")
	}
	r.copies = b.String()
	clean(r.fields())
	return nil
}

// normaliseTimes brings every time to UTC and microseconds, in copies of shared slices.
func normaliseTimes(h *handover.Handover) {
	f := &h.Facts
	for _, t := range []*time.Time{&h.Since, &h.Deadline, &f.AdmittedAt, &f.ReadyAt, &f.DischargedAt,
		&f.DiedAt, &f.HealthInfoAt, &f.ReceiptedAt, &f.PromisedDay, &f.PlannedEnd} {
		*t = timeOf(micros(*t))
	}
	if len(h.Attentions) == 0 {
		return
	}
	h.Attentions = append([]handover.Attention(nil), h.Attentions...)
	for i := range h.Attentions {
		a := &h.Attentions[i]
		a.RaisedAt, a.Deadline = timeOf(micros(a.RaisedAt)), timeOf(micros(a.Deadline))
	}
}

func (r *handoverRow) decode() error {
	if err := json.Unmarshal([]byte(r.doc), &r.Handover); err != nil {
		return fmt.Errorf("ledger: stored handover: %w", err)
	}
	return nil
}

// resourceRow is the current state of a resource; derived from its versions.
type resourceRow struct {
	Resource
	rid int64
}

// versionRow is one version of a resource.
type versionRow struct {
	Resource
	vid, entry, rid int64
	erased          bool
	content         []byte // digest of the JSON
}

func (r *versionRow) fields() []field {
	v := &r.Resource
	return []field{
		{"vid", &r.vid, fixed}, {"entry", &r.entry, loose}, {"rid", &r.rid, fixed},
		{"type", &v.Type, fixed}, {"id", &v.ID, fixed}, {"version", &v.Version, fixed},
		{"author", (*string)(&v.Author), fixed}, {"deleted", &v.Deleted, fixed}, {"at", &v.At, fixed},
		{"handover", (*string)(&v.Handover), fixed}, {"erased", &r.erased, 0}, {"content", &r.content, fixed},
		{"json", &v.JSON, loose},
	}
}

// deliveryRow is a delivery without its bytes.
type deliveryRow struct {
	Delivery
	entry   int64
	queue   int64 // 1 claimable, 2 watched, 0 neither: ended, or behind another in its line
	due     time.Time
	ended   bool
	settled string // the state as the chain sees it
	erased  bool
	content []byte // digests of raw, report
}

const (
	queueNone, queueClaim, queueWatch int64 = 0, 1, 2
)

// fields leaves outside the digest what ClaimDeliveries changes: it records an intent,
// which makes no chain entry.
func (r *deliveryRow) fields() []field {
	d := &r.Delivery
	return []field{
		{"ord", &d.Order, fixed}, {"entry", &r.entry, loose},
		{"id", (*string)(&d.ID), fixed}, {"message", (*string)(&d.Message), fixed},
		{"handover", (*string)(&d.Handover), fixed}, {"event", (*string)(&d.Event), fixed},
		{"purpose", (*string)(&d.Purpose), fixed}, {"receiver", (*string)(&d.Receiver), fixed},
		{"service", &d.Service, 0}, {"wire", (*string)(&d.Wire), 0},
		{"type", &d.Type, fixed}, {"external_id", &d.ExternalID, fixed},
		{"digest", (*string)(&d.Digest), fixed}, {"gen_time", &d.GenTime, fixed},
		{"state", (*string)(&d.State), loose}, {"", &r.settled, 0},
		{"receipt_due", &d.ReceiptDue, 0}, {"attempts", &d.Attempts, loose},
		{"next_attempt", &d.NextAttempt, 0}, {"warn_at", &d.WarnAt, 0}, {"deadline", &d.Deadline, 0},
		{"lease_owner", &d.LeaseOwner, loose}, {"lease_until", &d.LeaseUntil, loose},
		{"error", &d.Error, 0}, {"created_at", &d.CreatedAt, fixed}, {"sent_at", &d.SentAt, 0},
		{"ended_at", &d.EndedAt, 0}, {"receipt", (*string)(&d.Receipt), 0}, {"contact", &d.Contact, 0},
		{"step", &d.Step, 0}, {"version", &d.Version, loose}, {"queue", &r.queue, loose},
		{"due", &r.due, loose}, {"ended", &r.ended, loose}, {"erased", &r.erased, 0}, {"content", &r.content, 0},
		{"told", (*string)(&d.Told), fixed | later}, {"resolution", &d.Resolution, later}, {"person", &d.Person, later},
	}
}

func (r *deliveryRow) parts() []*[]byte { return []*[]byte{&r.Raw, &r.Report} }

// fill derives queue, due and ended from the state.
func (r *deliveryRow) fill() {
	r.ended = r.State.Ended()
	r.queue, r.due = queueNone, time.Time{}
	switch r.State {
	case DeliveryPending:
		r.queue, r.due = queueClaim, r.NextAttempt
		if r.due.IsZero() { // due at once; micros has no other place before every time
			r.due = time.UnixMicro(1)
		}
	case DeliverySending:
		r.queue, r.due = queueClaim, r.LeaseUntil
		if r.due.IsZero() {
			r.due = time.UnixMicro(1)
		}
	case DeliveryAwaiting:
		r.queue, r.due = queueWatch, earliest(r.WarnAt, r.Deadline)
	case DeliveryRefused, DeliveryParked:
		r.queue, r.due = queueWatch, r.Deadline
	}
	if r.queue == queueWatch && r.due.IsZero() {
		r.queue = queueNone
	}
	clean(r.fields())
	r.settle()
}

func (r *deliveryRow) settle() {
	r.settled = string(r.State)
	if r.State == DeliverySending {
		r.settled = string(DeliveryPending)
	}
}

type eventRow struct {
	Event
	entry int64
}

func (r *eventRow) fields() []field {
	e := &r.Event
	return []field{
		{"seq", &e.Seq, fixed}, {"entry", &r.entry, loose},
		{"handover", (*string)(&e.Handover), fixed}, {"chain", (*string)(&e.Chain), fixed},
		{"kind", (*string)(&e.Kind), fixed}, {"name", (*string)(&e.Name), fixed},
		{"sender", (*string)(&e.From), fixed}, {"receiver", (*string)(&e.To), fixed},
		{"state", (*string)(&e.State), fixed}, {"actor", (*string)(&e.Actor), fixed},
		{"role", (*string)(&e.Role), fixed}, {"reason", (*string)(&e.Reason), fixed},
		{"attention", (*string)(&e.Attention), fixed}, {"message", (*string)(&e.Message), fixed},
		{"at", &e.At, fixed}, {"chain_head", (*string)(&e.ChainHead), fixed},
	}
}

type auditRow struct {
	Audit
	id, entry int64
}

func (r *auditRow) fields() []field {
	a := &r.Audit
	return []field{
		{"id", &r.id, fixed}, {"entry", &r.entry, loose}, {"at", &a.At, fixed},
		{"action", (*string)(&a.Action), fixed}, {"party", (*string)(&a.Party), fixed},
		{"person", &a.Person, fixed}, {"message", (*string)(&a.Message), fixed},
		{"handover", (*string)(&a.Handover), fixed}, {"delivery", (*string)(&a.Delivery), fixed},
		{"resource", &a.Resource, fixed}, {"outcome", &a.Outcome, fixed}, {"detail", &a.Detail, fixed},
		{"correlation", (*string)(&a.Correlation), fixed},
	}
}

// contentOf is the digests of parts, one after another, zeros for an empty part.
func contentOf(parts ...*[]byte) []byte {
	out := make([]byte, len(parts)*sha256.Size)
	for i, p := range parts {
		if len(*p) > 0 {
			sum := sha256.Sum256(*p)
			copy(out[i*sha256.Size:], sum[:])
		}
	}
	return out
}

// contentMatches reports whether stored bytes are those that content was made of.
func contentMatches(content []byte, parts ...*[]byte) bool {
	return bytes.Equal(content, contentOf(parts...))
}
