package main

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"stafett/directory"
)

// unknownKeys names every key below n that t has no field for, with its line and the key
// that was probably meant. Decoding would stop at one and name Go's types.
func unknownKeys(file string, n *yaml.Node, t reflect.Type, path string) (problems []error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case n.Kind == yaml.DocumentNode && len(n.Content) == 1:
		return unknownKeys(file, n.Content[0], t, path)
	case n.Kind == yaml.AliasNode:
		return unknownKeys(file, n.Alias, t, path)
	case n.Kind == yaml.SequenceNode && t.Kind() == reflect.Slice:
		for i, item := range n.Content {
			problems = append(problems, unknownKeys(file, item, t.Elem(), fmt.Sprintf("%s[%d]", path, i))...)
		}
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Map:
		for i := 1; i < len(n.Content); i += 2 {
			problems = append(problems, unknownKeys(file, n.Content[i], t.Elem(), within(path, n.Content[i-1].Value))...)
		}
	case n.Kind == yaml.MappingNode && t.Kind() == reflect.Struct && t != reflect.TypeFor[yaml.Node]():
		fields, names := keysOf(t)
		for i := 1; i < len(n.Content); i += 2 {
			key, value := n.Content[i-1], n.Content[i]
			if f, ok := fields[key.Value]; ok {
				problems = append(problems, unknownKeys(file, value, f, within(path, key.Value))...)
			} else if key.Tag != "!!merge" {
				problems = append(problems, fmt.Errorf("%s:%d: there is no key %s%s", file, key.Line, within(path, key.Value), meant(key.Value, names)))
			}
		}
	}
	return problems
}

// keysOf are the keys that a struct takes, in its order.
func keysOf(t reflect.Type) (types map[string]reflect.Type, names []string) {
	types = map[string]reflect.Type{}
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); name != "" {
			types[name] = t.Field(i).Type
			names = append(names, name)
		}
	}
	return types, names
}

func within(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// meant says which of the known names a wrong one is near, or else which there are.
func meant(wrong string, known []string) string {
	if near := directory.Near(wrong, known); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return "; there are " + strings.Join(known, ", ")
}
