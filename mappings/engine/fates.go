package engine

import (
	"cmp"
	"strings"

	"stafett/mappings/account"
	"stafett/mappings/language"
	"stafett/message"
)

// fates is what becomes of each leaf of the message.
type fates struct{ *sourceTree }

// ignore gives a leaf that has no fate this one.
func (f fates) ignore(leaf int32, reason string) {
	f.nodes[leaf].settle(message.FateIgnored, reason)
}

// settle gives a leaf a fate; the first stays.
func (n *srcNode) settle(fate message.Fate, reason string) {
	if n.fate == "" {
		n.fate, n.reason = fate, reason
	}
}

// because notes why a leaf could not be mapped; the first reason stays.
func (f fates) because(leaf int32, reason string) {
	if n := &f.nodes[leaf]; n.fate == "" {
		n.reason = cmp.Or(n.reason, reason)
	}
}

// markWhole marks what a line has read: a leaf, or all of an element.
func (f fates) markWhole(id int32, s *language.Step, how language.Verdict, reason string) {
	if s.Converter.Subtree {
		f.markBelow(id, s.Place.Text)
		return
	}
	f.mark(id, s.Place.Text, how, reason)
}

// mark notes that a leaf reached target. A leaf that only partly fits stays carried
// unless another line maps it whole.
func (f fates) mark(id int32, target string, how language.Verdict, reason string) {
	n := &f.nodes[id]
	switch {
	case how == language.Partly:
		n.settle(message.FateCarried, reason)
	case n.fate != message.FateMapped:
		n.fate, n.target, n.reason = message.FateMapped, target, ""
	case !strings.Contains(n.target, target):
		n.target += ", " + target
	}
}

// markBelow marks every leaf of a subtree.
func (f fates) markBelow(id int32, target string) {
	if f.isLeaf(id) {
		f.mark(id, target, language.Converted, "")
	}
	for k := f.nodes[id].first; k >= 0; k = f.nodes[k].next {
		f.markBelow(k, target)
	}
}

// markFilters marks the leaves that chose the repetitions on the way.
func (f fates) markFilters(steps []language.MsgStep, target string, chain []int32) {
	for i := range steps {
		for j := range steps[i].Filters {
			if steps[i].Filters[j].Is != nil {
				continue
			}
			if leaf := f.leafAt(chain[i], steps[i].Filters[j].Path); leaf >= 0 {
				f.mark(leaf, target, language.Converted, "")
			}
		}
	}
}

// decide gives every undecided leaf of a subtree a fate.
func (f fates) decide(id int32, fate message.Fate, reason string) {
	if f.isLeaf(id) {
		f.nodes[id].settle(fate, reason)
	}
	for k := f.nodes[id].first; k >= 0; k = f.nodes[k].next {
		f.decide(k, fate, reason)
	}
}

// unknownCodes carries the name and the system of a code that is carried: without the
// code, nothing else says them.
func (f fates) unknownCodes() {
	for i := range f.nodes {
		if n := &f.nodes[i]; n.n.Name == "@V" && n.toBeCarried() {
			f.carryBeside(n.parent)
		}
	}
}

// toBeCarried reports a leaf that is carried, or will be because its line could not take it.
func (n *srcNode) toBeCarried() bool {
	return n.fate == message.FateCarried || n.fate == "" && n.reason != ""
}

func (f fates) carryBeside(parent int32) {
	for k := f.nodes[parent].first; k >= 0; k = f.nodes[k].next {
		if s := &f.nodes[k]; s.fate == message.FateIgnored && belongsToCode[s.n.Name] {
			s.fate, s.reason = message.FateCarried, "it belongs to a code that is carried"
		}
	}
}

var belongsToCode = map[string]bool{"@DN": true, "@S": true}

// settleAll gives every leaf that no line decided its fate. everywhere are the names that are
// ignored wherever they stand, with the reason.
func (f fates) settleAll(everywhere map[string]string) {
	for i := range f.nodes {
		n := &f.nodes[i]
		if n.fate != "" || !f.isLeaf(int32(i)) {
			continue
		}
		if f.trimmed(n.n.Value) == "" {
			n.settle(message.FateIgnored, "empty")
		}
		if reason, ok := everywhere[n.n.Name]; ok {
			n.settle(message.FateIgnored, reason)
		}
		// Invariant 6: what no line knows is carried, never dropped.
		n.settle(message.FateCarried, n.reason)
	}
}

// carried lists the leaves that are carried, in document order.
func (f fates) carried() []account.CarriedLine {
	var out []account.CarriedLine
	for i := range f.nodes {
		if n := &f.nodes[i]; n.fate == message.FateCarried {
			out = append(out, account.CarriedLine{Path: f.path(int32(i)), Value: f.verbatim(f.msg, n.n)})
		}
	}
	return out
}

// list lists the leaves with their fates, in document order. All paths share one string; a
// name that no format has is "?" in them, since a sender can put anything there.
func (f fates) list() []message.ElementFate {
	paths := make([]byte, 0, 32*len(f.nodes))
	ends, ids := make([]int, 0, len(f.nodes)), make([]int32, 0, len(f.nodes))
	for i := range f.nodes {
		if f.nodes[i].fate != "" {
			paths = f.appendPath(paths, int32(i), shownName)
			ends, ids = append(ends, len(paths)), append(ids, int32(i))
		}
	}
	all, start := string(paths), 0
	out := make([]message.ElementFate, len(ids))
	for k, id := range ids {
		s := &f.nodes[id]
		out[k] = message.ElementFate{Path: all[start:ends[k]], Line: s.n.Line, Fate: s.fate, Reason: s.reason, Target: s.target}
		start = ends[k]
	}
	return out
}
