package ledger

import (
	"context"
	"strconv"
	"strings"
	"time"

	"stafett/handover"
)

// prefixed puts a table's alias before each of its columns.
func prefixed(alias, columns string) string {
	return alias + "." + strings.ReplaceAll(columns, ", ", ", "+alias+".")
}

// The selects that read whole rows, bytes included.
var (
	selectMessage = "SELECT " + prefixed("m", messageTable.columns) +
		", c.raw, c.answer, c.envelope, c.report FROM message m JOIN message_content c ON c.pos = m.pos "
	selectDelivery = "SELECT " + prefixed("d", deliveryTable.columns) +
		", c.raw, c.report FROM delivery d JOIN delivery_content c ON c.ord = d.ord "
	selectHandover = "SELECT h.doc FROM handover h "
	selectCurrent  = "SELECT " + resourceColumns + " FROM resource r JOIN resource_version v ON v.vid = r.vid "
)

// withParts lets a row's fields and its bytes be scanned from one select.
func withParts(fields []field, parts []*[]byte) []field {
	for _, p := range parts {
		fields = append(fields, field{"part", p, loose})
	}
	return fields
}

func scanMessageRow(r Row) (*messageRow, error) {
	row := new(messageRow)
	err := scanFields(r, withParts(row.fields(), row.parts()))
	return row, err
}

func scanMessage(r Row) (Message, error) {
	row, err := scanMessageRow(r)
	return row.Message, err
}

func scanDeliveryRow(r Row) (*deliveryRow, error) {
	row := new(deliveryRow)
	err := scanFields(r, withParts(row.fields(), row.parts()))
	row.settle()
	return row, err
}

func scanDelivery(r Row) (Delivery, error) {
	row, err := scanDeliveryRow(r)
	return row.Delivery, err
}

func scanHandover(r Row) (handover.Handover, error) {
	var row handoverRow
	if err := r.Scan(&row.doc); err != nil {
		return row.Handover, err
	}
	err := row.decode()
	return row.Handover, err
}

// limited spells a LIMIT; none or a negative one means a thousand.
func limited(n int) string {
	if n <= 0 {
		n = 1000
	}
	return " LIMIT " + strconv.Itoa(n)
}

// Meta returns what was fixed at the first start.
func (s *SQL) Meta(ctx context.Context) (Meta, error) {
	return readOne(ctx, s, "SELECT epoch, secret, schema_version FROM meta", nil, func(r Row) (Meta, error) {
		var m Meta
		var schema int64
		err := r.Scan(&m.Epoch, &m.Secret, &schema)
		m.Schema = int(schema)
		return m, err
	})
}

// Message returns one message with its bytes.
func (s *SQL) Message(ctx context.Context, id handover.MessageID) (Message, error) {
	return readOne(ctx, s, selectMessage+"WHERE m.id = ?", columnsOf(cleanText(string(id))), scanMessage)
}

// MessagesByExternalID returns what a sender sent under one id, repeats left out.
func (s *SQL) MessagesByExternalID(ctx context.Context, sender handover.PartyID, externalID string) ([]Message, error) {
	return read(ctx, s, selectMessage+`WHERE m.sender = ? AND m.external_id = ? AND m.disposition <> 'repeated'
		AND m.external_id <> '' ORDER BY m.pos`, columnsOf(cleanText(string(sender)), cleanText(externalID)), scanMessage)
}

// ParkedMessages returns the parked ones that nobody has resolved, oldest first.
func (s *SQL) ParkedMessages(ctx context.Context, limit int) ([]Message, error) {
	return read(ctx, s, selectMessage+
		"WHERE m.disposition IN ('parked', 'moving') AND m.resolution = '' AND m.disposition = 'parked' ORDER BY m.received_at, m.pos"+limited(limit), nil, scanMessage)
}

// MessagesOf returns the messages applied to a handover, oldest first.
func (s *SQL) MessagesOf(ctx context.Context, id handover.ID) ([]Message, error) {
	return read(ctx, s, selectMessage+"WHERE m.handover = ? AND m.handover <> '' ORDER BY m.pos", columnsOf(string(id)), scanMessage)
}

// Handover returns one handover.
func (s *SQL) Handover(ctx context.Context, id handover.ID) (handover.Handover, error) {
	return readOne(ctx, s, selectHandover+"WHERE h.id = ?", columnsOf(cleanText(string(id))), scanHandover)
}

// Handovers returns what the filter selects, newest first.
func (s *SQL) Handovers(ctx context.Context, f HandoverFilter) ([]handover.Handover, error) {
	where, args := []string{"1 = 1"}, []any(nil)
	if f.Party != "" {
		p := string(f.Party)
		where = append(where, `(h.sender = ? OR h.receiver = ? OR h.copies LIKE ? ESCAPE '\')`)
		args = append(args, p, p, containing(","+p+","))
	}
	if f.Chain != "" {
		where, args = append(where, "h.chain = ?"), append(args, string(f.Chain))
	}
	if f.OpenOnly {
		where = append(where, "h.open = 1")
	}
	if f.Attention {
		where = append(where, "h.attention = 1")
	}
	return read(ctx, s, selectHandover+"WHERE "+strings.Join(where, " AND ")+" ORDER BY h.pos DESC"+limited(f.Limit), args, scanHandover)
}

