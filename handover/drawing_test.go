package handover

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the generated drawing")

const drawingFile = "../docs/states.md"

func TestDrawing_IsTheTable(t *testing.T) {
	want := drawing()
	if *update {
		if err := os.WriteFile(drawingFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(drawingFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the table says; run go test ./handover -update", drawingFile)
	}
}

func drawing() string {
	var b strings.Builder
	b.WriteString(`# Handover states

Generated from the transition table in ` + "`handover/table.go`" + `; do not edit. Rewrite it with
` + "`go test ./handover -run Drawing -update`" + `.

` + "```mermaid\nstateDiagram-v2\n")
	for _, s := range States()[1:] {
		fmt.Fprintf(&b, "    state \"%s\" as %s\n", s, node(s))
	}
	for _, edge := range edges() {
		b.WriteString("    " + edge + "\n")
	}
	for _, s := range States()[1:] {
		if !s.Open() {
			fmt.Fprintf(&b, "    %s --> [*]\n", node(s))
		}
	}
	b.WriteString("```\n\n")
	drawStates(&b)
	drawEvents(&b)
	return b.String()
}

func node(s State) string {
	if s == StateNone {
		return "[*]"
	}
	return strings.ReplaceAll(string(s), "-", "_")
}

// edges joins the events between two states into one arrow, in the table's order.
func edges() []string {
	var order []string
	labels := map[string][]string{}
	for _, r := range table {
		if r.to == "" || r.waits {
			continue
		}
		for _, from := range r.from {
			key := node(from) + " --> " + node(r.to)
			if labels[key] == nil {
				order = append(order, key)
			}
			label := string(r.event)
			if r.when.name != "" {
				label += " [" + r.when.name + "]"
			}
			if !slices.Contains(labels[key], label) {
				labels[key] = append(labels[key], label)
			}
		}
	}
	out := make([]string, len(order))
	for i, key := range order {
		out[i] = key + " : " + strings.Join(labels[key], "<br/>")
	}
	return out
}

func drawStates(b *strings.Builder) {
	b.WriteString("## States\n\n| state | Task.status | businessStatus | custodian | a late one is escalated to first | its term, by the policy's names |\n|---|---|---|---|---|---|\n")
	for _, s := range stateTable {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", s.state, s.state.TaskStatus(), s.state.BusinessStatus(), s.custodian, owing(s), s.term)
	}
	b.WriteString("\nFrom the second step on the custodian is alerted as well. Where a term names two, the first is of discharges and the second of referrals and coordination.\n\n")
}

func owing(s stateRow) string {
	if s.owes == nil {
		return "nobody"
	}
	discharge, other := s.owes(KindDischarge), s.owes(KindReferral)
	if discharge == other {
		return string(discharge)
	}
	return fmt.Sprintf("%s (discharge), %s", discharge, other)
}

func drawEvents(b *strings.Builder) {
	b.WriteString("## Events\n\nRows of one event are tried in order; the first that fits decides. What no row takes is illegal. A named person (reader) acts with the rights of the party read for.\n\n")
	b.WriteString("| event | by | from | when | to | custody | what else | told | reason |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range table {
		to := string(r.to)
		if r.waits {
			to = "illegal, waits for its original"
		} else if to == "" {
			to = "same"
		}
		name := string(r.event)
		if len(r.kinds) > 0 {
			name += " (" + join(r.kinds) + ")"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", name, join(r.who), states(r.from), r.when.name, to,
			r.custody, extras(r), r.tell, r.reason)
	}
}

func states(s []State) string {
	switch {
	case slices.Equal(s, inStored):
		return "any stored"
	case slices.Equal(s, inOpen):
		return "any open"
	case slices.Equal(s, inUnended):
		return "any open, declined"
	case slices.Equal(s, inEnded):
		return "any ended"
	case len(s) == len(inStored)+1:
		return "any"
	}
	return join(s)
}

func extras(r rule) string {
	var out []string
	for _, n := range r.needs {
		out = append(out, "must name: "+n.name)
	}
	for _, f := range r.facts {
		out = append(out, "fact: "+f.name)
	}
	for _, a := range r.raise {
		out = append(out, "raises "+string(a))
	}
	for _, m := range r.mark {
		out = append(out, fmt.Sprintf("raises %s if %s", m.reason, m.when.name))
	}
	if len(r.clear) > 0 {
		out = append(out, "clears "+join(r.clear))
	}
	if r.special != "" {
		out = append(out, string(r.special))
	}
	if r.reclock {
		out = append(out, "term anew if a fact changed")
	}
	if r.ends == NoneDied {
		out = append(out, "next: died")
	} else if r.ends != "" {
		out = append(out, "next: "+string(r.ends)+" unless named")
	}
	if r.quiet {
		out = append(out, "nothing follows if nothing changes")
	}
	return strings.Join(out, "; ")
}

func join[T ~string](s []T) string {
	out := make([]string, len(s))
	for i := range s {
		out[i] = string(s[i])
	}
	return strings.Join(out, ", ")
}
