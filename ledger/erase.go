package ledger

import (
	"fmt"

	"stafett/handover"
)

// Erasure removes content by law: the bytes go, their digests stay, and the chain still
// verifies. Exactly one of Message, Delivery or Type and ID is set; a resource loses all
// its versions' content and its search rows, and is deleted.
type Erasure struct {
	Message  handover.MessageID
	Delivery handover.DeliveryID
	Type, ID string
	// Person and Reason go into an audit record of the same unit.
	Person string
	Reason string
}

func (p *plan) erase(e Erasure) error {
	if e.Person == "" || e.Reason == "" {
		return fmt.Errorf("ledger: an erasure names its person and its reason: %w", ErrConflict)
	}
	var err error
	audit := Audit{Action: AuditOperated, Person: e.Person, Outcome: "erased", Detail: e.Reason}
	switch {
	case e.Message != "":
		audit.Message, err = e.Message, p.eraseMessage(e.Message)
	case e.Delivery != "":
		audit.Delivery, err = e.Delivery, p.eraseDelivery(e.Delivery)
	default:
		audit.Resource, err = e.Type+"/"+e.ID, p.eraseResource(ResourceKey{e.Type, e.ID})
	}
	if err != nil {
		return err
	}
	p.writeAudit([]Audit{audit})
	return nil
}

func (p *plan) eraseMessage(id handover.MessageID) error {
	old := p.w.messages[id]
	if old == nil {
		return fmt.Errorf("ledger: message: %w", ErrNotFound)
	}
	row := *old
	row.erased, row.entry = true, p.entry
	row.Version++
	p.add(messageTable.update, updateArgs(row.fields())...)
	p.add("UPDATE message_content SET raw = NULL, answer = NULL, envelope = NULL, report = NULL WHERE pos = ?", row.pos)
	p.vouch(itemMessage, row.pos, row.fields())
	put(p, p.w.messages, id, &row)
	return nil
}

func (p *plan) eraseDelivery(id handover.DeliveryID) error {
	old := p.w.deliveries[id]
	if old == nil {
		return fmt.Errorf("ledger: delivery: %w", ErrNotFound)
	}
	if !old.ended {
		return fmt.Errorf("ledger: delivery is still open: %w", ErrConflict)
	}
	row := *old
	row.erased, row.entry = true, p.entry
	row.Version++
	row.fill()
	p.add(deliveryTable.update, updateArgs(row.fields())...)
	p.add("UPDATE delivery_content SET raw = NULL, report = NULL WHERE ord = ?", row.Order)
	p.vouch(itemDelivery, row.Order, row.fields())
	put(p, p.w.deliveries, id, &row)
	return nil
}

func (p *plan) eraseResource(key ResourceKey) error {
	versions := p.w.erase[key]
	if len(versions) == 0 {
		return fmt.Errorf("ledger: resource: %w", ErrNotFound)
	}
	for i := range versions {
		row := versions[i]
		row.erased, row.entry, row.JSON = true, p.entry, nil
		p.add("UPDATE resource_version SET erased = 1, entry = ?, json = NULL WHERE vid = ?", p.entry, row.vid)
		p.vouch(itemResource, row.vid, row.fields())
	}
	rid := versions[0].rid
	p.add("UPDATE resource SET deleted = 1 WHERE rid = ?", rid)
	p.add("DELETE FROM search WHERE rid = ?", rid)
	p.search = removeRows(p.search, searchWidth, rid)
	return nil
}