// FindHandovers returns the handovers that have a key, newest first.
func (s *SQL) FindHandovers(ctx context.Context, kind KeyKind, party handover.PartyID, value string) ([]handover.Handover, error) {
	return read(ctx, s, `SELECT h.doc FROM handover_key k JOIN handover h ON h.id = k.handover
		WHERE k.kind = ? AND k.party = ? AND k.value = ? ORDER BY h.pos DESC`,
		columnsOf(string(kind), cleanText(string(party)), cleanText(value)), scanHandover)
}

// resources runs a query for resource columns, once for each list of args, and adds who
// may read each.
func (s *SQL) resources(ctx context.Context, query string, args ...[]any) ([]Resource, error) {
	var out []Resource
	err := s.db.View(ctx, func(tx Tx) error {
		var rows []resourceRow
		err := tx.Query(query, func(_ int, r Row) error {
			row, err := scanResource(r)
			rows = append(rows, row)
			return err
		}, args...)
		if err == nil {
			out, err = withVisible(tx, rows)
		}
		return err
	})
	return out, err
}

func (s *SQL) resource(ctx context.Context, query string, args ...any) (Resource, error) {
	list, err := s.resources(ctx, query, args)
	if err != nil {
		return Resource{}, err
	}
	if len(list) == 0 {
		return Resource{}, ErrNotFound
	}
	return list[0], nil
}

// Resource returns the current version, a deleted one included.
func (s *SQL) Resource(ctx context.Context, typ, id string) (Resource, error) {
	return s.resource(ctx, selectCurrent+"WHERE r.type = ? AND r.id = ?", cleanText(typ), cleanText(id))
}

// Resources returns the current versions of several resources as of one moment.
func (s *SQL) Resources(ctx context.Context, keys []ResourceKey) ([]Resource, error) {
	lists := make([][]any, len(keys))
	for i, k := range keys {
		lists[i] = columnsOf(cleanText(k.Type), cleanText(k.ID))
	}
	return s.resources(ctx, selectCurrent+"WHERE r.type = ? AND r.id = ?", lists...)
}

const versionColumns = "r.rid, r.type, r.id, v.version, v.author, v.deleted, v.at, v.handover, v.json"

// ResourceVersion returns one version.
func (s *SQL) ResourceVersion(ctx context.Context, typ, id string, version int64) (Resource, error) {
	return s.resource(ctx, "SELECT "+versionColumns+` FROM resource r JOIN resource_version v ON v.rid = r.rid AND v.version = ?
		WHERE r.type = ? AND r.id = ?`, version, cleanText(typ), cleanText(id))
}

// ResourcesOf returns the current resources of a handover, deleted ones left out.
func (s *SQL) ResourcesOf(ctx context.Context, id handover.ID) ([]Resource, error) {
	return s.resources(ctx, selectCurrent+"WHERE r.handover = ? AND r.handover <> '' AND r.deleted = 0 ORDER BY r.rid", columnsOf(string(id)))
}

// History returns versions newest first, of what viewer may see now.
func (s *SQL) History(ctx context.Context, typ, id string, viewer handover.PartyID, limit int, before string) (Page, error) {
	page := Page{Total: -1}
	if limit <= 0 {
		limit = 1000
	}
	query := "SELECT " + versionColumns + ", v.vid FROM resource_version v JOIN resource r ON r.rid = v.rid WHERE 1 = 1"
	var args []any
	if typ != "" {
		query, args = query+" AND r.type = ?", append(args, cleanText(typ))
	}
	if id != "" {
		query, args = query+" AND r.id = ?", append(args, cleanText(id))
	}
	if viewer != "" {
		query += " AND EXISTS (SELECT 1 FROM visibility w WHERE w.rid = r.rid AND w.party = ?)"
		args = append(args, string(viewer))
	}
	if before != "" {
		vid, err := strconv.ParseInt(before, 10, 64)
		if err != nil {
			return page, invalid("page link is not one of ours", "")
		}
		query, args = query+" AND v.vid < ?", append(args, vid)
	}
	query += " ORDER BY v.vid DESC" + limited(limit+1)
	err := s.db.View(ctx, func(tx Tx) error {
		rows, vids, err := searchPage(tx, query, args)
		if err != nil {
			return err
		}
		page.Next = ""
		if len(rows) > limit {
			rows, page.Next = rows[:limit], strconv.FormatInt(vids[limit-1], 10)
		}
		page.Resources, err = withVisible(tx, rows)
		return err
	})
	return page, err
}

