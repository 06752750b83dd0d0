package ledgertest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"stafett/handover"
	"stafett/ledger"
)

// listed is a list of the contract: units that put a row into it, put one beside it that
// the filter leaves out, and take one out of it (nil where nothing leaves); and its pages, by the ids of their rows.
type listed struct {
	name              string
	in, beside, leave func(t *testing.T, s ledger.Store, id string) ledger.Unit
	page              func(s ledger.Store, limit int, after string) (ledger.Listing[string], error)
	newest            bool
}

func idsOf[T any](p ledger.Listing[T], err error, id func(T) string) (ledger.Listing[string], error) {
	out := ledger.Listing[string]{Next: p.Next, Total: p.Total}
	for _, item := range p.Items {
		out.Items = append(out.Items, id(item))
	}
	return out, err
}

var handoversListed = listed{
	name: "handovers", newest: true,
	in: func(_ *testing.T, _ ledger.Store, id string) ledger.Unit {
		return ledger.Unit{Handovers: []handover.Handover{sampleHandover(handover.ID(id), Start)}}
	},
	beside: func(_ *testing.T, _ ledger.Store, id string) ledger.Unit {
		ended := sampleHandover(handover.ID(id), Start)
		ended.State, ended.Deadline = handover.StateCompleted, time.Time{}
		return ledger.Unit{Handovers: []handover.Handover{ended}}
	},
	leave: func(_ *testing.T, s ledger.Store, id string) ledger.Unit {
		h := must1(s.Handover(ctx, handover.ID(id)))
		h.State, h.Deadline = handover.StateCompleted, time.Time{}
		return ledger.Unit{Handovers: []handover.Handover{h}}
	},
	page: func(s ledger.Store, limit int, after string) (ledger.Listing[string], error) {
		p, err := s.Handovers(ctx, ledger.HandoverFilter{Party: municipality, OpenOnly: true, Limit: limit, After: after})
		return idsOf(p, err, func(h handover.Handover) string { return string(h.ID) })
	},
}

func parkedMessage(id handover.MessageID, sender handover.PartyID) ledger.Unit {
	u := messageUnit(id, "", string(id))
	u.Message.Sender, u.Message.Disposition, u.Message.Contact, u.Message.Deadline = sender, ledger.DispositionParked, "vakt", Start
	return u
}

var messagesListed = listed{
	name: "parked messages",
	in: func(_ *testing.T, _ ledger.Store, id string) ledger.Unit {
		return parkedMessage(handover.MessageID(id), hospital)
	},
	beside: func(_ *testing.T, _ ledger.Store, id string) ledger.Unit {
		return parkedMessage(handover.MessageID(id), municipality)
	},
	leave: func(_ *testing.T, s ledger.Store, id string) ledger.Unit {
		m := must1(s.Message(ctx, handover.MessageID(id)))
		m.Resolution, m.Person = "closed", "kari"
		return ledger.Unit{Messages: []ledger.MessageUpdate{{Message: m}}}
	},
	page: func(s ledger.Store, limit int, after string) (ledger.Listing[string], error) {
		p, err := s.ParkedMessages(ctx, ledger.ParkedFilter{Party: hospital, Limit: limit, After: after})
		return idsOf(p, err, func(m ledger.Message) string { return string(m.ID) })
	},
}

var deliveriesListed = listed{
	name: "parked deliveries",
	in: func(_ *testing.T, _ ledger.Store, id string) ledger.Unit {
		d := deliveryIn(handover.DeliveryID(id), "", ledger.DeliveryParked)
		return ledger.Unit{Deliveries: []ledger.Delivery{d}}
	},
	beside: func(_ *testing.T, _ ledger.Store, id string) ledger.Unit {
		d := deliveryIn(handover.DeliveryID(id), "", ledger.DeliveryAwaiting)
		return ledger.Unit{Deliveries: []ledger.Delivery{d}}
	},
	leave: func(_ *testing.T, s ledger.Store, id string) ledger.Unit {
		d := must1(s.Delivery(ctx, handover.DeliveryID(id)))
		d.State = ledger.DeliveryClosed
		return ledger.Unit{Deliveries: []ledger.Delivery{d}}
	},
	page: func(s ledger.Store, limit int, after string) (ledger.Listing[string], error) {
		p, err := s.ParkedDeliveries(ctx, ledger.ParkedFilter{Party: municipality, Limit: limit, After: after})
		return idsOf(p, err, func(d ledger.Delivery) string { return string(d.ID) })
	},
}

