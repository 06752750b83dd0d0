package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"stafett/fhir"
	"stafett/handover"
	"stafett/mappings/account"
	"stafett/mappings/language"
	"stafett/message"
)

// event decides what the message tells: the first rule that holds.
func (r *toRun) event() {
	for i := range r.m.Events {
		if e := &r.m.Events[i]; r.holds(e.Condition, nil) {
			r.c.Event = e.Event
			return
		}
	}
}

// unknownCodes carries the name and the system of a code that is carried: without the
// code, nothing else says them.
func (r *toRun) unknownCodes() {
	for i := range r.tree.nodes {
		if n := &r.tree.nodes[i]; n.n.Name == "@V" && n.toBeCarried() {
			r.tree.carryBeside(n.parent)
		}
	}
}

// toBeCarried reports a leaf that is carried, or will be because its line could not take it.
func (n *srcNode) toBeCarried() bool {
	return n.fate == message.FateCarried || n.fate == "" && n.reason != ""
}

func (t *sourceTree) carryBeside(parent int32) {
	for k := t.nodes[parent].first; k >= 0; k = t.nodes[k].next {
		if s := &t.nodes[k]; s.fate == message.FateIgnored && belongsToCode[s.n.Name] {
			s.fate, s.reason = message.FateCarried, "it belongs to a code that is carried"
		}
	}
}

var belongsToCode = map[string]bool{"@DN": true, "@S": true}

// settle gives every leaf that no line decided its fate.
func (r *toRun) settle() {
	for i := range r.tree.nodes {
		if n := &r.tree.nodes[i]; n.fate == "" && r.tree.isLeaf(int32(i)) {
			r.undecided(n)
		}
	}
}

// undecided is the fate of what no line knows.
func (r *toRun) undecided(n *srcNode) {
	if blank(n.n.Value, r.tree.er7) {
		n.fate, n.reason = message.FateIgnored, "empty"
		return
	}
	// Invariant 6: what no line knows is carried, never dropped.
	n.fate = message.FateCarried
	for _, e := range r.m.Everywhere {
		if n.n.Name == e.Name {
			n.fate, n.reason = message.FateIgnored, e.Reason
		}
	}
}

// blank reports an empty value; in XML, white space alone is layout.
func blank(v string, er7 bool) bool {
	return v == "" || !er7 && strings.TrimSpace(v) == ""
}

// collect puts the resources in order of declaration, with their keys, and what is carried.
func (r *toRun) collect() {
	keys := make([]string, len(r.res))
	for i := range r.m.Resources {
		r.collectOne(i, keys)
	}
	if doc := account.CarriedDocument(r.tree.carried()); doc != nil {
		r.c.Resources = append(r.c.Resources, account.Named{Name: account.CarriedName, Resource: doc})
	}
}

// collectOne adds a resource, or all repetitions of a repeated one.
func (r *toRun) collectOne(i int, keys []string) {
	d := &r.m.Resources[i]
	if r.res[i] != nil {
		keys[i] = r.key(d, r.res[i], keys)
		r.c.Resources = append(r.c.Resources, account.Named{Name: d.Name, Resource: r.res[i], Key: keys[i]})
		return
	}
	if !d.Repeated {
		return
	}
	for _, n := range r.repeated {
		if isRepetition(n.Name, d.Name) {
			r.c.Resources = append(r.c.Resources, n)
		}
	}
}

// isRepetition reports whether name is that of a repetition of a repeated resource: base-1, base-2 …
func isRepetition(name, base string) bool {
	n, ok := strings.CutPrefix(name, base+"-")
	return ok && n != "" && strings.Trim(n, "0123456789") == ""
}

// key digests the first alternative that is complete.
func (r *toRun) key(d *language.Resource, res *fhir.Node, keys []string) string {
	for _, parts := range d.Keys {
		if text := r.keyText(d.Type, parts, res, keys); text != nil {
			sum := sha256.Sum256(text)
			return hex.EncodeToString(sum[:16])
		}
	}
	return ""
}

// keyText joins the parts of an alternative after the type; nil where one is missing.
func (r *toRun) keyText(typ string, parts []language.KeyPart, res *fhir.Node, keys []string) []byte {
	text := append(make([]byte, 0, 128), typ...)
	for i := range parts {
		v := r.keyPart(&parts[i], res, keys)
		if v == "" {
			return nil
		}
		text = append(append(text, 0), v...)
	}
	return text
}

func (r *toRun) keyPart(p *language.KeyPart, res *fhir.Node, keys []string) string {
	switch {
	case p.KeyOf >= 0:
		return keys[p.KeyOf]
	case p.Place != nil:
		return r.read(p.Place, res)
	}
	return p.Text
}

// required checks what the mapping demands of the canonical form.
func (r *toRun) required() *handover.Fault {
	for i := range r.m.Requires {
		q := &r.m.Requires[i]
		if met(q, r.present) {
			continue
		}
		return faultOf(q, opToFHIR, r.tree)
	}
	return nil
}

func (r *toRun) present(p *language.Place) bool { return present(r.c, p, rooted(p, r.res, nil)) }

// met reports whether all places of one alternative have something.
func met(q *language.Require, present func(p *language.Place) bool) bool {
	for _, parts := range q.Any {
		if allPresent(parts, present) {
			return true
		}
	}
	return false
}

func allPresent(parts []language.Place, present func(p *language.Place) bool) bool {
	for i := range parts {
		if !present(&parts[i]) {
			return false
		}
	}
	return true
}

func faultOf(q *language.Require, op string, tree *sourceTree) *handover.Fault {
	f := &handover.Fault{Kind: q.Kind, Op: op, Text: q.Text, Path: q.Path}
	if tree != nil {
		near := tree.nearest(q.Path)
		f.Line, f.Column = near.Line, near.Column
	}
	return f
}

// nearest returns the element that is there and whose path goes furthest along path.
func (t *sourceTree) nearest(path string) *message.Node {
	best, node := 0, &message.Node{}
	for i := range t.nodes {
		if own := t.path(int32(i)); len(own) > best && strings.HasPrefix(path, own) {
			best, node = len(own), t.nodes[i].n
		}
	}
	return node
}

// fates lists the leaves with their fates, in document order. All paths share one string.
func (r *toRun) fates() []message.ElementFate {
	t := r.tree
	paths := make([]byte, 0, 32*len(t.nodes))
	ends := make([]int, 0, len(t.nodes))
	for i := range t.nodes {
		if t.nodes[i].fate != "" {
			paths = t.appendPath(paths, int32(i))
			ends = append(ends, len(paths))
		}
	}
	all, start := string(paths), 0
	out := make([]message.ElementFate, 0, len(ends))
	for i := range t.nodes {
		s := &t.nodes[i]
		if s.fate == "" {
			continue
		}
		end := ends[len(out)]
		out = append(out, message.ElementFate{Path: all[start:end], Line: s.n.Line, Fate: s.fate, Reason: s.reason, Target: s.target})
		start = end
	}
	return out
}
