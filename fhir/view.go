package fhir

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"

	samply "github.com/samply/golang-fhir-models/fhir-models/fhir"
)

// The views are for reading. They embed the samply models and redeclare what those lose
// or invent: contained resources, primitive extensions, the choice values of
// Task.input and output (every one of the fifty is a mandatory field there), and
// required codes, which are pointers here because an absent one would read as the first
// of its list.

// Task is a typed view of a Task.
type Task struct {
	samply.OtherTask
	ResourceType          string             `json:"resourceType"`
	Contained             []*Node            `json:"contained,omitempty"`
	Status                *samply.TaskStatus `json:"status,omitempty"`
	Intent                *string            `json:"intent,omitempty"`
	Input                 []TaskParameter    `json:"input,omitempty"`
	Output                []TaskParameter    `json:"output,omitempty"`
	PrimitiveAuthoredOn   *Node              `json:"_authoredOn,omitempty"`
	PrimitiveLastModified *Node              `json:"_lastModified,omitempty"`
	PrimitiveDescription  *Node              `json:"_description,omitempty"`
	PrimitiveStatus       *Node              `json:"_status,omitempty"`
}

// TaskParameter is one Task.input or Task.output.
type TaskParameter struct {
	ID                *string
	Extension         []samply.Extension
	ModifierExtension []samply.Extension
	Type              samply.CodeableConcept
	// ValueName is the choice that is there, as "valueString"; Value its value and
	// PrimitiveValue the extensions of a primitive.
	ValueName             string
	Value, PrimitiveValue *Node
}

type taskParameter struct {
	ID                *string                `json:"id,omitempty"`
	Extension         []samply.Extension     `json:"extension,omitempty"`
	ModifierExtension []samply.Extension     `json:"modifierExtension,omitempty"`
	Type              samply.CodeableConcept `json:"type"`
}

// UnmarshalJSON reads one parameter.
func (p *TaskParameter) UnmarshalJSON(raw []byte) error {
	var plain taskParameter
	if err := json.Unmarshal(raw, &plain); err != nil {
		return err
	}
	n, err := Parse(raw, DefaultLimits())
	if err != nil {
		return err
	}
	*p = TaskParameter{ID: plain.ID, Extension: plain.Extension, ModifierExtension: plain.ModifierExtension, Type: plain.Type}
	for _, m := range n.Members {
		switch {
		case strings.HasPrefix(m.Name, "value"):
			p.ValueName, p.Value = m.Name, m.Value
		case strings.HasPrefix(m.Name, "_value"):
			p.ValueName, p.PrimitiveValue = m.Name[1:], m.Value
		}
	}
	return nil
}

// CarePlan is a typed view of a CarePlan.
type CarePlan struct {
	samply.OtherCarePlan
	ResourceType     string                 `json:"resourceType"`
	Contained        []*Node                `json:"contained,omitempty"`
	Status           *samply.RequestStatus  `json:"status,omitempty"`
	Intent           *samply.CarePlanIntent `json:"intent,omitempty"`
	Subject          *samply.Reference      `json:"subject,omitempty"`
	PrimitiveCreated *Node                  `json:"_created,omitempty"`
	PrimitiveTitle   *Node                  `json:"_title,omitempty"`
	PrimitiveStatus  *Node                  `json:"_status,omitempty"`
}

// Patient is a typed view of a Patient.
type Patient struct {
	samply.OtherPatient
	ResourceType              string  `json:"resourceType"`
	Contained                 []*Node `json:"contained,omitempty"`
	PrimitiveBirthDate        *Node   `json:"_birthDate,omitempty"`
	PrimitiveGender           *Node   `json:"_gender,omitempty"`
	PrimitiveDeceasedBoolean  *Node   `json:"_deceasedBoolean,omitempty"`
	PrimitiveDeceasedDateTime *Node   `json:"_deceasedDateTime,omitempty"`
}

// UnmarshalJSON reads a tree with Parse's rules.
func (n *Node) UnmarshalJSON(raw []byte) error {
	parsed, err := Parse(raw, DefaultLimits())
	if err != nil {
		return err
	}
	*n = *parsed
	return nil
}

// ViewError says that a tree does not fit a typed view. It holds no values.
type ViewError struct {
	Type  string // the view
	Field string // the element at fault, where known
	Text  string
}

// Error returns type, field and text.
func (e *ViewError) Error() string {
	at := e.Type
	if e.Field != "" {
		at += "." + e.Field
	}
	return "fhir.View: " + at + ": " + e.Text
}

// View reads n into T: Task, CarePlan or Patient of this package, or a samply model where
// those lose nothing that is read. The tree stays the truth; what a view does not show is
// not lost, and a view is never written back. The error is a *ViewError.
func View[T any](n *Node) (T, error) {
	var v T
	want := strings.TrimPrefix(reflect.TypeFor[T]().Name(), "Other")
	if n == nil || n.Kind != KindObject {
		return v, &ViewError{Type: want, Text: "not an object"}
	}
	if got := n.ResourceType(); got != want && (got != "" || isResource[T]()) {
		return v, &ViewError{Type: want, Field: "resourceType", Text: "another resource type"}
	}
	if err := json.Unmarshal(n.AppendJSON(nil), &v); err != nil {
		return v, viewError(want, err)
	}
	return v, nil
}

func isResource[T any]() bool {
	_, ok := reflect.TypeFor[T]().FieldByName("ResourceType")
	return ok
}

// viewError keeps the element and drops the rest: the models' errors quote the value.
func viewError(typ string, err error) *ViewError {
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		return &ViewError{Type: typ, Field: mismatch.Field, Text: "a value of another JSON type"}
	}
	return &ViewError{Type: typ, Text: "a value outside its code list or type"}
}
