package search

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"stafett/fhir"
)

// Meta is what the gateway assigns to a version, and a search can ask for.
type Meta struct{ LastUpdated time.Time }

// rowsMax bounds the index of one resource; no real one comes near.
const rowsMax = 10_000

// ErrTooManyRows says that a resource has more indexed values than is taken.
var ErrTooManyRows = errors.New("search: the resource has more than 10000 indexed values")

// Rows makes the search rows of one version of a resource, each distinct one once: _id,
// _lastUpdated, then the type's parameters in order. Values that are not of their type's
// syntax give no row; conformance finds those. A type that is not stored has only the
// first two. The error is ErrTooManyRows, or that n is no resource.
func Rows(n *fhir.Node, meta Meta) ([]Row, error) {
	typ := n.ResourceType()
	if typ == "" {
		return nil, errors.New("search: not a resource")
	}
	c := collector{rows: make([]Row, 0, 24)}
	if id := n.ID(); id != "" {
		c.rows = append(c.rows, Row{Param: "_id", Kind: KindToken, Value: id})
	}
	if !meta.LastUpdated.IsZero() {
		at := meta.LastUpdated.UTC().Truncate(time.Microsecond)
		c.rows = append(c.rows, Row{Param: "_lastUpdated", Kind: KindDate, Low: at, High: at.Add(time.Microsecond)})
	}
	params := compiled().params[typ]
	for i := range params {
		c.param = &params[i]
		c.start = len(c.rows)
		for p := range c.param.paths {
			c.path = &c.param.paths[p]
			c.walk(n, c.path.steps)
		}
		if len(c.rows) > rowsMax {
			return nil, ErrTooManyRows
		}
	}
	return c.rows, nil
}

type collector struct {
	rows  []Row
	start int // of the present parameter's rows
	param *param
	path  *path
}

// add leaves out a row that the parameter has already: one system and code in two places.
func (c *collector) add(r Row) {
	r.Param, r.Kind = c.param.Code, c.param.Kind
	if len(c.rows) > rowsMax {
		return
	}
	// Beyond 64 the comparison would cost more than the row.
	if own := c.rows[c.start:]; len(own) <= 64 {
		for i := range own {
			if own[i] == r {
				return
			}
		}
	}
	c.rows = append(c.rows, r)
}

func (c *collector) walk(n *fhir.Node, steps []step) {
	if len(steps) == 0 {
		c.leaf(n)
		return
	}
	s := &steps[0]
	v := n.Get(s.name)
	if v == nil {
		return
	}
	if v.Kind != fhir.KindArray {
		c.below(v, s, steps[1:])
		return
	}
	for _, item := range v.Items {
		c.below(item, s, steps[1:])
		if s.first {
			return
		}
	}
}

func (c *collector) below(v *fhir.Node, s *step, rest []step) {
	if s.member == "" || v.Str(s.member) == s.text {
		c.walk(v, rest)
	}
}

// leafTypes are the types that leaf indexes.
var leafTypes = []string{"Address", "Age", "CodeableConcept", "Coding", "ContactPoint", "Count", "Distance", "Duration",
	"HumanName", "Identifier", "Money", "Period", "Quantity", "Range", "Reference", "Resource", "Timing", "boolean",
	"canonical", "code", "date", "dateTime", "deceased", "decimal", "id", "instant", "integer", "markdown", "oid",
	"positiveInt", "string", "unsignedInt", "uri", "url", "uuid"}

func (c *collector) leaf(n *fhir.Node) {
	switch c.param.Kind {
	case KindToken:
		c.token(n)
	case KindDate:
		c.date(n)
	case KindReference:
		c.reference(n)
	case KindString:
		c.text(n)
	case KindQuantity, KindNumber:
		c.quantity(n)
	case KindURI:
		if n.Kind == fhir.KindString && n.Text != "" {
			c.add(Row{Value: n.Text})
		}
	}
}

func (c *collector) token(n *fhir.Node) {
	switch c.path.leaf {
	case "deceased":
		c.add(Row{Value: strconv.FormatBool(deceased(n))})
	case "CodeableConcept":
		for _, coding := range n.Each("coding") {
			c.code(coding.Str("system"), coding.Str("code"))
		}
	case "Coding":
		c.code(n.Str("system"), n.Str("code"))
	case "Identifier":
		c.code(n.Str("system"), n.Str("value"))
	case "ContactPoint":
		c.code("", n.Str("value"))
	default:
		if n.Kind == fhir.KindString || n.Kind == fhir.KindBool {
			c.code("", n.Text)
		}
	}
}

// code indexes a system by its preferred URI, so that a search finds a number under
// either spelling of its system.
func (c *collector) code(system, code string) {
	if code != "" {
		c.add(Row{System: fhir.PreferredSystem(system), Value: code})
	}
}

