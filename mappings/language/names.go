package language

import (
	"fmt"
	"maps"
	"slices"
)

// unknown is the mistake of a name that is not in a closed list, with the nearest that is.
func (p position) unknown(what, name string, known []string) error {
	return p.errorf("there is no %s %q%s", what, name, hint(name, known))
}

// hint names what the writer may have meant; it is empty when nothing is near.
func hint(name string, known []string) string { return hintOf(nearest(name, known)) }

func hintOf(near string) string {
	if near == "" {
		return ""
	}
	return fmt.Sprintf("; the nearest is %q", near)
}

// nearest returns the name that is the fewest edits away, within a third of its length and
// one; the first in the alphabet of several.
func nearest(name string, known []string) string {
	best, least := "", len(name)/3+2
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := edits(name, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// edits counts the letters to insert, remove, change or swap with the next to make b of a.
func edits(a, b string) int {
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			next[j+1] = min(row[j+1]+1, next[j]+1, row[j]+differ(a[i], b[j]))
			if swapped(a, b, i, j) {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}

func differ(a, b byte) int {
	if a == b {
		return 0
	}
	return 1
}

func swapped(a, b string, i, j int) bool {
	return i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j]
}

// keys lists the names of a table.
func keys[V any](table map[string]V) []string { return slices.Sorted(maps.Keys(table)) }

// texts spells a list of named strings.
func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}