// EachResource calls f with every current resource that is not deleted, in pages, so that
// f may take its time and write.
func (s *SQL) EachResource(ctx context.Context, f func(Resource) error) error {
	const page = 200
	last := int64(0)
	for {
		var rows []resourceRow
		var list []Resource
		err := s.db.View(ctx, func(tx Tx) error {
			rows = nil
			err := tx.Query(selectCurrent+"WHERE r.rid > ? AND r.deleted = 0 ORDER BY r.rid"+limited(page), func(_ int, r Row) error {
				row, err := scanResource(r)
				rows = append(rows, row)
				return err
			}, columnsOf(last))
			if err == nil {
				list, err = withVisible(tx, rows)
			}
			return err
		})
		if err != nil || len(rows) == 0 {
			return err
		}
		for i := range list {
			if err := f(list[i]); err != nil {
				return err
			}
		}
		last = rows[len(rows)-1].rid
	}
}

// Reindex replaces search and visibility rows of current versions.
func (s *SQL) Reindex(ctx context.Context, rows []ResourceWrite) error {
	if s.closed.Load() {
		return ErrClosed
	}
	return s.db.Update(ctx, func(tx Tx) error {
		if _, err := readHead(tx, s.db.Locks().Wait); err != nil {
			return err
		}
		return reindex(tx, rows)
	})
}

// Delivery returns one delivery with its bytes.
func (s *SQL) Delivery(ctx context.Context, id handover.DeliveryID) (Delivery, error) {
	return readOne(ctx, s, selectDelivery+"WHERE d.id = ?", columnsOf(cleanText(string(id))), scanDelivery)
}

// DeliveriesOf returns what a message caused, in order.
func (s *SQL) DeliveriesOf(ctx context.Context, id handover.MessageID) ([]Delivery, error) {
	return read(ctx, s, selectDelivery+"WHERE d.message = ? AND d.message <> '' ORDER BY d.ord", columnsOf(cleanText(string(id))), scanDelivery)
}

// DeliveriesOfHandover returns a handover's deliveries, in order.
func (s *SQL) DeliveriesOfHandover(ctx context.Context, id handover.ID) ([]Delivery, error) {
	return read(ctx, s, selectDelivery+"WHERE d.handover = ? AND d.handover <> '' ORDER BY d.ord", columnsOf(cleanText(string(id))), scanDelivery)
}

// DeliveryByExternalID finds what a receipt refers to; the newest, should there be several.
func (s *SQL) DeliveryByExternalID(ctx context.Context, receiver handover.PartyID, externalID string) (Delivery, error) {
	return readOne(ctx, s, selectDelivery+"WHERE d.external_id = ? AND d.external_id <> '' AND d.receiver = ? ORDER BY d.ord DESC LIMIT 1",
		columnsOf(cleanText(externalID), string(receiver)), scanDelivery)
}

// Events returns events after a sequence number, in order.
func (s *SQL) Events(ctx context.Context, after int64, limit int) ([]Event, error) {
	return read(ctx, s, "SELECT m.epoch, "+prefixed("e", eventTable.columns)+" FROM event e CROSS JOIN meta m WHERE e.seq > ? ORDER BY e.seq"+limited(limit),
		columnsOf(after), func(r Row) (Event, error) {
			var row eventRow
			var epoch string
			err := scanFields(r, append([]field{{"epoch", &epoch, loose}}, row.fields()...))
			row.ID = epoch + "-" + strconv.FormatInt(row.Seq, 10)
			return row.Event, err
		})
}

// LastEvent returns the last sequence number, 0 before the first event.
func (s *SQL) LastEvent(ctx context.Context) (int64, error) {
	return readOne(ctx, s, "SELECT event FROM head", nil, func(r Row) (n int64, err error) { return n, r.Scan(&n) })
}

// AuditOf returns audit records, oldest first.
func (s *SQL) AuditOf(ctx context.Context, f AuditFilter) ([]Audit, error) {
	where, args := []string{"1 = 1"}, []any(nil)
	if f.Message != "" {
		where, args = append(where, "message = ? AND message <> ''"), append(args, cleanText(string(f.Message)))
	}
	if f.Handover != "" {
		where, args = append(where, "handover = ? AND handover <> ''"), append(args, cleanText(string(f.Handover)))
	}
	return read(ctx, s, "SELECT "+auditTable.columns+" FROM audit WHERE "+strings.Join(where, " AND ")+" ORDER BY id"+limited(f.Limit), args,
		func(r Row) (Audit, error) {
			var row auditRow
			err := scanFields(r, row.fields())
			return row.Audit, err
		})
}

// Head returns the chain's end as a checkpoint.
func (s *SQL) Head(ctx context.Context) (Checkpoint, error) {
	c := Checkpoint{At: s.clock().UTC().Truncate(time.Microsecond)}
	err := s.db.View(ctx, func(tx Tx) error {
		h, err := readHead(tx, "")
		c.Epoch, c.Entry, c.Head, c.Event = h.epoch, h.entry, hexDigest(h.digest), h.event
		return err
	})
	return c, err
}
