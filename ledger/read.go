package ledger

import (
	"context"
	"strconv"
	"strings"

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

// pageSize is a limit as asked for; none or a negative one means a thousand.
func pageSize(n int) int {
	if n <= 0 {
		return 1000
	}
	return n
}

// limited spells a LIMIT.
func limited(n int) string { return " LIMIT " + strconv.Itoa(pageSize(n)) }

// sqlReader is the Reader.
type sqlReader struct{ *shared }

// Message returns one message with its bytes.
func (s sqlReader) Message(ctx context.Context, id handover.MessageID) (Message, error) {
	return readOne(ctx, s.db, selectMessage+"WHERE m.id = ?", columnsOf(cleanText(string(id))), scanMessage)
}

// MessagesByExternalID returns what a sender sent under one id, repeats left out.
func (s sqlReader) MessagesByExternalID(ctx context.Context, sender handover.PartyID, externalID string) ([]Message, error) {
	return read(ctx, s.db, selectMessage+`WHERE m.sender = ? AND m.external_id = ? AND m.disposition <> 'repeated'
		AND m.external_id <> '' ORDER BY m.pos`, columnsOf(cleanText(string(sender)), cleanText(externalID)), scanMessage)
}

// MessageState is the message's disposition with its deliveries summed in: the worst
// delivery decides.
func (s sqlReader) MessageState(ctx context.Context, id handover.MessageID) (Disposition, error) {
	return readOne(ctx, s.db, "SELECT "+storedDisposition+", COALESCE((SELECT max("+worst+") FROM delivery d WHERE d.message = m.id AND d.message <> ''), -1) FROM message m WHERE m.id = ?",
		columnsOf(cleanText(string(id))), func(r Row) (Disposition, error) {
			var stored string
			var rank int64
			err := r.Scan(&stored, &rank)
			return sumOf(Disposition(stored), rank), err
		})
}

// MessagesOf returns the messages applied to a handover, oldest first.
func (s sqlReader) MessagesOf(ctx context.Context, id handover.ID) ([]Message, error) {
	return read(ctx, s.db, selectMessage+"WHERE m.handover = ? AND m.handover <> '' ORDER BY m.pos", columnsOf(string(id)), scanMessage)
}

// Handover returns one handover.
func (s sqlReader) Handover(ctx context.Context, id handover.ID) (handover.Handover, error) {
	return readOne(ctx, s.db, selectHandover+"WHERE h.id = ?", columnsOf(cleanText(string(id))), scanHandover)
}

// FindHandovers returns the handovers that have a key, newest first.
func (s sqlReader) FindHandovers(ctx context.Context, kind KeyKind, party handover.PartyID, value string) ([]handover.Handover, error) {
	return read(ctx, s.db, `SELECT h.doc FROM handover_key k JOIN handover h ON h.id = k.handover
		WHERE k.kind = ? AND k.party = ? AND k.value = ? ORDER BY h.pos DESC`,
		columnsOf(string(kind), cleanText(string(party)), cleanText(value)), scanHandover)
}

// Delivery returns one delivery with its bytes.
func (s sqlReader) Delivery(ctx context.Context, id handover.DeliveryID) (Delivery, error) {
	return readOne(ctx, s.db, selectDelivery+"WHERE d.id = ?", columnsOf(cleanText(string(id))), scanDelivery)
}

// DeliveriesOf returns what a message caused, in order.
func (s sqlReader) DeliveriesOf(ctx context.Context, id handover.MessageID) ([]Delivery, error) {
	return read(ctx, s.db, selectDelivery+"WHERE d.message = ? AND d.message <> '' ORDER BY d.ord", columnsOf(cleanText(string(id))), scanDelivery)
}

// DeliveriesOfHandover returns a handover's deliveries, in order.
func (s sqlReader) DeliveriesOfHandover(ctx context.Context, id handover.ID) ([]Delivery, error) {
	return read(ctx, s.db, selectDelivery+"WHERE d.handover = ? AND d.handover <> '' ORDER BY d.ord", columnsOf(cleanText(string(id))), scanDelivery)
}

// DeliveryByExternalID finds what a receipt refers to; the newest, should there be several.
func (s sqlReader) DeliveryByExternalID(ctx context.Context, receiver handover.PartyID, externalID string) (Delivery, error) {
	return readOne(ctx, s.db, selectDelivery+"WHERE d.external_id = ? AND d.external_id <> '' AND d.receiver = ? ORDER BY d.ord DESC LIMIT 1",
		columnsOf(cleanText(externalID), string(receiver)), scanDelivery)
}
