package directory

import "strings"

// Near returns the known name that a mistyped one most likely meant: the one with the
// fewest changed letters, no more than a third of them; empty when none is near.
func Near(wrong string, known []string) string {
	best, distance := "", max(2, len(wrong)/3)+1
	for _, k := range known {
		if d := changes(strings.ToLower(wrong), strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// changes is how many letters must be put in, taken out or replaced to make b of a.
func changes(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
