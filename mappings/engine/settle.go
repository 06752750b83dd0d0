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
		if e := &r.m.Events[i]; e.Condition == nil || r.holds(e.Condition, nil) {
			r.c.Event = e.Event
			return
		}
	}
}

// unknownCodes carries the name and the system of a code that is carried: without the
// code, nothing else says them.
func (r *toRun) unknownCodes() {
	t := r.tree
	for i := range t.nodes {
		n := &t.nodes[i]
		if n.n.Name != "@V" || n.fate != message.FateCarried && (n.fate != "" || n.reason == "") {
			continue
		}
		for k := t.nodes[n.parent].first; k >= 0; k = t.nodes[k].next {
			if s := &t.nodes[k]; s.fate == message.FateIgnored && (s.n.Name == "@DN" || s.n.Name == "@S") {
				s.fate, s.reason = message.FateCarried, "it belongs to a code that is carried"
			}
		}
	}
}

// settle gives every leaf that no line decided its fate.
func (r *toRun) settle() {
	for i := range r.tree.nodes {
		n := &r.tree.nodes[i]
		if n.fate != "" || !r.tree.isLeaf(int32(i)) {
			continue
		}
		if n.n.Value == "" || !r.tree.er7 && strings.TrimSpace(n.n.Value) == "" {
			n.fate, n.reason = message.FateIgnored, "empty"
			continue
		}
		for _, e := range r.m.Everywhere {
			if n.n.Name == e.Name {
				n.fate, n.reason = message.FateIgnored, e.Reason
			}
		}
		if n.fate == "" {
			// Invariant 6: what no line knows is carried, never dropped.
			n.fate = message.FateCarried
		}
	}
}

// collect puts the resources in order of declaration, with their keys, and what is carried.
func (r *toRun) collect() {
	keys := make([]string, len(r.res))
	for i := range r.m.Resources {
		d := &r.m.Resources[i]
		if d.Repeated {
			for _, n := range r.repeated {
				if isRepetition(n.Name, d.Name) {
					r.c.Resources = append(r.c.Resources, n)
				}
			}
			continue
		}
		if r.res[i] == nil {
			continue
		}
		keys[i] = r.key(d, r.res[i], keys)
		r.c.Resources = append(r.c.Resources, account.Named{Name: d.Name, Resource: r.res[i], Key: keys[i]})
	}
	if doc := account.CarriedDocument(r.tree.carried()); doc != nil {
		r.c.Resources = append(r.c.Resources, account.Named{Name: account.CarriedName, Resource: doc})
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
		text := d.Type
		for _, p := range parts {
			v := p.Text
			switch {
			case p.KeyOf >= 0:
				v = keys[p.KeyOf]
			case p.Place != nil:
				v = r.read(p.Place, res)
			}
			if v == "" {
				text = ""
				break
			}
			text += "\x00" + v
		}
		if text != "" {
			sum := sha256.Sum256([]byte(text))
			return hex.EncodeToString(sum[:16])
		}
	}
	return ""
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

func (r *toRun) present(p *language.Place) bool {
	if p.Root == language.RootResource {
		n := r.res[p.Resource]
		return n != nil && lookup(n, p.Steps) != nil
	}
	return readCanonical(r.c, p, nil) != ""
}

func met(q *language.Require, present func(p *language.Place) bool) bool {
	for _, parts := range q.Any {
		ok := true
		for i := range parts {
			ok = ok && present(&parts[i])
		}
		if ok {
			return true
		}
	}
	return false
}

func faultOf(q *language.Require, op string, tree *sourceTree) *handover.Fault {
	f := &handover.Fault{Kind: q.Kind, Op: op, Text: q.Text, Path: q.Path}
	if tree == nil {
		return f
	}
	// The nearest element that is there gives the line.
	best := 0
	for i := range tree.nodes {
		path := tree.path(int32(i))
		if len(path) > best && len(path) <= len(q.Path) && q.Path[:len(path)] == path {
			best, f.Line, f.Column = len(path), tree.nodes[i].n.Line, tree.nodes[i].n.Column
		}
	}
	return f
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
