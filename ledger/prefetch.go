package ledger

import (
	"time"

	"stafett/handover"
	"stafett/message"
)

type repeatKey struct {
	sender     handover.PartyID
	externalID string
	digest     handover.Digest
}

// work is what a batch of units stands on: the rows they mention as they are now, kept up
// to date while the units are planned, so that a unit sees those before it.
type work struct {
	head       head
	now        time.Time
	messages   map[handover.MessageID]*messageRow
	repeats    map[repeatKey]bool
	handovers  map[handover.ID]*handoverRow
	deliveries map[handover.DeliveryID]*deliveryRow
	resources  map[ResourceKey]*resourceRow
	erase      map[ResourceKey][]versionRow
	guards     map[string]int64
}

// prefetch locks the head and reads every row that units mention. The head's lock keeps
// other batches out; delivery rows are locked as well, against claims.
func prefetch(tx Tx, units []Unit, locks Locks) (*work, error) {
	h, err := readHead(tx, locks.Wait)
	if err != nil {
		return nil, err
	}
	w := &work{
		head: h, messages: map[handover.MessageID]*messageRow{}, repeats: map[repeatKey]bool{},
		handovers: map[handover.ID]*handoverRow{}, deliveries: map[handover.DeliveryID]*deliveryRow{},
		resources: map[ResourceKey]*resourceRow{}, erase: map[ResourceKey][]versionRow{},
		guards: map[string]int64{},
	}
	for i := range units {
		w.mention(&units[i])
	}
	for _, f := range []func(Tx) error{w.readMessages, w.readRepeats, w.readHandovers,
		func(tx Tx) error { return w.readDeliveries(tx, locks.Wait) }, w.readResources, w.readErased, w.readGuards} {
		if err := f(tx); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// mention notes the rows that a unit is about, as absent until they are read.
func (w *work) mention(u *Unit) {
	if m := u.Message; m != nil {
		w.messages[handover.MessageID(cleanText(string(m.ID)))] = nil
		if m.once() {
			w.repeats[repeatOf(m)] = false
		}
	}
	for i := range u.Messages {
		w.messages[u.Messages[i].Message.ID] = nil
	}
	for i := range u.Handovers {
		w.handovers[u.Handovers[i].ID] = nil
	}
	for i := range u.Deliveries {
		w.deliveries[u.Deliveries[i].ID] = nil
	}
	for i := range u.Resources {
		w.resources[ResourceKey{u.Resources[i].Type, u.Resources[i].ID}] = nil
	}
	for i := range u.Shown {
		w.resources[ResourceKey{u.Shown[i].Type, u.Shown[i].ID}] = nil
	}
	for _, g := range u.Guards {
		w.guards[cleanText(g.Key)] = 0
	}
	for _, e := range u.Erase {
		switch {
		case e.Message != "":
			w.messages[e.Message] = nil
		case e.Delivery != "":
			w.deliveries[e.Delivery] = nil
		default:
			w.resources[ResourceKey{e.Type, e.ID}] = nil
			w.erase[ResourceKey{e.Type, e.ID}] = nil
		}
	}
}

// once reports whether a message may be stored only once: not what repeats another, nor what
// was refused, whose bytes are judged anew.
func (m *Message) once() bool {
	return m.Disposition != DispositionRepeated && m.Disposition != DispositionRefused && m.ExternalID != ""
}

func repeatOf(m *Message) repeatKey {
	if m.Digest == "" {
		return repeatKey{handover.PartyID(cleanText(string(m.Sender))), cleanText(m.ExternalID), message.DigestOf(m.Raw)}
	}
	return repeatKey{handover.PartyID(cleanText(string(m.Sender))), cleanText(m.ExternalID), handover.Digest(cleanText(string(m.Digest)))}
}

// lookUp runs query once per key and hands each row found to scan.
func lookUp[K comparable, V any](tx Tx, query string, m map[K]V, args func(K) []any, scan func(K, Row) error) error {
	if len(m) == 0 {
		return nil
	}
	keys := make([]K, 0, len(m))
	lists := make([][]any, 0, len(m))
	for k := range m {
		keys = append(keys, k)
		lists = append(lists, args(k))
	}
	return tx.Query(query, func(i int, r Row) error { return scan(keys[i], r) }, lists...)
}

func (w *work) readMessages(tx Tx) error {
	return lookUp(tx, "SELECT "+messageTable.columns+" FROM message WHERE id = ?", w.messages,
		func(k handover.MessageID) []any { return columnsOf(string(k)) },
		func(k handover.MessageID, r Row) error {
			row := new(messageRow)
			w.messages[k] = row
			return scanFields(r, row.fields())
		})
}

func (w *work) readRepeats(tx Tx) error {
	return lookUp(tx, `SELECT pos FROM message WHERE sender = ? AND external_id = ? AND digest = ?
		AND disposition NOT IN ('repeated', 'refused') AND external_id <> ''`, w.repeats,
		func(k repeatKey) []any { return columnsOf(string(k.sender), k.externalID, string(k.digest)) },
		func(k repeatKey, r Row) error {
			var pos int64
			w.repeats[k] = true
			return r.Scan(&pos)
		})
}

func (w *work) readHandovers(tx Tx) error {
	return lookUp(tx, "SELECT pos, version FROM handover WHERE id = ?", w.handovers,
		func(k handover.ID) []any { return columnsOf(string(k)) },
		func(k handover.ID, r Row) error {
			row := new(handoverRow)
			w.handovers[k] = row
			return r.Scan(&row.pos, &row.Version)
		})
}

func (w *work) readDeliveries(tx Tx, lock string) error {
	return lookUp(tx, "SELECT "+deliveryTable.columns+" FROM delivery WHERE id = ?"+lock, w.deliveries,
		func(k handover.DeliveryID) []any { return columnsOf(string(k)) },
		func(k handover.DeliveryID, r Row) error {
			row := new(deliveryRow)
			w.deliveries[k] = row
			return scanFields(r, row.fields())
		})
}

func (w *work) readResources(tx Tx) error {
	return lookUp(tx, "SELECT rid, version, handover FROM resource WHERE type = ? AND id = ?", w.resources,
		func(k ResourceKey) []any { return columnsOf(k.Type, k.ID) },
		func(k ResourceKey, r Row) error {
			row := new(resourceRow)
			w.resources[k] = row
			return r.Scan(&row.rid, &row.Version, (*string)(&row.Handover))
		})
}

func (w *work) readErased(tx Tx) error {
	return lookUp(tx, "SELECT "+prefixed("v", versionTable.columns)+` FROM resource r
		JOIN resource_version v ON v.rid = r.rid WHERE r.type = ? AND r.id = ?`, w.erase,
		func(k ResourceKey) []any { return columnsOf(k.Type, k.ID) },
		func(k ResourceKey, r Row) error {
			var row versionRow
			err := scanFields(r, row.fields())
			w.erase[k] = append(w.erase[k], row)
			return err
		})
}
