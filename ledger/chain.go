package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"

	"stafett/handover"
)

// item is one thing that a chain entry vouches for: a row by its position and digest.
// Invariant 8: entries hold kinds, positions and digests only, never content or a name,
// so that content can be erased while the chain still verifies.
type item struct {
	kind   itemKind
	key    int64
	digest [sha256.Size]byte
}

type itemKind byte

const (
	itemMessage  itemKind = 1
	itemHandover itemKind = 2
	itemResource itemKind = 3
	itemDelivery itemKind = 4
	itemEvent    itemKind = 5
	itemAudit    itemKind = 6
	itemKey      itemKind = 7 // a handover key; no row is checked, it may be hidden later
	itemHidden   itemKind = 8
	itemEnded    itemKind = 9
)

// tableOf names the table whose rows items of a kind vouch for.
func tableOf(k itemKind) string {
	switch k {
	case itemMessage:
		return "message"
	case itemHandover:
		return "handover"
	case itemResource:
		return "resource_version"
	case itemDelivery:
		return "delivery"
	case itemEvent:
		return "event"
	case itemAudit:
		return "audit"
	}
	return ""
}

// encodeBody writes an entry's body: its number, then each item.
func encodeBody(entry int64, items []item) []byte {
	buf := make([]byte, 0, 16+len(items)*(sha256.Size+8))
	buf = binary.AppendUvarint(buf, uint64(entry))
	for _, it := range items {
		buf = append(buf, byte(it.kind))
		buf = binary.AppendUvarint(buf, uint64(it.key))
		buf = append(buf, it.digest[:]...)
	}
	return buf
}

var errBody = errors.New("ledger: chain entry is not readable")

// decodeBody reads what encodeBody wrote.
func decodeBody(body []byte) (entry int64, items []item, err error) {
	n, size := binary.Uvarint(body)
	if size <= 0 {
		return 0, nil, errBody
	}
	body = body[size:]
	for len(body) > 0 {
		it := item{kind: itemKind(body[0])}
		key, size := binary.Uvarint(body[1:])
		if size <= 0 || len(body) < 1+size+sha256.Size {
			return 0, nil, errBody
		}
		it.key = int64(key)
		copy(it.digest[:], body[1+size:])
		items = append(items, it)
		body = body[1+size+sha256.Size:]
	}
	return int64(n), items, nil
}

// chainDigest is the head after an entry: SHA-256 of the head before it and its body.
func chainDigest(before, body []byte) []byte {
	h := sha256.New()
	h.Write(before)
	h.Write(body)
	return h.Sum(nil)
}

func hexDigest(b []byte) handover.Digest { return handover.Digest(hex.EncodeToString(b)) }
