// Package engine runs a compiled mapping in either direction, and gives every element of
// what it translates a fate.
//
// ToFHIR (tofhir.go) reads the message, which source.go numbers, reader.go finds places in
// and fates.go accounts for, and writes resources (write.go), whose trees tree.go reads and
// extends; repetition.go names those of repetitions, identity.go makes their keys. FromFHIR
// (fromfhir.go) reads the resources (consume.go; family.go knows whose child each is) and
// builds the message tree by build.go. Both ask the canonical form the same things
// (canonical.go), and notation.go holds what differs between ER7 and XML. What is in the
// program is language's; what is told of a translation is account's.
package engine

import (
	"sync"
	"time"
	_ "time/tzdata" // the party's local time must not depend on the machine

	"stafett/mappings/account"
)

// Context is what a translation needs beside the message.
type Context struct {
	// Header is, towards FHIR, the envelope as the codec read it; the mapping's own header
	// lines fill what is empty. From FHIR it is the envelope of the message to be made;
	// where it is zero, Canonical.Header is used.
	Header account.Header
	// Location is the party's time zone, for times without one; nil means Europe/Oslo.
	Location *time.Location
}

// zoneOf is the party's time zone; Europe/Oslo for a party that names none.
func zoneOf(ctx Context) *time.Location {
	if ctx.Location != nil {
		return ctx.Location
	}
	return oslo()
}

var oslo = sync.OnceValue(func() *time.Location {
	loc, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		panic("engine: the embedded time zone data lacks Europe/Oslo")
	}
	return loc
})
