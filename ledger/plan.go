package ledger

import (
	"fmt"
	"slices"

	"stafett/handover"
	"stafett/message"
)

// plan turns one unit into statements without touching the database: a unit that cannot
// be applied has written nothing.
type plan struct {
	w          *work
	before     head
	statements []statement
	restore    []func()
	items      []item
	entry      int64
	search     []any
	grants     []any
	lines      map[line]bool
	// begun holds the handovers that the unit opens, with the receivers it sends to.
	begun map[handover.ID][]handover.PartyID
}

// line is the queue of one handover's deliveries to one receiver.
type line struct {
	handover handover.ID
	receiver handover.PartyID
}

func newPlan(w *work) *plan {
	return &plan{w: w, before: w.head, entry: w.head.entry + 1}
}

// insert adds rows to a table.
func (p *plan) insert(t *insertion, args ...any) {
	p.statements = append(p.statements, statement{into: t, args: args})
}

// change touches one row of a table (a resource's rows of search and visibility).
func (p *plan) change(table string, row int64, query string, args ...any) {
	p.statements = append(p.statements, statement{query: query, args: args, row: rowKey{table, row}})
}

// add is any other statement; it sees all that was written before it.
func (p *plan) add(query string, args ...any) {
	p.statements = append(p.statements, statement{query: query, args: args})
}

// undo takes back what the plan changed in the batch's picture.
func (p *plan) undo() {
	for i := len(p.restore) - 1; i >= 0; i-- {
		p.restore[i]()
	}
	p.w.head = p.before
}

// put changes the batch's picture of a row, undone when the unit fails.
func put[K comparable, V any](p *plan, m map[K]V, k K, v V) {
	old := m[k]
	p.restore = append(p.restore, func() { m[k] = old })
	m[k] = v
}

// vouch notes a row for the chain entry.
func (p *plan) vouch(kind itemKind, key int64, fields []field) {
	p.items = append(p.items, item{kind, key, digestOf(tableOf(kind), fields)})
}

func (p *plan) unit(u *Unit) (Applied, error) {
	var out Applied
	p.w.head.entry = p.entry
	if err := p.raise(u.Guards); err != nil {
		return out, err
	}
	if u.Message != nil {
		if err := p.insertMessage(u.Message); err != nil {
			return out, err
		}
	}
	for i := range u.Messages {
		if err := p.updateMessage(&u.Messages[i].Message); err != nil {
			return out, err
		}
	}
	for i := range u.Handovers {
		if err := p.writeHandover(u.Handovers[i]); err != nil {
			return out, err
		}
	}
	for i := range u.Shown {
		if err := p.show(&u.Shown[i]); err != nil {
			return out, err
		}
	}
	for i := range u.Resources {
		stored, err := p.writeResource(&u.Resources[i])
		if err != nil {
			return out, err
		}
		out.Resources = append(out.Resources, stored)
	}
	for i := range u.Deliveries {
		if err := p.writeDelivery(&u.Deliveries[i]); err != nil {
			return out, err
		}
	}
	for _, e := range u.Erase {
		if err := p.erase(e); err != nil {
			return out, err
		}
	}
	p.writeKeys(u.Keys)
	for i := range u.Events {
		out.Events = append(out.Events, p.writeEvent(u.Events[i]))
	}
	p.writeAudit(u.Audit)
	p.flushRows()
	p.end(u.End)
	p.hide(u.Hide)
	p.writeEntry()
	out.Entry, out.Head = p.entry, hexDigest(p.w.head.digest)
	return out, nil
}

func (p *plan) insertMessage(m *Message) error {
	if m.ID == "" {
		return fmt.Errorf("ledger: message without id: %w", ErrConflict)
	}
	row := &messageRow{Message: *m, entry: p.entry}
	if row.Digest == "" {
		row.Digest = message.DigestOf(row.Raw)
	}
	clean(row.fields())
	if p.w.messages[row.ID] != nil {
		return fmt.Errorf("ledger: message id exists: %w", ErrConflict)
	}
	if row.once() {
		key := repeatOf(&row.Message)
		if p.w.repeats[key] {
			return ErrRepeat
		}
		put(p, p.w.repeats, key, true)
	}
	p.w.head.message++
	row.pos, row.Version = p.w.head.message, 1
	row.content = contentOf(row.parts()...)
	p.insert(&messageTable.rows, insertArgs(row.fields())...)
	p.insert(&messageContentRows, row.pos, blob(row.Raw), blob(row.Answer), blob(row.Envelope), blob(row.Report))
	p.vouch(itemMessage, row.pos, row.fields())
	row.dropParts()
	put(p, p.w.messages, row.ID, row)
	return nil
}

// dropParts lets the bytes go once they are queued; the batch's picture needs digests only.
func (r *messageRow) dropParts() {
	for _, part := range r.parts() {
		*part = nil
	}
}

