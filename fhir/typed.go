package fhir

import (
	"errors"

	models "github.com/samply/golang-fhir-models/fhir-models/fhir"
)

// Typed is what Read reads: the resources that rules of the gateway look into. They embed
// the samply models, complete what those lose, and make the required codes optional: in
// the models an absent code reads as the first of its list. They are for reading alone. A
// resource is changed and written as its tree, because the models drop what they do not
// know (contained resources, extensions of primitives) and invent what is absent.
type Typed interface {
	Task | CarePlan | Observation
}

// Reference and Period are the models' own.
type (
	Reference = models.Reference
	Period    = models.Period
)

// Task is a Task (http://hl7.org/fhir/R4/task.html).
type Task struct {
	readOnly
	models.OtherTask
	Status *models.TaskStatus `json:"status"`
	Intent *string            `json:"intent"`
	Input  []TaskParameter    `json:"input"`
	Output []TaskParameter    `json:"output"`
}

// TaskParameter is one Task.input or Task.output. Its value may have any type that an
// extension's value may have, so it is read as one; the models' own type holds all fifty
// at once and does not tell which is there.
type TaskParameter struct {
	models.Extension
	ModifierExtension []models.Extension     `json:"modifierExtension"`
	Type              models.CodeableConcept `json:"type"`
}

// CarePlan is a CarePlan (http://hl7.org/fhir/R4/careplan.html).
type CarePlan struct {
	readOnly
	models.OtherCarePlan
	Status *models.RequestStatus  `json:"status"`
	Intent *models.CarePlanIntent `json:"intent"`
}

// Observation is an Observation (http://hl7.org/fhir/R4/observation.html).
type Observation struct {
	readOnly
	models.OtherObservation
	Status *models.ObservationStatus `json:"status"`
}

// readOnly keeps a typed value from being written.
type readOnly struct{}

// MarshalJSON refuses.
func (readOnly) MarshalJSON() ([]byte, error) {
	return nil, errors.New("fhir: a typed value is for reading; write the tree")
}

// Value returns what an optional element holds, or its type's zero value.
func Value[T any](element *T) T {
	if element == nil {
		var zero T
		return zero
	}
	return *element
}

// Code returns an optional code as it stands in FHIR, "" when it is absent, and
// "<unknown>" when it is none of its closed list.
func Code[T interface{ Code() string }](code *T) string {
	if code == nil {
		return ""
	}
	return (*code).Code()
}

// FirstCoding returns system and code of the first coding of an optional concept, or "".
func FirstCoding(concept *models.CodeableConcept) (system, code string) {
	if concept == nil || len(concept.Coding) == 0 {
		return "", ""
	}
	return Value(concept.Coding[0].System), Value(concept.Coding[0].Code)
}

// LogicalIdentifier returns the business identifier by which an optional reference names
// its target (http://hl7.org/fhir/R4/references.html#logical), or "".
func LogicalIdentifier(ref *models.Reference) (system, value string) {
	id := Value(Value(ref).Identifier)
	return Value(id.System), Value(id.Value)
}

// Literal returns the literal reference of an optional Reference ("Patient/1"), or "".
func Literal(ref *models.Reference) string { return Value(Value(ref).Reference) }
