package fhir

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// ReadError says that a tree does not fit the type it is read into. It holds no values.
type ReadError struct {
	// Path is the element at fault, as Task.input[0].type.text.
	Path string
	// Text says what was expected there.
	Text string
}

// Error returns path and text.
func (e *ReadError) Error() string { return "fhir.Read: " + e.Path + ": " + e.Text }

// below puts the error under a step of the path, as ".input" or "[0]".
func (e *ReadError) below(step string) *ReadError {
	return &ReadError{Path: step + e.Path, Text: e.Text}
}

// Read reads a resource. What T does not know is passed over. The tree stays the truth and
// is not kept: a later change of it does not reach the value. The error is a *ReadError.
func Read[T Typed](n *Node) (T, error) {
	var typed T
	v := reflect.ValueOf(&typed).Elem()
	name := v.Type().Name()
	if n == nil || n.Kind != KindObject || n.ResourceType() != name {
		return typed, &ReadError{Path: name, Text: "another type of resource"}
	}
	if err := readObject(n, v); err != nil {
		var zero T
		return zero, err.below(name)
	}
	return typed, nil
}

// readNode reads n into v, a settable value of a type that occurs in the models. Null
// leaves v as it is: among primitives it stands where only an extension has a value.
func readNode(n *Node, v reflect.Value) *ReadError {
	if n == nil || n.Kind == KindNull {
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		to := reflect.New(v.Type().Elem())
		v.Set(to)
		return readNode(n, to.Elem())
	case reflect.Slice:
		return readArray(n, v)
	case reflect.Struct:
		return readObject(n, v)
	}
	return readPrimitive(n, v)
}

func readObject(n *Node, v reflect.Value) *ReadError {
	if n.Kind != KindObject {
		return &ReadError{Text: "not an object"}
	}
	fields := fieldsOf(v.Type())
	for i := range n.Members {
		m := &n.Members[i]
		at, ok := fields[m.Name]
		if !ok {
			continue
		}
		if err := readNode(m.Value, v.FieldByIndex(at)); err != nil {
			return err.below("." + m.Name)
		}
	}
	return nil
}

func readArray(n *Node, v reflect.Value) *ReadError {
	if n.Kind != KindArray {
		return &ReadError{Text: "not an array"}
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Items), len(n.Items)))
	for i, item := range n.Items {
		if err := readNode(item, v.Index(i)); err != nil {
			return err.below("[" + strconv.Itoa(i) + "]")
		}
	}
	return nil
}

// The types of the models' primitives; what is of none of them is a code of a closed list.
var (
	stringType = reflect.TypeFor[string]()
	numberType = reflect.TypeFor[json.Number]()
	boolType   = reflect.TypeFor[bool]()
	intType    = reflect.TypeFor[int]()
)

func readPrimitive(n *Node, v reflect.Value) *ReadError {
	switch v.Type() {
	case stringType:
		if n.Kind != KindString {
			return &ReadError{Text: "not a string"}
		}
		v.SetString(n.Text)
	case numberType:
		if n.Kind != KindNumber {
			return &ReadError{Text: "not a number"}
		}
		v.SetString(n.Text)
	case boolType:
		if n.Kind != KindBool {
			return &ReadError{Text: "not a boolean"}
		}
		v.SetBool(n.Text == "true")
	case intType:
		i, err := strconv.Atoi(n.Text)
		if n.Kind != KindNumber || err != nil {
			return &ReadError{Text: "not a whole number"}
		}
		v.SetInt(int64(i))
	default:
		return readCode(n, v)
	}
	return nil
}

// unlisted is what a code outside its closed list reads as: neither absent nor one of the
// list. Its Code is "<unknown>". Conformance checks no lists of codes, so a Task may carry
// one in an element that no rule looks into, and is read all the same.
const unlisted = -1

func readCode(n *Node, v reflect.Value) *ReadError {
	code, ok := v.Addr().Interface().(json.Unmarshaler)
	if !ok || n.Kind != KindString {
		return &ReadError{Text: "not a code"}
	}
	if code.UnmarshalJSON(n.JSON()) != nil {
		v.SetInt(unlisted)
	}
	return nil
}

// fields is where in a struct the member of each name goes.
type fields map[string][]int

var fieldsByType sync.Map // reflect.Type to fields

func fieldsOf(t reflect.Type) fields {
	if known, ok := fieldsByType.Load(t); ok {
		return known.(fields)
	}
	fs := fields{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if had, ok := fs[name]; name != "" && (!ok || len(f.Index) < len(had)) {
			fs[name] = f.Index
		}
	}
	fieldsByType.Store(t, fs)
	return fs
}
