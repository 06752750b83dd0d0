package kith

import "stafett/message"

// element builds an element of namespace space; attributes come first among children.
func element(space, name string, children ...*message.Node) *message.Node {
	n := &message.Node{Name: name, Space: space}
	for _, c := range children {
		if c != nil {
			n.Children = append(n.Children, c)
		}
	}
	return n
}

// value builds an element with text; nil when the text is empty.
func value(space, name, text string) *message.Node {
	if text == "" {
		return nil
	}
	return &message.Node{Name: name, Space: space, Value: text}
}

// attribute builds an attribute; nil when the text is empty.
func attribute(name, text string) *message.Node {
	if text == "" {
		return nil
	}
	return &message.Node{Name: "@" + name, Value: text}
}

// coded builds an element of type CS: a code with its display name.
func coded(space, name, code, display string) *message.Node {
	return element(space, name, attribute("V", code), attribute("DN", display))
}
