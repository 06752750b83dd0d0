package ledger

import (
	"context"
	"slices"
	"strconv"

	"stafett/handover"
)

// listOf is a list in the order of the key that the ledger gave each row when it was first
// stored. Keys are in commit order and never change, so that a page goes on exactly behind
// the one before it, whatever is written between the two.
type listOf[T any] struct {
	rows   string // the select of whole rows
	table  string // the table and its alias, for the count
	key    string
	newest bool // the newest first
	scan   func(Row) (T, int64, error)
}

// The lists. The plus keeps the planner from walking all messages in order, of which few
// are parked.
var (
	handoverList = listOf[handover.Handover]{"SELECT h.doc, h.pos FROM handover h ", "handover h", "h.pos", true, scanListedHandover}
	messageList  = listOf[Message]{selectMessage, "message m", "+m.pos", false, scanListedMessage}
	deliveryList = listOf[Delivery]{selectDelivery, "delivery d", "d.ord", false, scanListedDelivery}

	resolvedMessageList  = listOf[Message]{selectMessage, "message m", "+m.pos", true, scanListedMessage}
	resolvedDeliveryList = listOf[Delivery]{selectDelivery, "delivery d", "+d.ord", true, scanListedDelivery}
)

func scanListedHandover(r Row) (h handover.Handover, pos int64, err error) {
	h, err = scanHandover(trailing{r, &pos})
	return h, pos, err
}

func scanListedMessage(r Row) (Message, int64, error) {
	row, err := scanMessageRow(r)
	return row.Message, row.pos, err
}

func scanListedDelivery(r Row) (Delivery, int64, error) {
	row, err := scanDeliveryRow(r)
	return row.Delivery, row.Order, err
}

// page reads the part of the list behind after, and counts what where selects.
func (l listOf[T]) page(ctx context.Context, db Database, where condition, limit int, after string) (Listing[T], error) {
	query, args, err := l.query(where, limit, after)
	if err != nil {
		return Listing[T]{}, err
	}
	var out Listing[T]
	err = db.View(ctx, func(tx Tx) error {
		out = Listing[T]{}
		if out.Items, out.Next, err = l.read(tx, query, args, pageSize(limit)); err != nil {
			return err
		}
		if after == "" && out.Next == "" { // this page is the whole list
			out.Total = len(out.Items)
			return nil
		}
		var total int64
		err := one(tx, "SELECT count(*) FROM "+l.table+" WHERE "+where.sql, where.args, &total)
		out.Total = int(total)
		return err
	})
	return out, err
}

// query asks for one row more than the page has, which tells whether another follows.
func (l listOf[T]) query(where condition, limit int, after string) (string, []any, error) {
	beyond, order := " > ?", ""
	if l.newest {
		beyond, order = " < ?", " DESC"
	}
	if after != "" {
		key, err := position(after)
		if err != nil {
			return "", nil, err
		}
		where = all([]condition{where, {l.key + beyond, columnsOf(key)}})
	}
	return l.rows + "WHERE " + where.sql + " ORDER BY " + l.key + order + limited(pageSize(limit)+1), where.args, nil
}

func (l listOf[T]) read(tx Tx, query string, args []any, limit int) (items []T, next string, err error) {
	var keys []int64
	err = tx.Query(query, func(_ int, r Row) error {
		item, key, err := l.scan(r)
		items, keys = append(items, item), append(keys, key)
		return err
	}, args)
	if len(items) > limit {
		items, next = slices.Delete(items, limit, len(items)), strconv.FormatInt(keys[limit-1], 10)
	}
	return items, next, err
}

// position reads what a page told as the one behind it.
func position(after string) (int64, error) {
	key, err := strconv.ParseInt(after, 10, 64)
	if err != nil {
		return 0, invalid("page link is not one of ours", "")
	}
	return key, nil
}

// sqlLister is the Lister.
type sqlLister struct{ *shared }

// accessEnded finds in a handover's document that its receiver is told nothing more.
const accessEnded = `%"accessEnded":true%`

// Handovers lists what the filter selects, newest first.
func (s sqlLister) Handovers(ctx context.Context, f HandoverFilter) (Listing[handover.Handover], error) {
	var where []condition
	if f.Party != "" {
		p := string(f.Party)
		where = append(where, condition{`CASE WHEN h.receiver = ? THEN h.doc NOT LIKE ? ELSE h.sender = ? OR h.copies LIKE ? ESCAPE '\' END`,
			columnsOf(p, accessEnded, p, containing(","+p+","))})
	}
	if f.Chain != "" {
		where = append(where, condition{"h.chain = ?", columnsOf(string(f.Chain))})
	}
	if f.OpenOnly {
		where = append(where, condition{sql: "h.open = 1"})
	}
	if f.Attention {
		where = append(where, condition{sql: "h.attention = 1"})
	}
	return handoverList.page(ctx, s.db, all(where), f.Limit, f.After)
}

// sentBy keeps the messages of the filter's party.
func (f ParkedFilter) sentBy(where string) condition {
	if f.Party == "" {
		return condition{sql: where}
	}
	return all([]condition{{sql: where}, {"m.sender = ?", columnsOf(string(f.Party))}})
}

// onBehalf selects the deliveries that one party answers for: of a handover, those to its
// other party; else its own messages that were passed on, and what was sent to itself.
const onBehalf = `CASE WHEN d.handover = '' AND d.purpose = 'tell' AND d.message <> '' THEN
	(SELECT m.sender FROM message m WHERE m.id = d.message)
	WHEN d.handover = '' THEN d.receiver ELSE
	(SELECT CASE WHEN h.sender = d.receiver THEN h.receiver ELSE h.sender END FROM handover h WHERE h.id = d.handover) END = ?`

// answeredBy keeps the deliveries that the filter's party answers for.
func (f ParkedFilter) answeredBy(where string) condition {
	if f.Party == "" {
		return condition{sql: where}
	}
	return all([]condition{{sql: where}, {onBehalf, columnsOf(string(f.Party))}})
}

// ParkedMessages lists the parked ones that nobody has resolved, oldest first.
func (s sqlLister) ParkedMessages(ctx context.Context, f ParkedFilter) (Listing[Message], error) {
	where := f.sentBy("m.disposition IN ('parked', 'moving') AND m.resolution = '' AND m.disposition = 'parked'")
	return messageList.page(ctx, s.db, where, f.Limit, f.After)
}

// ParkedDeliveries lists those that a named person must act on, oldest first.
func (s sqlLister) ParkedDeliveries(ctx context.Context, f ParkedFilter) (Listing[Delivery], error) {
	return deliveryList.page(ctx, s.db, f.answeredBy("d.state IN ('refused', 'parked')"), f.Limit, f.After)
}

// ResolvedMessages lists those that a named person ended, newest first.
func (s sqlLister) ResolvedMessages(ctx context.Context, f ParkedFilter) (Listing[Message], error) {
	return resolvedMessageList.page(ctx, s.db, f.sentBy("m.resolution <> ''"), f.Limit, f.After)
}

// ResolvedDeliveries lists those that a named person ended, newest first.
func (s sqlLister) ResolvedDeliveries(ctx context.Context, f ParkedFilter) (Listing[Delivery], error) {
	return resolvedDeliveryList.page(ctx, s.db, f.answeredBy("(d.resolution <> '' OR d.state = 'closed')"), f.Limit, f.After)
}

// Unheard lists what reached nobody, oldest first.
func (s sqlLister) Unheard(ctx context.Context, f ParkedFilter) (Listing[Message], error) {
	return messageList.page(ctx, s.db, f.sentBy("m.unheard <> ''"), f.Limit, f.After)
}
