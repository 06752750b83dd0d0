package directory

import (
	"fmt"
	"strings"
)

// Problem is one thing wrong with a directory file.
type Problem struct {
	File string
	Line int // 1-based
	Text string
}

// String returns file:line: text.
func (p Problem) String() string { return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text) }

// Errors is every problem of one directory file, in the order of its lines, so that an
// operator mends the file once and not once per problem.
type Errors struct{ Problems []Problem }

// Error returns one line per problem.
func (e *Errors) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}
