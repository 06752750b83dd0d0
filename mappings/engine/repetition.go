package engine

import (
	"slices"
	"strconv"
	"strings"

	"stafett/fhir"
	"stafett/mappings/account"
	"stafett/mappings/language"
)

// repetitions knows, towards FHIR, the resources of repetitions, and which repetition of
// which block is being read: what a reference between blocks means.
type repetitions struct {
	around
	made   []account.Named // in order
	counts map[int]int     // by declaration
}

// around is what holds for one repetition.
type around struct {
	// names are the resources of this repetition and of those around it, by declaration; nil
	// where no block refers to another.
	names []string
	// since is how many repeated resources there were when this repetition began.
	since int
}

// enter begins a repetition and returns what holds around it.
func (b *repetitions) enter() (outer around) {
	outer = b.around
	b.around = around{slices.Clone(b.names), len(b.made)}
	return outer
}

func (b *repetitions) leave(outer around) { b.around = outer }

func (b *repetitions) set(resource int, name string) {
	if b.names != nil {
		b.names[resource] = name
	}
}

// add makes room for a resource of a declaration, and names it.
func (b *repetitions) add(resource int, base string, node *fhir.Node) (slot int, name string) {
	if b.counts == nil {
		b.counts = map[int]int{}
	}
	b.counts[resource]++
	name = base + "-" + strconv.Itoa(b.counts[resource])
	b.made = append(b.made, account.Named{Name: name, Resource: node})
	return len(b.made) - 1, name
}

// remove takes back what add has made, and what was made since.
func (b *repetitions) remove(resource, slot int) {
	b.counts[resource]--
	b.made = b.made[:slot]
}

// appendOf appends the resources of a declaration.
func (b *repetitions) appendOf(list []account.Named, base string) []account.Named {
	for _, n := range b.made {
		if isRepetition(n.Name, base) {
			list = append(list, n)
		}
	}
	return list
}

// refer writes a reference between blocks: to the resource of this repetition, or an item
// for each of those inside it.
func (b *repetitions) refer(s *language.Step, dst *fhir.Node, base string) {
	if !s.Ref.Many {
		if name := b.names[s.Ref.Resource]; name != "" {
			put(dst, s.Place.Steps, fhir.Str(account.ReferencePrefix+name))
		}
		return
	}
	end := slices.IndexFunc(s.Place.Steps, func(st language.FHIRStep) bool { return st.Append }) + 1
	for _, n := range b.made[b.since:] {
		if isRepetition(n.Name, base) {
			item := &fhir.Node{}
			put(item, s.Place.Steps[end:], fhir.Str(account.ReferencePrefix+n.Name))
			attach(dst, s.Place.Steps[:end], item)
		}
	}
}

// isRepetition reports whether name is that of a repetition of a repeated resource: base-1, base-2 …
func isRepetition(name, base string) bool {
	n, ok := strings.CutPrefix(name, base+"-")
	return ok && n != "" && strings.Trim(n, "0123456789") == ""
}