// deceased is Patient.deceased.exists() and Patient.deceased != false.
func deceased(patient *fhir.Node) bool {
	return patient.Str("deceasedBoolean") == "true" || patient.Get("deceasedDateTime") != nil
}

func (c *collector) date(n *fhir.Node) {
	switch c.path.leaf {
	case "Period":
		c.period(n)
	case "Timing":
		c.timing(n)
	default:
		if n.Kind == fhir.KindString {
			if low, high, ok := dateRange(n.Text); ok {
				c.add(Row{Low: low, High: high})
			}
		}
	}
}

// period indexes an open end as a zero time.
func (c *collector) period(n *fhir.Node) {
	low, _, hasLow := dateRange(n.Str("start"))
	_, high, hasHigh := dateRange(n.Str("end"))
	if hasLow || hasHigh {
		c.add(Row{Low: low, High: high})
	}
}

// timing indexes the outer bounds: from the first event to the last, or the bounds given.
func (c *collector) timing(n *fhir.Node) {
	if bounds := n.At("repeat", "boundsPeriod"); bounds != nil {
		c.period(bounds)
		return
	}
	var row Row
	for _, event := range n.Each("event") {
		low, high, ok := dateRange(event.Text)
		if !ok {
			continue
		}
		if row.Low.IsZero() || low.Before(row.Low) {
			row.Low = low
		}
		if high.After(row.High) {
			row.High = high
		}
	}
	if !row.Low.IsZero() {
		c.add(row)
	}
}

func (c *collector) reference(n *fhir.Node) {
	switch c.path.leaf {
	case "Resource":
		if typ, id := n.ResourceType(), n.ID(); id != "" && (len(c.param.Targets) == 0 || c.param.Targets[0] == typ) {
			c.add(Row{RefType: typ, RefID: id})
		}
		return
	case "canonical", "uri":
		if n.Kind == fhir.KindString && n.Text != "" {
			c.add(Row{RefID: n.Text})
			if url, _, versioned := strings.Cut(n.Text, "|"); versioned {
				c.add(Row{RefID: url})
			}
		}
		return
	}
	if row, ok := referenceRow(n, c.path.only); ok {
		c.add(row)
	}
}

// referenceRow indexes a literal Type/id, an absolute URL or urn as it is, and a logical
// reference by its identifier. only is the type that it must have, "" for any.
func referenceRow(n *fhir.Node, only string) (Row, bool) {
	var row Row
	typ := n.Str("type")
	if literal := n.Str("reference"); literal != "" && literal[0] != '#' {
		base, refType, id, ok := fhir.SplitReference(literal)
		switch {
		case ok && base == "":
			row.RefType, row.RefID, typ = refType, id, refType
		case ok:
			row.RefID, typ = literal, refType
		default:
			row.RefID = literal
		}
	}
	if identifier := n.Get("identifier"); identifier != nil {
		row.System, row.Value = fhir.PreferredSystem(identifier.Str("system")), identifier.Str("value")
	}
	if row.RefID == "" && row.Value == "" || only != "" && typ != only {
		return row, false
	}
	if row.RefID == "" {
		row.RefType = typ
	}
	return row, true
}

var (
	nameParts    = []string{"text", "family", "given", "prefix", "suffix"}
	addressParts = []string{"text", "line", "city", "district", "state", "postalCode", "country"}
)

func (c *collector) text(n *fhir.Node) {
	switch c.path.leaf {
	case "HumanName":
		c.parts(n, nameParts)
	case "Address":
		c.parts(n, addressParts)
	default:
		c.str(n)
	}
}

func (c *collector) parts(n *fhir.Node, names []string) {
	for _, name := range names {
		for _, v := range n.Each(name) {
			c.str(v)
		}
	}
}

func (c *collector) str(n *fhir.Node) {
	if n.Kind != fhir.KindString {
		return
	}
	if value := Normalise(n.Text); value != "" {
		c.add(Row{Value: value, System: n.Text})
	}
}

func (c *collector) quantity(n *fhir.Node) {
	switch {
	case n.Kind == fhir.KindNumber:
		c.amount(n, n)
	case c.path.leaf == "Range":
		// Both ends, so that a range is found by what lies above or below it.
		for _, end := range []string{"low", "high"} {
			c.amount(n.At(end, "value"), n.Get(end))
		}
	default:
		c.amount(n.Get("value"), n)
	}
}

func (c *collector) amount(value, of *fhir.Node) {
	if value == nil || value.Kind != fhir.KindNumber {
		return
	}
	number, err := strconv.ParseFloat(value.Text, 64)
	if err != nil {
		return // out of range: nothing can compare with it
	}
	unit := of.Str("code")
	for _, other := range []string{"currency", "unit"} {
		if unit == "" {
			unit = of.Str(other)
		}
	}
	c.add(Row{Number: number, Unit: unit, System: of.Str("system")})
}
