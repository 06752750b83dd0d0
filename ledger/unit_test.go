package ledger_test

import (
	"reflect"
	"testing"

	"stafett/handover"
	"stafett/ledger"
)

// fullUnit has something in every field, each named after id.
func fullUnit(id string) ledger.Unit {
	return ledger.Unit{
		Message:    &ledger.Message{ID: handover.MessageID("new-" + id)},
		Messages:   []ledger.MessageUpdate{{Message: ledger.Message{ID: handover.MessageID(id), Version: 3}}},
		Handovers:  []handover.Handover{{ID: handover.ID(id), Version: 3}},
		Keys:       []ledger.HandoverKey{{Kind: ledger.KeyVisit, Value: id}},
		Resources:  []ledger.ResourceWrite{{Type: "Task", ID: id, Expect: 3, JSON: []byte(`{}`)}},
		Shown:      []ledger.Shown{{Type: "Patient", ID: id, Expect: 3, Grants: []ledger.Grant{{Party: "p", Handover: "h"}}}},
		Deliveries: []ledger.Delivery{{ID: handover.DeliveryID(id), Version: 3}},
		Events:     []ledger.Event{{Handover: handover.ID(id)}},
		Audit:      []ledger.Audit{{Detail: id}},
		Guards:     []ledger.Guard{{Key: id}},
		End:        []ledger.Ended{{Party: handover.PartyID(id)}},
		Hide:       []ledger.Hidden{{Party: handover.PartyID(id)}},
		Erase:      []ledger.Erasure{{Message: handover.MessageID(id)}},
	}
}

// TestUnitAddLosesNoField holds for every field of Unit, also one that is added later: what
// the further unit has is there afterwards, and what was there before still is.
func TestUnitAddLosesNoField(t *testing.T) {
	full := reflect.ValueOf(fullUnit("b"))
	for i := range full.NumField() {
		name := full.Type().Field(i).Name
		if full.Field(i).IsZero() {
			t.Errorf("the test fills no %s", name)
			continue
		}
		var only ledger.Unit
		reflect.ValueOf(&only).Elem().Field(i).Set(full.Field(i))
		var sum ledger.Unit
		sum.Add(only)
		if !reflect.DeepEqual(sum, only) {
			t.Errorf("%s is lost: %+v", name, sum)
		}
		both := fullUnit("a")
		both.Add(only)
		want := fullUnit("a")
		if f := reflect.ValueOf(&want).Elem().Field(i); f.Kind() == reflect.Slice {
			f.Set(reflect.AppendSlice(f, full.Field(i)))
		}
		if !reflect.DeepEqual(both, want) {
			t.Errorf("%s: %+v, want %+v", name, both, want)
		}
	}
}

// TestUnitAddWritesEachRowOnce: the later act's content at the version that the first expected.
func TestUnitAddWritesEachRowOnce(t *testing.T) {
	u := ledger.Unit{
		Messages:  []ledger.MessageUpdate{{Message: ledger.Message{ID: "m", Version: 2, Detail: "first"}}},
		Handovers: []handover.Handover{{ID: "h", Version: 4, State: handover.StateAccepted}, {ID: "other", Version: 1}},
		Resources: []ledger.ResourceWrite{{Type: "Task", ID: "h", Expect: 4, JSON: []byte(`1`), Grants: []ledger.Grant{{Party: "p"}}, Handover: "h"},
			{Type: "Patient", ID: "h", Expect: 1}},
		Shown:      []ledger.Shown{{Type: "Goal", ID: "g", Expect: 2, Grants: []ledger.Grant{{Party: "p"}}}},
		Deliveries: []ledger.Delivery{{ID: "d", Version: 1, State: ledger.DeliveryPending}},
	}
	u.Add(ledger.Unit{
		Messages:   []ledger.MessageUpdate{{Message: ledger.Message{ID: "m", Version: 3, Detail: "second"}}},
		Handovers:  []handover.Handover{{ID: "h", Version: 5, State: handover.StateInProgress}},
		Resources:  []ledger.ResourceWrite{{Type: "Task", ID: "h", Expect: 5, JSON: []byte(`2`)}},
		Shown:      []ledger.Shown{{Type: "Task", ID: "h", Expect: 5, Grants: []ledger.Grant{{Party: "q"}}}, {Type: "Goal", ID: "g", Expect: 2, Grants: []ledger.Grant{{Party: "p"}, {Party: "q"}}}},
		Deliveries: []ledger.Delivery{{ID: "d", Version: 2, State: ledger.DeliveryClosed}},
	})
	want := ledger.Unit{
		Messages:  []ledger.MessageUpdate{{Message: ledger.Message{ID: "m", Version: 2, Detail: "second"}}},
		Handovers: []handover.Handover{{ID: "h", Version: 4, State: handover.StateInProgress}, {ID: "other", Version: 1}},
		Resources: []ledger.ResourceWrite{{Type: "Task", ID: "h", Expect: 4, JSON: []byte(`2`), Grants: []ledger.Grant{{Party: "p"}, {Party: "q"}}, Handover: "h"},
			{Type: "Patient", ID: "h", Expect: 1}},
		Shown:      []ledger.Shown{{Type: "Goal", ID: "g", Expect: 2, Grants: []ledger.Grant{{Party: "p"}, {Party: "q"}}}},
		Deliveries: []ledger.Delivery{{ID: "d", Version: 1, State: ledger.DeliveryClosed}},
	}
	if !reflect.DeepEqual(u, want) {
		t.Errorf("%+v\nwant %+v", u, want)
	}
	if w := u.Resource("Task", "h"); w == nil || string(w.JSON) != "2" {
		t.Errorf("Resource finds %+v", w)
	}
	if u.Resource("Task", "none") != nil {
		t.Error("Resource finds what is not there")
	}
}

// TestGroupIsNoAppender: units reach the Store behind a Group through Commit alone.
func TestGroupIsNoAppender(t *testing.T) {
	if _, ok := any(new(ledger.Group)).(ledger.Appender); ok {
		t.Error("a Group can be applied to past its queue")
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[ledger.Group]()) {
		if f.IsExported() {
			t.Errorf("a Group lets its %s be reached", f.Name)
		}
	}
}
