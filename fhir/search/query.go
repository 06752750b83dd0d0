package search

import "time"

// Kind is the type of a search parameter, and of the rows that index it (FHIR R4 3.1.1.4).
type Kind string

// The kinds that rows and clauses can have.
const (
	KindToken     Kind = "token"
	KindString    Kind = "string"
	KindDate      Kind = "date"
	KindReference Kind = "reference"
	KindURI       Kind = "uri"
	KindQuantity  Kind = "quantity"
	KindNumber    Kind = "number"
)

// Row is one indexed value of one resource version. Which fields are set depends on Kind.
type Row struct {
	Param string // search parameter code: identifier, patient, _id, _lastUpdated
	Kind  Kind
	// System and Value: token (system, code), reference by identifier (system, value),
	// string (normalised: lower case, no diacritics) in Value and as written in System,
	// uri in Value.
	System, Value string
	// RefType and RefID: reference; RefID alone for an absolute URL outside.
	RefType, RefID string
	// Low and High bound a date as [Low, High); number and quantity in Number.
	Low, High time.Time
	Number    float64
	Unit      string
}

// Prefix is a comparison of an ordered value (R4 3.1.1.5.5).
type Prefix string

// The prefixes.
const (
	PrefixEq Prefix = "eq"
	PrefixNe Prefix = "ne"
	PrefixGt Prefix = "gt"
	PrefixLt Prefix = "lt"
	PrefixGe Prefix = "ge"
	PrefixLe Prefix = "le"
)

// Modifier changes how a clause matches.
type Modifier string

// The modifiers that are supported; any other is refused when parsing.
const (
	ModifierNone       Modifier = ""
	ModifierMissing    Modifier = "missing"    // Values[0].Value is "true" or "false"
	ModifierExact      Modifier = "exact"      // string
	ModifierContains   Modifier = "contains"   // string
	ModifierNot        Modifier = "not"        // token
	ModifierIdentifier Modifier = "identifier" // reference
)

// Value is one alternative of a clause; alternatives are joined by OR.
type Value struct {
	Prefix Prefix
	// System and Value: token "system|code". HasSystem tells "|code" (no system) from "code".
	// For a string, Value is normalised and System as written, which "exact" compares; for
	// a quantity, Value is the unit's code, "" for any.
	System, Value string
	HasSystem     bool
	// RefType is empty for "patient=123".
	RefType, RefID string
	Low, High      time.Time
	Number         float64
}

// Clause is one parameter of a query; clauses are joined by AND.
type Clause struct {
	Param    string
	Kind     Kind
	Modifier Modifier
	Values   []Value
}

// Query is a parsed search of one type.
type Query struct {
	Type    string
	Clauses []Clause
	// SortDescending orders by last update, newest first; the default is oldest first.
	SortDescending bool
	// Count is the page size, 1 to 1000.
	Count int
	// After continues behind a page: the opaque cursor of the last page's link.
	After string
	// Total asks for the number of matches.
	Total bool
}
