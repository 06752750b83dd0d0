package fhir

import "strings"

// References calls f with every object in the tree that has a literal reference
// ({"reference": "…"}), in order, contained resources and extensions included, but for those
// inside the entries of a Bundle: they are of that Bundle alone (R4 2.36.4.1). f may change
// the object.
func References(n *Node, f func(ref *Node)) {
	if n == nil {
		return
	}
	if r := n.Get("reference"); r != nil && r.Kind == KindString {
		f(n)
	}
	for i := range n.Members {
		if !ownScope(n, i) {
			References(n.Members[i].Value, f)
		}
	}
	for _, item := range n.Items {
		References(item, f)
	}
}

// ownScope reports whether member i of n holds a Bundle's entries.
func ownScope(n *Node, i int) bool {
	return n.Members[i].Name == "entry" && n.ResourceType() == "Bundle"
}

// Relative makes the references of a resource relative that name the server at base
// absolutely: on one server both are one reference (R4 2.3.0.1).
func Relative(n *Node, base string) {
	if base == "" {
		return
	}
	prefix := strings.TrimSuffix(base, "/") + "/"
	relative := func(element string) func(*Node) {
		return func(n *Node) {
			if own, ok := strings.CutPrefix(n.Str(element), prefix); ok {
				n.Set(element, Str(own))
			}
		}
	}
	References(n, relative("reference"))
	Attachments(n, relative("url"))
}

// Attachments calls f with each Attachment below n whose data stands elsewhere, at its url.
func Attachments(n *Node, f func(attachment *Node)) {
	if n == nil {
		return
	}
	if n.Str("url") != "" && strings.Contains(n.Str("url"), "Binary/") {
		f(n)
	}
	for i := range n.Members {
		if !ownScope(n, i) {
			Attachments(n.Members[i].Value, f)
		}
	}
	for _, item := range n.Items {
		Attachments(item, f)
	}
}

// SplitReference splits a literal reference "Type/id" or "Type/id/_history/v", relative
// or at the end of an absolute URL, into base (with its final slash; "" when relative),
// type and id. ok is false for anything else: a fragment, a urn or a search.
func SplitReference(ref string) (base, typ, id string, ok bool) {
	if strings.HasPrefix(ref, "#") || strings.HasPrefix(ref, "urn:") || strings.ContainsAny(ref, "?#") {
		return "", "", "", false
	}
	if i := strings.Index(ref, "/_history/"); i >= 0 {
		ref = ref[:i]
	}
	slash := strings.LastIndexByte(ref, '/')
	if slash <= 0 {
		return "", "", "", false
	}
	id = ref[slash+1:]
	rest := ref[:slash]
	typ = rest[strings.LastIndexByte(rest, '/')+1:]
	base = rest[:len(rest)-len(typ)]
	if !ValidID(id) || !typeName(typ) || base != "" && !strings.Contains(base, "://") {
		return "", "", "", false
	}
	return base, typ, id, true
}

// ValidID reports whether id is a FHIR id: 1 to 64 of A-Z a-z 0-9 - . (R4 2.24.0.1).
func ValidID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if c != '-' && c != '.' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

func typeName(s string) bool {
	return s != "" && s[0] >= 'A' && s[0] <= 'Z' && plainName(s)
}

// SplitLocal splits a literal reference to a resource stored here: "Type/id" or a version
// of it, relative.
func SplitLocal(ref string) (typ, id string, ok bool) {
	ref, _, _ = strings.Cut(ref, "/_history/")
	typ, id, ok = strings.Cut(ref, "/")
	if !ok || typ == "" || id == "" || strings.ContainsAny(typ, ":#") || strings.Contains(id, "/") {
		return "", "", false
	}
	return typ, id, true
}
