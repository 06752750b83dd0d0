package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// field binds one column to a place in a row's struct, for writing, scanning and digest.
type field struct {
	name string // column; empty for what is in the digest only
	at   any    // *string, *int64, *int, *bool, *time.Time or *[]byte
	flag fieldFlag
}

type fieldFlag uint8

const (
	// loose fields are outside the row's digest: positions, leases and what is derived.
	loose fieldFlag = 1 << iota
	// fixed fields never change after the insert, so updates leave their indexes alone.
	fixed
	// later fields came with a later schema: they are in the digest, by name, only where
	// they hold something, so that rows from before still verify. They stand last.
	later
)

// table is the SQL of one table, made once from its fields.
type table struct {
	columns, update string
	rows            insertion
}

func newTable(name string, fields []field) table {
	var cols, sets []string
	for _, f := range fields {
		if f.name == "" {
			continue
		}
		cols = append(cols, f.name)
		if f.flag&fixed == 0 {
			sets = append(sets, f.name+" = ?")
		}
	}
	return table{
		columns: strings.Join(cols, ", "),
		rows:    newInsertion(name, cols...),
		update:  "UPDATE " + name + " SET " + strings.Join(sets, ", ") + " WHERE " + cols[0] + " = ?",
	}
}

// insertArgs returns the arguments of the table's insert.
func insertArgs(fields []field) []any {
	args := make([]any, 0, len(fields))
	for _, f := range fields {
		if f.name != "" {
			args = append(args, valueAt(f.at))
		}
	}
	return args
}

// updateArgs returns the arguments of the table's update; the first field is the key.
func updateArgs(fields []field) []any {
	args := make([]any, 0, len(fields)+1)
	for _, f := range fields {
		if f.name != "" && f.flag&fixed == 0 {
			args = append(args, valueAt(f.at))
		}
	}
	return append(args, valueAt(fields[0].at))
}

func valueAt(at any) any {
	switch p := at.(type) {
	case *string:
		return *p
	case *int64:
		return *p
	case *int:
		return int64(*p)
	case *bool:
		return intOf(*p)
	case *time.Time:
		return micros(*p)
	case *[]byte:
		if len(*p) == 0 {
			return nil
		}
		return *p
	}
	panic(fmt.Sprintf("ledger: field of type %T", at))
}

// scanFields reads one row into fields, in column order.
func scanFields(r Row, fields []field) error {
	dest := make([]any, 0, len(fields))
	numbers := make([]int64, len(fields))
	for i, f := range fields {
		if f.name == "" {
			continue
		}
		switch f.at.(type) {
		case *int, *bool, *time.Time:
			dest = append(dest, &numbers[i])
		default:
			dest = append(dest, f.at)
		}
	}
	if err := r.Scan(dest...); err != nil {
		return err
	}
	for i, f := range fields {
		if f.name == "" {
			continue
		}
		switch p := f.at.(type) {
		case *int:
			*p = int(numbers[i])
		case *bool:
			*p = numbers[i] != 0
		case *time.Time:
			*p = timeOf(numbers[i])
		}
	}
	return nil
}

// digestOf is the row's digest: the table and every field that is not loose, each with
// its length, so that no two rows share an encoding.
func digestOf(table string, fields []field) [sha256.Size]byte {
	buf := make([]byte, 0, 1024)
	buf = appendText(buf, table)
	for _, f := range fields {
		if f.flag&loose != 0 {
			continue
		}
		if f.flag&later != 0 {
			if isZero(f.at) {
				continue
			}
			buf = appendText(buf, f.name)
		}
		switch p := f.at.(type) {
		case *string:
			buf = appendText(buf, *p)
		case *[]byte:
			buf = binary.AppendUvarint(buf, uint64(len(*p)))
			buf = append(buf, *p...)
		default:
			buf = binary.BigEndian.AppendUint64(buf, uint64(valueAt(f.at).(int64)))
		}
	}
	return sha256.Sum256(buf)
}

// isZero reports whether a field holds nothing.
func isZero(at any) bool {
	v := valueAt(at)
	return v == nil || v == "" || v == int64(0)
}

func appendText(buf []byte, s string) []byte {
	buf = binary.AppendUvarint(buf, uint64(len(s)))
	return append(buf, s...)
}

// clean makes every text of a row storable: PostgreSQL takes neither NUL nor invalid
// UTF-8, and what is digested must be what is read back.
func clean(fields []field) {
	for _, f := range fields {
		switch p := f.at.(type) {
		case *string:
			*p = cleanText(*p)
		case *time.Time:
			*p = timeOf(micros(*p))
		}
	}
}

func cleanText(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// micros is a time as stored: microseconds since 1970 in UTC, 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func timeOf(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func intOf(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// earliest returns the earlier of two times of which zero means none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