func blob(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// updateMessage keeps what never changes: bytes, digest, ids, wire, caller, time of
// receipt, and the sender once one is known. Nil answer, envelope or report keep theirs.
func (p *plan) updateMessage(m *Message) error {
	old := p.w.messages[m.ID]
	if old == nil {
		return fmt.Errorf("ledger: message: %w", ErrNotFound)
	}
	if old.Version != m.Version {
		return fmt.Errorf("ledger: message: %w", ErrConflict)
	}
	if (m.Disposition == DispositionRepeated) != (old.Disposition == DispositionRepeated) {
		return fmt.Errorf("ledger: a repeat stays one, and nothing else becomes one: %w", ErrConflict)
	}
	row := &messageRow{Message: *m, pos: old.pos, entry: p.entry, erased: old.erased}
	o := &old.Message
	row.Wire, row.ExternalID, row.Digest = o.Wire, o.ExternalID, o.Digest
	row.ReceivedAt, row.Caller, row.Version = o.ReceivedAt, o.Caller, o.Version+1
	if o.Sender != "" {
		row.Sender = o.Sender
	}
	clean(row.fields())
	row.content = append([]byte(nil), old.content...)
	if !old.erased {
		for i, name := range []string{"raw", "answer", "envelope", "report"} {
			part := row.parts()[i]
			sum := contentOf(part)
			if i == 0 || len(*part) == 0 || string(sum) == string(row.content[i*len(sum):(i+1)*len(sum)]) {
				continue
			}
			copy(row.content[i*len(sum):], sum)
			p.change("message_content", row.pos, "UPDATE message_content SET "+name+" = ? WHERE pos = ?", *part, row.pos)
		}
	}
	row.dropParts()
	p.change("message", row.pos, messageTable.update, updateArgs(row.fields())...)
	p.vouch(itemMessage, row.pos, row.fields())
	put(p, p.w.messages, m.ID, row)
	return nil
}

func (p *plan) writeHandover(h handover.Handover) error {
	old := p.w.handovers[h.ID]
	row := &handoverRow{Handover: h, entry: p.entry}
	row.Version++
	if err := row.fill(); err != nil {
		return err
	}
	switch {
	case old == nil && h.Version == 0:
		p.w.head.handover++
		row.pos = p.w.head.handover
		if p.begun == nil {
			p.begun = map[handover.ID][]handover.PartyID{}
		}
		p.begun[h.ID] = nil
		p.insert(&handoverTable.rows, insertArgs(row.fields())...)
	case old == nil || old.Version != h.Version:
		return fmt.Errorf("ledger: handover: %w", ErrConflict)
	default:
		row.pos = old.pos
		p.change("handover", row.pos, handoverTable.update, updateArgs(row.fields())...)
	}
	p.vouch(itemHandover, row.pos, row.fields())
	put(p, p.w.handovers, h.ID, row)
	return nil
}

func (p *plan) writeResource(r *ResourceWrite) (Stored, error) {
	key := ResourceKey{r.Type, r.ID}
	old := p.w.resources[key]
	current := int64(0)
	if old != nil {
		current = old.Version
	}
	if r.Expect >= 0 && r.Expect != current {
		return Stored{}, fmt.Errorf("ledger: %s: %w", r.Type, ErrConflict)
	}
	row := &versionRow{Resource: Resource{Type: r.Type, ID: r.ID, Version: current + 1, Author: r.Author,
		Deleted: r.Deleted || len(r.JSON) == 0, At: p.w.head.next(p.w.now), Handover: r.Handover}, entry: p.entry}
	if !row.Deleted {
		row.JSON = Stamp(r.JSON, row.At)
	}
	if old != nil && old.Handover != "" {
		row.Handover = old.Handover
	}
	clean(row.fields())
	p.w.head.version++
	row.vid = p.w.head.version
	row.content = contentOf(&row.JSON)
	row.rid = p.currentRow(old, row)
	p.insert(&versionTable.rows, insertArgs(row.fields())...)
	p.vouch(itemResource, row.vid, row.fields())
	p.indexRows(row.rid, old != nil, row.Deleted, r)
	p.grant(row.rid, row.Version, r.Grants)
	if earlier, ok := p.w.erase[key]; ok {
		put(p, p.w.erase, key, append(earlier[:len(earlier):len(earlier)], *row))
	}
	put(p, p.w.resources, key, &resourceRow{Resource: Resource{Version: row.Version, Handover: row.Handover}, rid: row.rid})
	return Stored{row.Version, row.At}, nil
}

// currentRow points the resource at its new version and returns its number.
func (p *plan) currentRow(old *resourceRow, v *versionRow) int64 {
	if old != nil {
		p.change("resource", old.rid, "UPDATE resource SET version = ?, vid = ?, deleted = ?, at = ?, handover = ? WHERE rid = ?",
			v.Version, v.vid, intOf(v.Deleted), micros(v.At), string(v.Handover), old.rid)
		return old.rid
	}
	p.w.head.res++
	p.insert(&resourceRows, p.w.head.res, v.Type, v.ID, v.Version, v.vid, intOf(v.Deleted), micros(v.At), string(v.Handover))
	return p.w.head.res
}

// indexRows replaces the search rows of a resource.
func (p *plan) indexRows(rid int64, replace, deleted bool, r *ResourceWrite) {
	if replace {
		p.change("search", rid, "DELETE FROM search WHERE rid = ?", rid)
		p.search = removeRows(p.search, searchWidth, rid)
	}
	if !deleted {
		p.search = appendSearchRows(p.search, rid, r.Type, r.Rows)
	}
}

// show grants what is stored.
func (p *plan) show(s *Shown) error {
	cur := p.w.resources[ResourceKey{s.Type, s.ID}]
	if cur == nil {
		return fmt.Errorf("ledger: %s: %w", s.Type, ErrNotFound)
	}
	if cur.Version != s.Expect {
		return fmt.Errorf("ledger: %s: %w", s.Type, ErrConflict)
	}
	p.grant(cur.rid, cur.Version, s.Grants)
	return nil
}

// grant lets parties read a resource from a version on; whoever may already, may from the
// version that it may from, and whoever may no more, may not again.
func (p *plan) grant(rid, since int64, grants []Grant) {
	for _, g := range grants {
		if g.Party != "" {
			p.grants = append(p.grants, rid, cleanText(string(g.Party)), cleanText(string(g.Handover)), since)
		}
	}
}

// removeRows drops the collected rows of one resource, for a unit that writes it twice.
func removeRows(rows []any, width int, rid int64) []any {
	out := rows[:0]
	for i := 0; i < len(rows); i += width {
		if rows[i] != rid {
			out = append(out, rows[i:i+width]...)
		}
	}
	return out
}

// flushRows adds the collected rows of search and visibility.
func (p *plan) flushRows() {
	if len(p.search) > 0 {
		p.insert(&searchRows, p.search...)
	}
	if len(p.grants) > 0 {
		p.insert(&visibilityRows, p.grants...)
	}
}

func (p *plan) writeDelivery(d *Delivery) error {
	if !slices.Contains(deliveryStates, d.State) { // nothing would ever come to see to it
		return fmt.Errorf("ledger: %q is no delivery state", d.State)
	}
	old := p.w.deliveries[d.ID]
	if d.Version == 0 {
		return p.insertDelivery(d, old)
	}
	if old == nil || old.Version != d.Version {
		return fmt.Errorf("ledger: delivery: %w", ErrConflict)
	}
	row := &deliveryRow{Delivery: *d, entry: p.entry, erased: old.erased, content: old.content}
	o := &old.Delivery
	row.Message, row.Handover, row.Event, row.Purpose = o.Message, o.Handover, o.Event, o.Purpose
	row.Receiver, row.Type, row.ExternalID, row.Digest = o.Receiver, o.Type, o.ExternalID, o.Digest
	row.Told, row.GenTime, row.CreatedAt, row.Order, row.Version = o.Told, o.GenTime, o.CreatedAt, o.Order, o.Version+1
	row.Raw, row.Report = nil, nil
	row.fill()
	p.change("delivery", row.Order, deliveryTable.update, updateArgs(row.fields())...)
	p.vouch(itemDelivery, row.Order, row.fields())
	if row.Handover != "" && (unsent(o.State) || unsent(row.State)) {
		p.requeue(line{row.Handover, row.Receiver})
	}
	put(p, p.w.deliveries, d.ID, row)
	return nil
}

var deliveryStates = []DeliveryState{DeliveryPending, DeliverySending, DeliveryAwaiting, DeliveryReceipted,
	DeliveryRefused, DeliveryParked, DeliveryClosed, DeliverySuperseded}

func (p *plan) insertDelivery(d *Delivery, old *deliveryRow) error {
	if old != nil || d.ID == "" {
		return fmt.Errorf("ledger: delivery id: %w", ErrConflict)
	}
	row := &deliveryRow{Delivery: *d, entry: p.entry}
	p.w.head.delivery++
	row.Order, row.Version = p.w.head.delivery, 1
	row.content = contentOf(row.parts()...)
	row.fill()
	p.insert(&deliveryTable.rows, insertArgs(row.fields())...)
	p.insert(&deliveryContentRows, row.Order, blob(row.Raw), blob(row.Report))
	p.vouch(itemDelivery, row.Order, row.fields())
	if l := (line{row.Handover, row.Receiver}); row.Handover != "" && row.queue == queueClaim && !p.firstOf(l) {
		p.requeue(l)
	}
	row.Raw, row.Report = nil, nil
	put(p, p.w.deliveries, row.ID, row)
	return nil
}

// requeue will make the first delivery of a line that is not sent yet claimable, and no
// other, when the batch is written.
// One that awaits its receipt, or a named person, holds up nothing: a discharge must not
// wait for the receipt of the notice before it.
func (p *plan) requeue(l line) {
	if p.lines[l] {
		return
	}
	if p.lines == nil {
		p.lines = map[line]bool{}
	}
	p.lines[l] = true
}

// firstOf reports whether l has nothing before it: the unit opens its handover and has sent
// nothing to this receiver yet.
func (p *plan) firstOf(l line) bool {
	begun, opened := p.begun[l.handover]
	if !opened || slices.Contains(begun, l.receiver) {
		return false
	}
	p.begun[l.handover] = append(begun, l.receiver)
	return true
}

func unsent(s DeliveryState) bool { return s == DeliveryPending || s == DeliverySending }

const requeueLine = `UPDATE delivery SET queue = CASE WHEN ord = (SELECT min(f.ord) FROM delivery f
	WHERE f.handover = ? AND f.receiver = ? AND f.ended = 0 AND f.handover <> '' AND f.state IN ('pending', 'sending')) THEN 1 ELSE 0 END
	WHERE handover = ? AND receiver = ? AND ended = 0 AND handover <> '' AND state IN ('pending', 'sending')`

func (p *plan) writeKeys(keys []HandoverKey) {
	for i, k := range keys {
		args := columnsOf(string(k.Kind), cleanText(string(k.Party)), cleanText(k.Value), string(k.Handover))
		p.insert(&keyRows, args...)
		kind, party, value, id := args[0].(string), args[1].(string), args[2].(string), args[3].(string)
		p.items = append(p.items, item{itemKey, int64(i), digestOf("handover_key",
			[]field{{"", &kind, 0}, {"", &party, 0}, {"", &value, 0}, {"", &id, 0}})})
	}
}

// Invariant 5: an event takes its place in the sequence in the unit that causes it.
func (p *plan) writeEvent(e Event) int64 {
	p.w.head.event++
	row := &eventRow{Event: e, entry: p.entry}
	row.Seq, row.ChainHead = p.w.head.event, hexDigest(p.w.head.digest)
	if row.At.IsZero() {
		row.At = p.w.now
	}
	clean(row.fields())
	p.insert(&eventTable.rows, insertArgs(row.fields())...)
	p.vouch(itemEvent, row.Seq, row.fields())
	return row.Seq
}

func (p *plan) writeAudit(list []Audit) {
	for _, a := range list {
		p.w.head.audit++
		row := &auditRow{Audit: a, id: p.w.head.audit, entry: p.entry}
		if row.At.IsZero() {
			row.At = p.w.now
		}
		fields := row.fields()
		clean(fields)
		p.vouch(itemAudit, row.id, fields)
		p.insert(&auditTable.rows, insertArgs(fields)...)
	}
}

// end ends grants at the versions that the unit leaves, which for those that it gives are the
// ones at which they are given.
func (p *plan) end(list []Ended) {
	for i, e := range list {
		id, party := cleanText(string(e.Handover)), cleanText(string(e.Party))
		p.add(`UPDATE visibility SET until = (SELECT r.version FROM resource r WHERE r.rid = visibility.rid)
			WHERE handover = ? AND handover <> '' AND party = ? AND until = 0`, id, party)
		for g := range slices.Chunk(p.grants, visibilityRows.width) {
			if id != "" && g[1] == party && g[2] == id {
				p.add("UPDATE visibility SET until = ? WHERE handover = ? AND party = ? AND rid = ? AND until > 0", g[3], id, party, g[0])
			}
		}
		p.items = append(p.items, item{itemEnded, int64(i), digestOf("ended", []field{{"", &id, 0}, {"", &party, 0}})})
	}
}

// hide ends grants last, so that nothing in the same unit grants it again.
func (p *plan) hide(list []Hidden) {
	for i, h := range list {
		id, party := string(h.Handover), string(h.Party)
		p.add("DELETE FROM visibility WHERE handover = ? AND handover <> '' AND party = ?", id, party)
		p.add("DELETE FROM handover_key WHERE handover = ? AND party = ?", id, party)
		p.items = append(p.items, item{itemHidden, int64(i), digestOf("hidden", []field{{"", &id, 0}, {"", &party, 0}})})
	}
}

func (p *plan) writeEntry() {
	body := encodeBody(p.entry, p.items)
	p.w.head.digest = chainDigest(p.before.digest, body)
	p.insert(&entryRows, p.entry, body, p.w.head.digest)
}
