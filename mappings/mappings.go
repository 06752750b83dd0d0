// Package mappings holds the mappings that are shipped with the program: text files in
// hl7v2 and kith, sections that both include in shared, tables of codes and names in
// concept, and in testdata a golden case for each message. A mapping is a table of correspondences that is read in both directions;
// docs/mapping-language.md describes it. The packages beside the files stand in a line:
//
//	language  reads the files into programs
//	engine    runs a program, to FHIR or from FHIR
//	account   what both tell the rest: the canonical form, the fate of each element,
//	          what was left over and its readable text
package mappings

import (
	"embed"
	"sync"

	"stafett/mappings/language"
)

//go:embed hl7v2/*.map kith/*.map shared/*.map concept/*.map
var files embed.FS

// Embedded returns the shipped mappings; they are compiled once.
var Embedded = sync.OnceValues(func() (*language.Set, error) { return language.Load(files) })
