package ledger

import (
	"bytes"
	"time"
)

// Unstamped stands in a resource's meta.lastUpdated until the commit puts the time of the
// version there. It is no instant, so that no resource that was validated holds another.
const Unstamped = "0000-00-00T00:00:00.000000Z"

// TimeText spells the time of a version as meta.lastUpdated holds it, as wide as Unstamped.
func TimeText(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000000Z") }

var unstamped = []byte(`"lastUpdated":"` + Unstamped + `"`)

// Stamp returns a resource's JSON, spelled without spaces, with the time of its version.
func Stamp(json []byte, at time.Time) []byte {
	if !bytes.Contains(json, unstamped) {
		return json
	}
	return bytes.Replace(json, unstamped, []byte(`"lastUpdated":"`+TimeText(at)+`"`), 1)
}

// next is the time of the next resource version: the clock's, but later than that of every
// version before it, whoever wrote it. The head is locked, so that times are in commit
// order: who has seen one misses none before it.
func (h *head) next(now time.Time) time.Time {
	h.at = max(micros(now), h.at+1)
	return timeOf(h.at)
}