var resolvedMessagesListed = listed{
	name: "resolved messages", newest: true,
	in: func(_ *testing.T, _ ledger.Store, id string) ledger.Unit {
		u := parkedMessage(handover.MessageID(id), hospital)
		u.Message.Disposition, u.Message.Resolution, u.Message.Person = ledger.DispositionClosed, "phoned", "kari"
		return u
	},
	beside: func(_ *testing.T, _ ledger.Store, id string) ledger.Unit {
		return parkedMessage(handover.MessageID(id), hospital)
	},
	page: func(s ledger.Store, limit int, after string) (ledger.Listing[string], error) {
		p, err := s.ResolvedMessages(ctx, ledger.ParkedFilter{Party: hospital, Limit: limit, After: after})
		return idsOf(p, err, func(m ledger.Message) string { return string(m.ID) })
	},
}

var resolvedDeliveriesListed = listed{
	name: "resolved deliveries", newest: true,
	in: func(_ *testing.T, _ ledger.Store, id string) ledger.Unit {
		d := deliveryIn(handover.DeliveryID(id), "", ledger.DeliveryClosed)
		d.Resolution, d.Person = "phoned", "kari"
		return ledger.Unit{Deliveries: []ledger.Delivery{d}}
	},
	beside: func(_ *testing.T, _ ledger.Store, id string) ledger.Unit {
		return ledger.Unit{Deliveries: []ledger.Delivery{deliveryIn(handover.DeliveryID(id), "", ledger.DeliverySuperseded)}}
	},
	page: func(s ledger.Store, limit int, after string) (ledger.Listing[string], error) {
		p, err := s.ResolvedDeliveries(ctx, ledger.ParkedFilter{Party: municipality, Limit: limit, After: after})
		return idsOf(p, err, func(d ledger.Delivery) string { return string(d.ID) })
	},
}

var unheardListed = listed{
	name: "unheard messages",
	in: func(_ *testing.T, _ ledger.Store, id string) ledger.Unit {
		u := messageUnit(handover.MessageID(id), "", id)
		u.Message.Unheard = "no-handover"
		return u
	},
	beside: func(_ *testing.T, _ ledger.Store, id string) ledger.Unit {
		return messageUnit(handover.MessageID(id), "", id)
	},
	leave: func(_ *testing.T, s ledger.Store, id string) ledger.Unit {
		m := must1(s.Message(ctx, handover.MessageID(id)))
		m.Unheard = ""
		return ledger.Unit{Messages: []ledger.MessageUpdate{{Message: m}}}
	},
	page: func(s ledger.Store, limit int, after string) (ledger.Listing[string], error) {
		p, err := s.Unheard(ctx, ledger.ParkedFilter{Party: hospital, Limit: limit, After: after})
		return idsOf(p, err, func(m ledger.Message) string { return string(m.ID) })
	},
}

var auditListed = listed{
	name: "audit",
	in: func(_ *testing.T, _ ledger.Store, id string) ledger.Unit {
		return ledger.Unit{Audit: []ledger.Audit{{Action: ledger.AuditOperated, Handover: "listed", Detail: id}}}
	},
	beside: func(_ *testing.T, _ ledger.Store, id string) ledger.Unit {
		return ledger.Unit{Audit: []ledger.Audit{{Action: ledger.AuditOperated, Handover: "another", Detail: id}}}
	},
	page: func(s ledger.Store, limit int, after string) (ledger.Listing[string], error) {
		p, err := s.AuditOf(ctx, ledger.AuditFilter{Handover: "listed", Limit: limit, After: after})
		return idsOf(p, err, func(a ledger.Audit) string { return a.Detail })
	},
}

// Invariant 2: whoever walks the pages of a list meets all of it, each row once, and each
// page tells how long the whole list is, whatever is written between two pages.
func testLists(t *testing.T, h Harness) {
	for _, l := range []listed{handoversListed, messagesListed, deliveriesListed, resolvedMessagesListed, resolvedDeliveriesListed, unheardListed, auditListed} {
		t.Run(l.name, func(t *testing.T) {
			w := &walker{listed: l, t: t, s: h.Open(t)}
			for range 7 {
				w.add()
			}
			for _, limit := range []int{1, 2, 3, 7, 0} {
				w.quiet(limit)
				w.whileWritten(limit)
				if l.leave != nil {
					w.whileLeft(limit)
				}
			}
			_, err := l.page(w.s, 1, "'; DROP TABLE message")
			wantInvalid(t, err)
			whole(t, w.s)
		})
	}
}

// walker walks a list whose rows it knows.
type walker struct {
	listed
	t    *testing.T
	s    ledger.Store
	rows []string // those in the list, oldest first
	n    int
}

