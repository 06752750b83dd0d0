package act

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/google/uuid"

	"stafett/handover"
)

// Identity makes the ids of things that come again, keyed by the ledger's secret: nobody
// can try numbers against them.
type Identity struct{ Secret []byte }

// StableID is the id of the same thing in every message of one party.
func (i Identity) StableID(party handover.PartyID, typ, key string) string {
	var u uuid.UUID
	copy(u[:], i.keyed("id", string(party), typ, key))
	u[6] = u[6]&0x0f | 0x80 // RFC 9562 version 8: by our own rule
	u[8] = u[8]&0x3f | 0x80
	return u.String()
}

// PersonKey stands for a person's number where messages of several parties must meet; it is
// never shown to anybody.
func (i Identity) PersonKey(system, value string) string {
	return hex.EncodeToString(i.keyed("person", system, value))
}

func (i Identity) keyed(parts ...string) []byte {
	mac := hmac.New(sha256.New, i.Secret)
	for _, p := range parts {
		fmt.Fprintf(mac, "%d:%s", len(p), p)
	}
	return mac.Sum(nil)
}
