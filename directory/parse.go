package directory

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"

	"stafett/handover"
)

// fileBytesMax bounds a directory file. The whole of Norway's municipalities with their
// services takes less than a tenth of it.
const fileBytesMax = 16 << 20

// Wire is what a directory asks of a wire that its parties may name; adapters.Rules has it.
type Wire interface {
	Wire() handover.Wire
	// Schemes are what a service's URL starts with.
	Schemes() (plain, encrypted string)
	// NeedsPort says that the schemes have no port of their own.
	NeedsPort() bool
}

// Load reads the directory file at path. Its error is *Errors when the file could be read.
func Load(path string, served ...Wire) (*Directory, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, fileBytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	return Parse(path, text, served...)
}

// Parse reads a directory from the text of a YAML file; name is how problems call the
// file, and served are the wires that parties may name. Its error is *Errors and holds
// every problem at once.
func Parse(name string, text []byte, served ...Wire) (*Directory, error) {
	r := &fileReader{file: name}
	return r.whole(r.entries(text), served)
}

// ParseNode reads a directory from the list of parties in a YAML file that holds other
// things too. It is Parse for the rest.
func ParseNode(name string, parties *yaml.Node, served ...Wire) (*Directory, error) {
	r := &fileReader{file: name}
	return r.whole(r.parties(parties), served)
}

func (r *fileReader) whole(entries []*entry, served []Wire) (*Directory, error) {
	r.check(entries, served)
	if len(r.problems) > 0 {
		return nil, &Errors{sorted(r.problems)}
	}
	return index(entries, sorted(r.warnings)), nil
}

// entry is a party with the lines its fields stand on.
type entry struct {
	Party
	at          lines
	hl7         lines
	services    []lines
	routes      []lines
	contacts    []lines
	credentials []lines
}

func (r *fileReader) entries(text []byte) []*entry {
	if len(text) > fileBytesMax {
		r.problem(1, "the file is larger than %d MB", fileBytesMax>>20)
		return nil
	}
	root, ok := r.document(text)
	if !ok {
		return nil
	}
	list := &yaml.Node{Kind: yaml.SequenceNode, Line: root.Line}
	r.fields(root, "the file", map[string]setter{"parties": func(_ string, n *yaml.Node, _ lines) { list = n }})
	return r.parties(list)
}

func (r *fileReader) parties(list *yaml.Node) (entries []*entry) {
	r.items("parties", list, func(_ int, item *yaml.Node) { entries = append(entries, r.party(item)) })
	if len(entries) == 0 && len(r.problems) == 0 {
		r.problem(list.Line, "the file names no parties")
	}
	return entries
}

// document returns the file's one YAML document.
func (r *fileReader) document(text []byte) (*yaml.Node, bool) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		r.problem(1, "the file is empty")
		return nil, false
	case err != nil:
		r.syntax(err)
		return nil, false
	}
	switch err := dec.Decode(&more); {
	case err == nil:
		r.problem(max(more.Line, 1), "the file holds a second document")
		return nil, false
	case !errors.Is(err, io.EOF):
		r.syntax(err)
		return nil, false
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		r.problem(1, "the file is empty")
		return nil, false
	}
	return doc.Content[0], true
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func (r *fileReader) syntax(err error) {
	line, text := 1, err.Error()
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
		text = text[len(m[0]):]
	}
	r.problem(line, "not YAML: %s", shown(text))
}

