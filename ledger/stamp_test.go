package ledger

import (
	"testing"
	"time"
)

// TestTimes_RiseWhateverTheClockSays: writers' clocks differ, stand still and go back.
func TestTimes_RiseWhateverTheClockSays(t *testing.T) {
	now := time.Date(2026, 3, 2, 8, 0, 0, 999, time.UTC)
	var h head
	last := h.next(now)
	if want := now.Truncate(time.Microsecond); !last.Equal(want) {
		t.Errorf("the first is %v, want the clock's %v", last, want)
	}
	for _, clock := range []time.Duration{0, -time.Hour, time.Second, time.Second, 0, 2 * time.Second} {
		at := h.next(now.Add(clock))
		if !at.After(last) {
			t.Errorf("the clock at %v: %v after %v", clock, at, last)
		}
		last = at
	}
}

func TestStamp(t *testing.T) {
	at := time.Date(2026, 3, 2, 8, 0, 0, 120000, time.UTC)
	for _, test := range []struct{ json, want string }{
		{`{"meta":{"lastUpdated":"0000-00-00T00:00:00.000000Z"}}`, `{"meta":{"lastUpdated":"2026-03-02T08:00:00.000120Z"}}`},
		{`{"text":"\"lastUpdated\":\"0000-00-00T00:00:00.000000Z\"","valueString":"0000-00-00T00:00:00.000000Z"}`,
			`{"text":"\"lastUpdated\":\"0000-00-00T00:00:00.000000Z\"","valueString":"0000-00-00T00:00:00.000000Z"}`},
		{`{"meta":{"lastUpdated":"2026-01-01T00:00:00Z"}}`, `{"meta":{"lastUpdated":"2026-01-01T00:00:00Z"}}`},
	} {
		if got := string(Stamp([]byte(test.json), at)); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}
