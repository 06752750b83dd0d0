package fhirbundle

import (
	"strings"

	"stafett/fhir"
	"stafett/handover"
	"stafett/message"
)

// item marks the kind of a node that is an item of an array.
const item = "[]"

// depthMax bounds Encode, as message.DefaultLimits bounds Decode.
const depthMax = 64

// reader walks the parsed tree and the bytes together, to give each value its place. The
// bytes are known to be JSON.
type reader struct {
	raw []byte
	pos int
}

func (r *reader) space() {
	for r.pos < len(r.raw) {
		switch r.raw[r.pos] {
		case ' ', '\t', '\r', '\n', ',', ':':
			r.pos++
		default:
			return
		}
	}
}

// skipString moves behind the string at the present position.
func (r *reader) skipString() {
	for r.pos++; r.pos < len(r.raw) && r.raw[r.pos] != '"'; r.pos++ {
		if r.raw[r.pos] == '\\' {
			r.pos++
		}
	}
	r.pos++
}

// value converts n, which starts at the present position. suffix is item for an item of
// an array.
func (r *reader) value(n *fhir.Node, name, suffix string) *message.Node {
	out := &message.Node{Name: name, Space: n.Kind.String() + suffix, Line: n.Line, Column: n.Column, Start: r.pos}
	switch n.Kind {
	case fhir.KindObject:
		r.pos++
		for _, m := range n.Members {
			r.space()
			r.skipString()
			r.space()
			out.Children = r.member(out.Children, m)
		}
		r.space()
		r.pos++
	case fhir.KindArray:
		r.pos++
		for _, i := range n.Items {
			r.space()
			out.Children = append(out.Children, r.value(i, "item", item))
		}
		r.space()
		r.pos++
	case fhir.KindString:
		out.Value = n.Text
		r.skipString()
	case fhir.KindNull:
		r.pos += len("null")
	default:
		out.Value = n.Text
		r.pos += len(n.Text)
	}
	out.End = r.pos
	return out
}

func (r *reader) member(children []*message.Node, m fhir.Member) []*message.Node {
	if m.Value.Kind != fhir.KindArray || len(m.Value.Items) == 0 {
		return append(children, r.value(m.Value, m.Name, ""))
	}
	r.pos++
	for _, i := range m.Value.Items {
		r.space()
		children = append(children, r.value(i, m.Name, item))
	}
	r.space()
	r.pos++
	return children
}

// node converts a message tree back.
func node(n *message.Node, depth int) (*fhir.Node, error) {
	if depth > depthMax {
		return nil, &handover.Fault{Kind: handover.FaultTooLarge, Op: "fhirbundle.Encode", Text: "nested deeper than 64 levels"}
	}
	switch kind := strings.TrimSuffix(n.Space, item); {
	case kind == "number":
		if v, err := fhir.Parse([]byte(n.Value), fhir.DefaultLimits()); err != nil || v.Kind != fhir.KindNumber {
			return nil, &handover.Fault{Kind: handover.FaultInvalid, Op: "fhirbundle.Encode", Text: "a number is not of JSON's syntax", Path: n.Name}
		}
		return fhir.Num(n.Value), nil
	case kind == "boolean":
		return fhir.Bool(n.Value == "true"), nil
	case kind == "null":
		return fhir.Null(), nil
	case kind == "array":
		return array(n, depth)
	case kind == "object", len(n.Children) > 0:
		return object(n, depth)
	default:
		return fhir.Str(n.Value), nil
	}
}

func array(n *message.Node, depth int) (*fhir.Node, error) {
	out := fhir.Arr()
	for _, c := range n.Children {
		v, err := node(c, depth+1)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, v)
	}
	return out, nil
}

func object(n *message.Node, depth int) (*fhir.Node, error) {
	out := fhir.Obj()
	at := make(map[string]*fhir.Node, len(n.Children))
	for _, c := range n.Children {
		v, err := node(c, depth+1)
		if err != nil {
			return nil, err
		}
		there := at[c.Name]
		switch {
		case there != nil && there.Kind == fhir.KindArray:
			there.Items = append(there.Items, v)
		case there != nil:
			return nil, &handover.Fault{Kind: handover.FaultInvalid, Op: "fhirbundle.Encode", Text: "an element that is no array repeats", Path: c.Name}
		default:
			if strings.HasSuffix(c.Space, item) {
				v = fhir.Arr(v)
			}
			at[c.Name] = v
			out.Members = append(out.Members, fhir.Member{Name: c.Name, Value: v})
		}
	}
	return out, nil
}
