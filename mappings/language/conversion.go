package language

import (
	"slices"
	"strings"

	"stafett/conformance"
	"stafett/fhir"
	"stafett/mappings/account"
)

// conversions finds the converters of lines, and checks that places can hold what is
// written there.
type conversions struct {
	*declarations
	mapped    map[string][]*Converter // by FHIR place
	constants []codedConstant
}

// lineConverter is the line's own converter, or what its FHIR type takes without one. Where
// nothing is written to FHIR, any converter fits.
func (v *conversions) lineConverter(m *match, t target, fromOnly bool) *Converter {
	g, typ := m.group(":"), t.typ
	if fromOnly {
		t.typ = conformance.Type{}
	}
	if g == nil {
		v.fits(m.pos("FHIR"), textConverter, t)
		return plainConverter(typ)
	}
	if conv := v.converter(g, t); conv != nil {
		return conv
	}
	return textConverter
}

// converter reads ": NAME(ARGUMENTS)"; nil where the line has none, or a wrong one.
func (v *conversions) converter(g *match, t target) *Converter {
	if g == nil {
		return nil
	}
	pos := g.pos(":")
	name, args, ok := call(g.text("CONVERTER"))
	spec, known := converters[name]
	if !ok || !known {
		v.fail(pos.unknown("converter", g.text("CONVERTER"), converterNames()))
		return nil
	}
	conv, err := spec.of(argTexts(args), v.lib.concepts)
	if err != nil {
		v.fail(pos.errorf("converter %s: %v", name, err))
		return nil
	}
	conv.Name = name
	v.fits(pos, conv, t)
	return conv
}

// fits refuses a converter whose values a place cannot hold.
func (v *conversions) fits(pos position, conv *Converter, t target) {
	if !t.typ.Primitive() && conv.Compose == nil || slices.Contains(conv.makes(), t.typ.Name()) {
		return
	}
	if conv == textConverter {
		v.fail(pos.errorf("%s is a %s: the line needs a converter, one of %s", t.Text, t.typ.Name(), strings.Join(fitting(t.typ.Name()), ", ")))
		return
	}
	v.fail(pos.errorf("converter %s does not make a %s, which %s is", conv.Name, t.typ.Name(), t.Text))
}

// constant checks a constant: it must be a value of its element's type, and references
// between resources are spelled by name.
func (v *conversions) constant(m *match, t target, value *fhir.Node) {
	if wrong := t.typ.Check(value); wrong != "" {
		v.fail(m.pos("VALUE").errorf("%s is a %s: %s", t.Text, t.typ.Name(), wrong))
	}
	if name, local := strings.CutPrefix(value.Text, account.ReferencePrefix); local && isReference(t, m.text("FHIR")) {
		v.fail(m.pos("VALUE").errorf("a reference to a resource of the mapping is written ref(%s)", name))
	}
	v.constants = append(v.constants, codedConstant{m.pos("VALUE"), t.Text, value.Text})
}

// codedConstant is a constant that may have to be a code of a concept map.
type codedConstant struct {
	pos         position
	place, text string
}

// codes checks the constants of places that lines map through one concept map alone.
func (v *conversions) codes() {
	for _, k := range v.constants {
		for _, conv := range v.mapped[k.place] {
			if len(v.mapped[k.place]) == 1 && conv.concept != nil {
				v.fail(among(k.pos, "code in concept map "+conv.concept.name, k.text, conv.concept.fhirCodes()))
			}
		}
	}
}
