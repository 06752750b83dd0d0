package fhir

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

//go:embed stored.txt
var storedList string

var stored = sync.OnceValue(func() []string { return strings.Fields(storedList) })

// StoredTypes lists the resource types that the gateway stores. Adding one is adding a
// line to stored.txt and generating the search parameters anew.
func StoredTypes() []string { return slices.Clone(stored()) }

// IsStored reports whether typ is one of StoredTypes.
func IsStored(typ string) bool { return slices.Contains(stored(), typ) }
