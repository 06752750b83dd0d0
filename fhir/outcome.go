package fhir

// Issue is one issue of an OperationOutcome (R4). It quotes no values of a message.
type Issue struct {
	// Severity is fatal, error, warning or information.
	Severity string
	// Code is of http://hl7.org/fhir/issue-type, as "structure" or "required".
	Code string
	// Details is text for a person, Diagnostics for a developer; either may be empty.
	Details, Diagnostics string
	// Expression holds the elements at fault, as Task.input[0].value.
	Expression []string
}

// OperationOutcome makes an OperationOutcome. Without issues it says that all went well,
// because the element is mandatory.
func OperationOutcome(issues ...Issue) *Node {
	if len(issues) == 0 {
		issues = []Issue{{Severity: "information", Code: "informational", Details: "All OK"}}
	}
	items := make([]*Node, len(issues))
	for i, issue := range issues {
		var details *Node
		if issue.Details != "" {
			details = Obj("text", issue.Details)
		}
		var expression []*Node
		for _, e := range issue.Expression {
			if e != "" {
				expression = append(expression, Str(e))
			}
		}
		items[i] = Obj("severity", orElse(issue.Severity, "error"), "code", orElse(issue.Code, "processing"),
			"details", details, "diagnostics", issue.Diagnostics, "expression", expression)
	}
	return Obj("resourceType", "OperationOutcome", "issue", items)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