func (r *fileReader) party(n *yaml.Node) *entry {
	e := &entry{}
	e.Line = n.Line
	var id, kind string
	e.at = r.fields(n, "a party", map[string]setter{
		"id":            r.text(&id),
		"name":          r.text(&e.Name),
		"type":          r.text(&kind),
		"her":           r.text(&e.HER),
		"orgNumber":     r.text(&e.OrgNumber),
		"facilities":    r.texts(&e.Facilities),
		"kommunenummer": r.texts(&e.Kommunenummer),
		"timeZone":      r.text(&e.TimeZone),
		"language":      r.text(&e.Language),
		"services":      r.list(func(n *yaml.Node) { r.service(e, n) }),
		"routes":        r.list(func(n *yaml.Node) { r.route(e, n) }),
		"contacts":      r.list(func(n *yaml.Node) { r.contact(e, n) }),
		"credentials":   r.list(func(n *yaml.Node) { r.credential(e, n) }),
		"overlay":       r.text(&e.Overlay),
		"startPolicy":   func(_ string, n *yaml.Node, _ lines) { r.startPolicy(e, n) },
		"hl7":           func(_ string, n *yaml.Node, _ lines) { r.hl7(e, n) },
	})
	e.ID, e.Type = handover.PartyID(id), PartyType(kind)
	return e
}

func (r *fileReader) list(f func(*yaml.Node)) setter {
	return func(field string, n *yaml.Node, _ lines) {
		r.items(field, n, func(_ int, item *yaml.Node) { f(item) })
	}
}

func (r *fileReader) service(e *entry, n *yaml.Node) {
	s := Service{Line: n.Line}
	var wire string
	at := r.fields(n, "a service", map[string]setter{
		"name":         r.text(&s.Name),
		"her":          r.text(&s.HER),
		"wire":         r.text(&wire),
		"url":          r.text(&s.URL),
		"takes":        r.texts(&s.Takes),
		"token":        r.text(&s.Token),
		"caFile":       r.text(&s.CAFile),
		"certFile":     r.text(&s.CertFile),
		"keyFile":      r.text(&s.KeyFile),
		"application":  r.text(&s.Application),
		"facility":     r.text(&s.Facility),
		"commitAnswer": r.flag(&s.CommitAnswer),
	})
	s.Wire = handover.Wire(wire)
	e.Services, e.services = append(e.Services, s), append(e.services, at)
}

func (r *fileReader) route(e *entry, n *yaml.Node) {
	t := Route{Line: n.Line}
	var kind, to string
	at := r.fields(n, "a route", map[string]setter{
		"kind":          r.text(&kind),
		"kommunenummer": r.text(&t.Kommunenummer),
		"postalFrom":    r.text(&t.PostalFrom),
		"postalTo":      r.text(&t.PostalTo),
		"default":       r.flag(&t.Default),
		"to":            r.text(&to),
	})
	t.Kind, t.To = handover.Kind(kind), handover.PartyID(to)
	e.Routes, e.routes = append(e.Routes, t), append(e.routes, at)
}

func (r *fileReader) contact(e *entry, n *yaml.Node) {
	c := Contact{Line: n.Line}
	at := r.fields(n, "a contact", map[string]setter{"name": r.text(&c.Name), "service": r.text(&c.Service)})
	e.Contacts, e.contacts = append(e.Contacts, c), append(e.contacts, at)
}

func (r *fileReader) credential(e *entry, n *yaml.Node) {
	c := Credential{Line: n.Line}
	at := r.fields(n, "a credential", map[string]setter{
		"token":         r.text(&c.Token),
		"tokenSHA256":   r.text(&c.TokenSHA256),
		"certificateCN": r.text(&c.CertificateCN),
	})
	e.Credentials, e.credentials = append(e.Credentials, c), append(e.credentials, at)
}

func (r *fileReader) startPolicy(e *entry, n *yaml.Node) {
	r.fields(n, "a start policy", map[string]setter{
		"knownRecipient": r.flag(&e.StartPolicy.KnownRecipient),
		"units":          r.texts(&e.StartPolicy.Units),
		"assessedNeed":   r.flag(&e.StartPolicy.AssessedNeed),
	})
}

func (r *fileReader) hl7(e *entry, n *yaml.Node) {
	e.hl7 = r.fields(n, "HL7 v2 settings", map[string]setter{
		"charset":    r.text(&e.HL7.Charset),
		"stayNumber": r.texts(&e.HL7.StayNumber),
		"refuseFeed": r.flag(&e.HL7.RefuseFeed),
	})
}
