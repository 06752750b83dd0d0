package conformance

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"stafett/fhir"
)

// packed is the element table; generate.go says what it is made of and how it is spelled.
//
//go:embed elements.txt.gz
var packed []byte

type typeKind uint8

const (
	kindComplex typeKind = iota
	kindResource
	kindPrimitive
	kindAnyResource // Resource: by its own resourceType
)

// typeDef is a resource type, a data type, or an element with children of its own.
type typeDef struct {
	name     string
	kind     typeKind
	elements []elementDef
	// members maps a JSON name (without "_") to its element; a choice has one for each type.
	members  map[string]memberUse
	required []int
	// check is a primitive's: it returns an issue code and text, or "" for none.
	check func(n *fhir.Node) (code, text string)
}

type elementDef struct {
	name         string
	many, choice bool
}

type memberUse struct {
	element int
	typ     *typeDef
}

type elementTable struct {
	types map[string]*typeDef
	// element is the content of _name beside a primitive.
	element *typeDef
}

// table is read at first use. The embedded data is fixed when the program is built, so a
// fault in it is a fault in the program.
var table = sync.OnceValue(func() *elementTable {
	t, err := readTable(packed)
	if err != nil {
		panic("conformance: " + err.Error())
	}
	return t
})

func readTable(gz []byte) (*elementTable, error) {
	z, err := gzip.NewReader(bytes.NewReader(gz))
	if err != nil {
		return nil, err
	}
	t := &elementTable{types: map[string]*typeDef{"Resource": {name: "Resource", kind: kindAnyResource}}}
	for name, check := range primitives {
		t.types[name] = &typeDef{name: name, kind: kindPrimitive, check: check}
	}
	lines := map[*typeDef][]string{}
	var current *typeDef
	s := bufio.NewScanner(z)
	for s.Scan() {
		line := s.Text()
		if name, kind, ok := strings.Cut(strings.TrimPrefix(line, "@"), " "); ok && line[0] == '@' {
			current = t.declare(name, kind)
			continue
		}
		lines[current] = append(lines[current], line)
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	for def, list := range lines {
		if err := t.define(def, list); err != nil {
			return nil, err
		}
	}
	t.element = &typeDef{name: "Element"}
	return t, t.define(t.element, []string{"id 0 1 string", "extension 0 * Extension"})
}

func (t *elementTable) declare(name, kind string) *typeDef {
	def := &typeDef{name: name}
	if kind == "R" {
		def.kind = kindResource
	}
	t.types[name] = def
	return def
}

func (t *elementTable) define(def *typeDef, lines []string) error {
	def.members = make(map[string]memberUse, len(lines))
	for i, line := range lines {
		f := strings.Fields(line)
		if len(f) != 4 || i >= 128 {
			return fmt.Errorf("element table: %s: %q", def.name, line)
		}
		name, choice := strings.CutSuffix(f[0], "[x]")
		def.elements = append(def.elements, elementDef{name: name, many: f[2] == "*", choice: choice})
		if f[1] != "0" {
			def.required = append(def.required, i)
		}
		for _, typ := range strings.Split(f[3], ",") {
			use := memberUse{element: i, typ: t.types[typ]}
			if use.typ == nil {
				return fmt.Errorf("element table: %s.%s has an unknown type %s", def.name, name, typ)
			}
			member := name
			if choice {
				member += strings.ToUpper(typ[:1]) + typ[1:]
			}
			def.members[member] = use
		}
	}
	return nil
}
