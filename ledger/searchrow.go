package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"time"
	"unicode/utf8"

	"stafett/fhir/search"
)

// A search row is stored as (rid, n, param, value, system): param and system are short
// digests of names that repeat a million times, value is a text that sorts as the value
// does. One narrow table with one index serves every kind.
const searchWidth = 5

// Rows beside those of a kind itself.
const (
	identifierRows search.Kind = "reference-identifier" // a reference's identifier
	codedRows      search.Kind = "quantity-coded"       // a quantity with its unit's system
)

// valueLimit is the longest value in bytes that is indexed as it is; a longer one keeps
// its start and its digest, so that equality stays exact and any index can hold it.
const valueLimit = 512

// shortDigest is 8 bytes of a SHA-256, which nobody can make collide by accident and
// whose collision would only widen what a search of one's own resources finds.
func shortDigest(parts ...string) int64 {
	buf := make([]byte, 0, 96)
	for _, s := range parts {
		buf = appendText(buf, s)
	}
	sum := sha256.Sum256(buf)
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

func paramOf(typ, param string, kind search.Kind) int64 {
	return shortDigest(typ, param, string(kind))
}

// systemOf is 0 for no system, so that "|code" can be told.
func systemOf(s string) int64 {
	if s == "" {
		return 0
	}
	return shortDigest(s)
}

// appendSearchRows adds the stored form of rows. _id and _lastUpdated are columns of the
// resource itself and are left out.
func appendSearchRows(out []any, rid int64, typ string, rows []search.Row) []any {
	n := int64(0)
	add := func(r *search.Row, kind search.Kind, value string, system int64) {
		out = append(out, rid, n, paramOf(typ, r.Param, kind), value, system)
		n++
	}
	for i := range rows {
		r := &rows[i]
		if r.Param == "_id" || r.Param == "_lastUpdated" {
			continue
		}
		switch r.Kind {
		case search.KindReference:
			if r.RefID != "" {
				add(r, r.Kind, indexed(r.RefID), systemOf(r.RefType))
			}
			if r.Value != "" || r.System != "" {
				add(r, identifierRows, indexed(r.Value), systemOf(r.System))
			}
		case search.KindDate:
			low, high := bounds(r.Low, r.High)
			add(r, r.Kind, sortable(low), high)
		case search.KindNumber, search.KindQuantity:
			add(r, r.Kind, sortableNumber(r.Number), systemOf(r.Unit))
			if r.System != "" && r.Unit != "" {
				add(r, codedRows, sortableNumber(r.Number), shortDigest(r.System, r.Unit))
			}
		default:
			add(r, r.Kind, indexed(r.Value), systemOf(r.System))
		}
	}
	return out
}

// indexed is a text as the index holds it.
func indexed(s string) string {
	s = cleanText(s)
	if len(s) <= valueLimit {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	cut := valueLimit - 2*len(sum)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + hex.EncodeToString(sum[:])
}

// bounds are microseconds; a missing bound is open to that side.
func bounds(low, high time.Time) (int64, int64) {
	l, h := int64(math.MinInt64), int64(math.MaxInt64)
	if !low.IsZero() {
		l = low.UnixMicro()
	}
	if !high.IsZero() {
		h = high.UnixMicro()
	}
	return l, h
}

// sortable is a number as 16 hexadecimal digits that sort as the number does.
func sortable(n int64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n)^(1<<63))
	return hex.EncodeToString(b[:])
}

func sortableNumber(f float64) string {
	bits := int64(math.Float64bits(f))
	if bits < 0 {
		bits = math.MinInt64 - bits
	}
	return sortable(bits)
}
