package engine

import (
	"slices"
	"strings"

	"stafett/mappings/account"
)

// Shown is a report as it is kept and told: what is carried along is named by its format's
// names alone, since a sender can put anything in place of another.
func Shown(r account.Report) account.Report {
	r.Leftover = slices.Clone(r.Leftover)
	for i := range r.Leftover {
		l := &r.Leftover[i]
		path, carried := strings.CutPrefix(l.Path, account.CarriedName+".")
		if !carried {
			continue
		}
		if shown := shownPath(path); shown != path {
			l.Path, l.Label = account.CarriedName+"."+shown, shown
		}
	}
	return r
}

// shownPath is the path of an element of XML or of ER7 with "?" for the names of neither.
func shownPath(path string) string {
	marks := "-."
	if strings.Contains(path, "/") {
		marks = "/"
	}
	var b strings.Builder
	for path != "" {
		end := strings.IndexAny(path, marks)
		if end < 0 {
			end = len(path)
		}
		name, index, indexed := strings.Cut(path[:end], "[")
		b.WriteString(shownName(name))
		if indexed {
			b.WriteString("[" + index)
		}
		if end < len(path) {
			b.WriteByte(path[end])
			end++
		}
		path = path[end:]
	}
	return b.String()
}
