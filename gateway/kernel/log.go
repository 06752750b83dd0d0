package kernel

import (
	"context"
	"log/slog"

	"stafett/gateway/act"
	"stafett/handover"
	"stafett/ledger"
)

// logAct tells of an act what an operator wants to see at once: who was alerted, and what
// a named person did. It names ids and codes; the person's name is in the audit.
func (k *Kernel) logAct(p *act.Plan) {
	for _, t := range p.Tellings {
		if t.Purpose != ledger.PurposeAlert {
			continue
		}
		message, delivery := t.Message, handover.DeliveryID("")
		if t.ParkedMessage != nil {
			message = t.ParkedMessage.ID
		}
		if t.ParkedDelivery != nil {
			delivery = t.ParkedDelivery.ID
		}
		k.Log.LogAttrs(context.Background(), slog.LevelInfo, "escalated", append(about(t.Handover.ID, message, delivery),
			slog.String("to", string(t.To)), slog.String("attention", string(t.Attention)), slog.Int("number", t.Number))...)
	}
	for _, a := range p.Unit.Audit {
		if a.Action == ledger.AuditOperated {
			k.Log.LogAttrs(context.Background(), slog.LevelInfo, "a person acted", append(about(a.Handover, a.Message, a.Delivery),
				slog.String("act", a.Outcome), slog.String("party", string(a.Party)))...)
		}
	}
}

// about are the ids of what a line is about, without those that are empty.
func about(h handover.ID, m handover.MessageID, d handover.DeliveryID) (ids []slog.Attr) {
	for _, id := range []slog.Attr{slog.String("handover", string(h)), slog.String("message", string(m)), slog.String("delivery", string(d))} {
		if id.Value.String() != "" {
			ids = append(ids, id)
		}
	}
	return ids
}
