package intake

import (
	"testing"
)

func TestExternalID_IsNoPersonsNumber(t *testing.T) {
	const number = "12034800241" // of a fictitious person
	for _, c := range []struct{ id, raw, want string }{
		{"FJ-1", "MSH|FJ-1", "FJ-1"},
		{number, "MSH|" + number + "\rPID|" + number, ""},
		{"A" + number + "-2", "MSH|A" + number + "-2\rPID|" + number, ""},
		// A counter that happens to be of right form.
		{number, "MSH|" + number + "\rPID|1", number},
		{"12034800242", "MSH|12034800242\rPID|12034800242", "12034800242"},
	} {

		if got := externalID(c.id, []byte(c.raw)); got != c.want {
			t.Errorf("%q: %q, want %q", c.id, got, c.want)
		}
	}
}
