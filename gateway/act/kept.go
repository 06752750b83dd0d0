package act

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"stafett/handover"
	"stafett/ledger"
)

// Kept is the plan of a message that does not pass: refused, with the sender told on its
// wire, or parked for a named person (invariant 2: with the raw bytes and the reason).
// receipted says that a refusal may be told by a receipt as well.
func Kept(s *Snapshot, in Incoming, f *handover.Fault, refused, receipted bool) *Plan {
	in = in.asRuled(s)
	row := in.Row
	if !refused {
		if in.Verdict != VerdictAnotherStay {
			row.Handover = cmp.Or(row.Handover, in.ParkedOn)
		}
		s.park(&row, f)
		if in.Ours {
			row.Contact = s.Contact(s.Operator)
		}
		plan := in.alone(s, row, ledger.AuditParked, string(f.Kind))
		in.remember(s, plan, false)
		return plan
	}
	row.Disposition, row.Reason, row.Detail = ledger.DispositionRefused, f.Kind, Detail(f)
	plan := in.alone(s, row, ledger.AuditRefused, string(f.Kind))
	if row.Sender != "" && receipted {
		plan.Receipts = append(plan.Receipts, Receipting{Original: row, Cause: row.ID, Refusal: f})
	}
	return plan
}

// park leaves a message to a named person at its sender.
func (s *Snapshot) park(row *ledger.Message, f *handover.Fault) {
	row.Disposition, row.Reason, row.Detail = ledger.DispositionParked, f.Kind, Detail(f)
	row.Contact, row.Deadline = s.Contact(row.Sender), s.Now.Add(s.Policy.EscalationAfter(0))
}

// Detail is a fault's text and place, safe to keep and to show.
func Detail(f *handover.Fault) string {
	s := f.Text
	if f.Path != "" {
		s += " at " + f.Path
	}
	if f.Line > 0 {
		s += fmt.Sprintf(" (line %d, column %d)", f.Line, f.Column)
	}
	return s
}

// Repeat is the plan of a message that was taken before, and the first one: the repeat is
// answered as the first time and changes nothing (same sender, id and digest). false when
// there is no first.
func Repeat(s *Snapshot, row ledger.Message) (*Plan, ledger.Message, bool) {
	first, ok := s.FirstOf(row)
	if !ok {
		return nil, first, false
	}
	row.Disposition, row.Repeats, row.Handover, row.Detail = ledger.DispositionRepeated, first.ID, first.Handover, first.Detail
	row.Reason, row.Contact, row.Deadline = "", "", time.Time{}
	row.Raw, row.Report = nil, nil
	row.Answer, row.AnswerCode = first.Answer, first.AnswerCode
	return Incoming{Row: row}.alone(s, row, ledger.AuditReceived, "repeated"), first, true
}

// FirstOf is the message that row repeats: of the same sender, id and digest. A refusal is no
// first answer: those bytes are judged anew, unless a receipt told it, which is final for its
// id (HIS 80415:2012: a new message gets a new MsgId).
func (s *Snapshot) FirstOf(row ledger.Message) (ledger.Message, bool) {
	all, _ := s.First.Get(External{row.Sender, row.ExternalID})
	i := slices.IndexFunc(all, func(m ledger.Message) bool {
		return m.Digest == row.Digest && m.ID != row.ID && (m.Disposition != ledger.DispositionRefused || s.receiptedRefusal(m))
	})
	if i < 0 {
		return ledger.Message{}, false
	}
	return all[i], true
}

// receiptedRefusal reports whether a receipt tells the sender of a refused message about it.
func (s *Snapshot) receiptedRefusal(m ledger.Message) bool {
	caused, _ := s.Caused.Get(m.ID)
	return slices.ContainsFunc(caused, func(d ledger.Delivery) bool {
		return d.Purpose == ledger.PurposeRefusal && d.State != ledger.DeliveryClosed && (!d.State.Parked() || !d.SentAt.IsZero())
	})
}

// Repeats reports whether a message, whose refusal would be told by a receipt, was taken before.
func (in Incoming) Repeats(s *Snapshot) bool {
	if in.Again || !in.ReceiptOwed || in.Row.Sender == "" || in.Row.ExternalID == "" {
		return false
	}
	_, repeats := s.FirstOf(in.Row)
	return repeats
}

// SetAside is the plan of a waiting message whose next try panicked: counted, and parked
// after tries of them.
func SetAside(s *Snapshot, m ledger.Message, tries int) *Plan {
	m.Step++
	m.Deadline = s.Now.Add(waitAgain)
	if m.Step >= tries {
		s.park(&m, &handover.Fault{Kind: handover.FaultUnknown, Text: "panic while it was tried again"})
		m.Step = 0
	}
	return &Plan{Unit: ledger.Unit{Messages: []ledger.MessageUpdate{{Message: m}}}}
}

// Refused is the plan of a FHIR write that its sender is told to mend; person is who wrote it,
// where that was a named person.
func Refused(s *Snapshot, row ledger.Message, person string, f *handover.Fault) *Plan {
	row.Disposition, row.Reason, row.Detail = ledger.DispositionRefused, f.Kind, Detail(f)
	return Incoming{Row: row, Person: person}.alone(s, row, ledger.AuditRefused, string(f.Kind))
}

// AddMessage adds to the plan of a FHIR write the message that caused it.
func AddMessage(s *Snapshot, p *Plan, row ledger.Message) {
	row.Disposition, row.Handover, row.Unheard = ledger.DispositionApplied, p.Handover.ID, string(p.Unheard)
	in := Incoming{Row: row}
	in.addRow(p, row)
	p.addAudit(s.Now, in.audit(row, ledger.AuditReceived, string(row.Disposition)))
}
