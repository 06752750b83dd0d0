package rest

import (
	"fmt"
	"testing"

	"stafett/conformance"
	"stafett/handover"
)

func TestOutcome_NamesEveryDeviation(t *testing.T) {
	for given, want := range map[int]int{1: 1, 3: 3, 50: deviationsMax} {
		all := make([]conformance.Issue, given)
		for i := range all {
			all[i] = conformance.Issue{Severity: conformance.SeverityError, Code: conformance.CodeRequired,
				Path: fmt.Sprintf("Task.input[%d]", i), Text: "a mandatory element is missing", Line: 1, Column: i + 1}
		}
		err := &handover.Fault{Kind: handover.FaultInvalid, Text: all[0].Text, Path: all[0].Path, Err: &conformance.Error{Issues: all}}
		issues := outcomeOf(err, "c").Each("issue")
		if len(issues) != want {
			t.Fatalf("%d deviations: %d issues", given, len(issues))
		}
		for i, issue := range issues {
			if got := issue.Each("expression"); len(got) != 1 || got[0].Text != all[i].Path || issue.Str("code") != "invalid" {
				t.Errorf("issue %d: %s", i, issue.JSON())
			}
		}
	}
}