// add puts one row into the list and one beside it.
func (w *walker) add() {
	w.n++
	id := fmt.Sprintf("row-%d", w.n)
	must(w.t, w.s, w.in(w.t, w.s, id), w.beside(w.t, w.s, "not-"+id))
	w.rows = append(w.rows, id)
}

func (w *walker) drop(id string) {
	must(w.t, w.s, w.leave(w.t, w.s, id))
	w.rows = slices.DeleteFunc(w.rows, func(row string) bool { return row == id })
}

// walk returns the rows of all pages; between is called after each with what it held.
func (w *walker) walk(limit int, between func(met []string)) []string {
	w.t.Helper()
	return must1(ledger.All(func(after string) (ledger.Listing[string], error) {
		p, err := w.page(w.s, limit, after)
		same(w.t, "total", p.Total, len(w.rows))
		if limit > 0 && (len(p.Items) > limit || p.Next != "" && len(p.Items) < limit) {
			w.t.Errorf("a page of %d rows, %d were asked for and more follow: %v", len(p.Items), limit, p.Next != "")
		}
		between(p.Items)
		return p, err
	}))
}

// ordered is rows in the order of the list.
func (w *walker) ordered(rows []string) []string {
	out := slices.Clone(rows)
	if w.newest {
		slices.Reverse(out)
	}
	return out
}

func (w *walker) quiet(limit int) {
	w.t.Helper()
	same(w.t, fmt.Sprint("pages of ", limit), w.walk(limit, func([]string) {}), w.ordered(w.rows))
}

// whileWritten: rows that come meanwhile stand at the end of a list that begins with the
// oldest, and before the first page of one that begins with the newest.
func (w *walker) whileWritten(limit int) {
	w.t.Helper()
	want, added := slices.Clone(w.rows), 0
	met := w.walk(limit, func([]string) {
		if !w.newest {
			want = slices.Clone(w.rows)
		}
		if added < 4 {
			added++
			w.add()
		}
	})
	same(w.t, fmt.Sprint("pages of ", limit, " while rows are stored"), met, w.ordered(want))
}

// whileLeft: rows that leave meanwhile, met or not, take no other with them.
func (w *walker) whileLeft(limit int) {
	w.t.Helper()
	before := w.ordered(w.rows)
	left := false
	met := w.walk(limit, func(items []string) {
		if !left {
			left = true
			w.drop(before[0])
			w.drop(before[len(before)-1])
		}
	})
	want := before
	if limit > 0 && limit < len(before) {
		want = before[:len(before)-1]
	}
	same(w.t, fmt.Sprint("pages of ", limit, " while rows leave"), met, want)
}

// testParkedOf: a party's persons see what they must act on, and nobody else's.
func testParkedOf(t *testing.T, h Harness) {
	s := h.Open(t)
	in := func(id handover.DeliveryID, of handover.ID, to handover.PartyID) ledger.Delivery {
		d := deliveryIn(id, "", ledger.DeliveryRefused)
		d.Handover, d.Receiver = of, to
		return d
	}
	must(t, s, ledger.Unit{
		Handovers: []handover.Handover{sampleHandover("h", Start)}, // from the hospital to the municipality
		Deliveries: []ledger.Delivery{in("to-receiver", "h", municipality), in("to-sender", "h", hospital), in("in-copy", "h", institution),
			in("alert", "", municipality), in("stray", "none", municipality)},
	}, parkedMessage("m-hospital", hospital), parkedMessage("m-municipality", municipality), parkedMessage("m-unknown", ""))
	for _, test := range []struct {
		party      handover.PartyID
		deliveries []handover.DeliveryID
		messages   []string
	}{
		{"", []handover.DeliveryID{"to-receiver", "to-sender", "in-copy", "alert", "stray"}, []string{"m-hospital", "m-municipality", "m-unknown"}},
		{hospital, []handover.DeliveryID{"to-receiver", "in-copy"}, []string{"m-hospital"}},
		{municipality, []handover.DeliveryID{"to-sender", "alert"}, []string{"m-municipality"}},
		{institution, nil, nil},
		{"%", nil, nil},
	} {
		of := ledger.ParkedFilter{Party: test.party}
		ds, ms := must1(s.ParkedDeliveries(ctx, of)), must1(s.ParkedMessages(ctx, of))
		same(t, "deliveries", deliveryIDs(ds.Items), test.deliveries)
		same(t, "messages", must1(idsOf(ms, nil, func(m ledger.Message) string { return string(m.ID) })).Items, test.messages)
		same(t, "totals", []int{ds.Total, ms.Total}, []int{len(test.deliveries), len(test.messages)})
	}
}
