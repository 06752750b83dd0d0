package directory

import "testing"

func TestNear(t *testing.T) {
	known := []string{"sqlite", "postgres", "listen", "knownRecipient"}
	for wrong, want := range map[string]string{
		"sqlte": "sqlite", "SQLite": "sqlite", "postgress": "postgres", "listn": "listen", "knownreciepient": "knownRecipient",
		"colour": "", "x": "",
	} {
		if got := Near(wrong, known); got != want {
			t.Errorf("%s: %q, not %q", wrong, got, want)
		}
	}
}
