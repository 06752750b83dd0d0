package fhir

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// BundleError says which entry of a Bundle is wrong. It holds no values.
type BundleError struct {
	// Path is the element at fault, as Bundle.entry[0].request.url.
	Path string
	Text string
	// Err is the cause, where a caller's own function failed; else nil.
	Err error
}

// Error returns path and text.
func (e *BundleError) Error() string { return e.Path + ": " + e.Text }

// Unwrap returns the cause.
func (e *BundleError) Unwrap() error { return e.Err }

func entryError(entry int, below, text string) *BundleError {
	return &BundleError{Path: fmt.Sprintf("Bundle.entry[%d]%s", entry, below), Text: text}
}

// BundleEntries reads the entries of a transaction or batch Bundle (R4 3.1.0.11). The
// resources are those of the tree, not copies. The error is a *BundleError.
func BundleEntries(bundle *Node) (WriteMode, []WriteEntry, error) {
	if bundle.ResourceType() != "Bundle" {
		return "", nil, &BundleError{Path: "Bundle", Text: "not a Bundle"}
	}
	var mode WriteMode
	switch bundle.Str("type") {
	case "transaction":
		mode = WriteTransaction
	case "batch":
		mode = WriteBatch
	default:
		return "", nil, &BundleError{Path: "Bundle.type", Text: "neither transaction nor batch"}
	}
	nodes := bundle.Each("entry")
	entries := make([]WriteEntry, len(nodes))
	for i, n := range nodes {
		e, err := bundleEntry(i, n)
		if err != nil {
			return "", nil, err
		}
		entries[i] = e
	}
	return mode, entries, nil
}

func bundleEntry(i int, n *Node) (WriteEntry, error) {
	request := n.Get("request")
	e := WriteEntry{Method: request.Str("method"), FullURL: n.Str("fullUrl"),
		IfNoneExist: strings.TrimPrefix(request.Str("ifNoneExist"), "?"), Resource: n.Get("resource")}
	switch e.Method {
	case "POST", "PUT", "DELETE", "GET":
	case "":
		return e, entryError(i, ".request.method", "missing")
	default:
		return e, entryError(i, ".request.method", "not supported")
	}
	var ok bool
	if e.Type, e.ID, e.Query, ok = splitTarget(request.Str("url")); !ok {
		return e, entryError(i, ".request.url", "neither Type, Type/id nor Type?query")
	}
	if v := request.Str("ifMatch"); v != "" {
		if e.IfMatch, ok = ParseETag(v); !ok {
			return e, entryError(i, ".request.ifMatch", `not of the form W/"1"`)
		}
	}
	return e, entryShape(i, e)
}

// entryShape checks what each method must and must not have.
func entryShape(i int, e WriteEntry) error {
	writes := e.Method == "POST" || e.Method == "PUT"
	switch {
	case writes && (e.Resource == nil || e.Resource.Kind != KindObject):
		return entryError(i, ".resource", "missing")
	case !writes && e.Resource != nil:
		return entryError(i, ".resource", "not allowed with this method")
	case writes && e.Resource.ResourceType() != e.Type:
		return entryError(i, ".resource.resourceType", "not the type of request.url")
	case e.Method == "POST" && (e.ID != "" || e.Query != ""):
		return entryError(i, ".request.url", "a create names the type alone")
	case e.Method == "PUT" && e.ID == "" && e.Query == "":
		return entryError(i, ".request.url", "an update names an id or a query")
	case e.Method == "PUT" && e.ID != "" && e.Resource.ID() != e.ID:
		return entryError(i, ".resource.id", "not the id of request.url")
	case e.Method == "DELETE" && e.ID == "" && e.Query == "":
		return entryError(i, ".request.url", "a delete names an id or a query")
	case e.Method != "POST" && e.IfNoneExist != "":
		return entryError(i, ".request.ifNoneExist", "only with POST")
	}
	return nil
}

// splitTarget splits Bundle.entry.request.url, relative to the server's base.
func splitTarget(target string) (typ, id, query string, ok bool) {
	path, query, _ := strings.Cut(strings.TrimPrefix(target, "/"), "?")
	typ, id, hasID := strings.Cut(path, "/")
	if !typeName(typ) || hasID && !ValidID(id) || hasID && query != "" {
		return "", "", "", false
	}
	return typ, id, query, true
}

// ParseETag reads a weak or strong entity tag, W/"3" or "3", as a version of 1 or more.
func ParseETag(tag string) (int64, bool) {
	tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
	if len(tag) < 3 || tag[0] != '"' || tag[len(tag)-1] != '"' {
		return 0, false
	}
	v, err := strconv.ParseInt(tag[1:len(tag)-1], 10, 64)
	return v, err == nil && v > 0
}

// ResolveTransaction gives every created resource its id and rewrites the references
// between entries to Type/id, in contained resources and extensions too (R4
// 3.1.0.11.2.2). assign returns the id of entry i: a new one, or for a conditional
// interaction the one that matched; it is called for each POST and each PUT without an id.
//
// Rewritten are literal references to an entry's fullUrl, relative ones that its base
// makes absolute, conditional ones that name the query of an entry, and uri values and
// narrative links equal to a fullUrl. A urn: reference that no entry has is an error;
// other references are left as they are. The resources are changed in place. The error is
// a *BundleError.
func ResolveTransaction(entries []WriteEntry, assign func(i int, typ string) string) error {
	r := resolver{byURL: make(map[string]string, len(entries)), byQuery: map[string]string{}}
	for i := range entries {
		if err := r.register(i, &entries[i], assign); err != nil {
			return err
		}
	}
	if err := distinct(entries); err != nil {
		return err
	}
	for i := range entries {
		if entries[i].Resource == nil {
			continue
		}
		base, _, _, _ := SplitReference(entries[i].FullURL)
		if err := r.rewrite(entries[i].Resource, base); err != "" {
			return entryError(i, ".resource", err)
		}
	}
	return nil
}

type resolver struct {
	byURL   map[string]string // fullUrl to Type/id
	byQuery map[string]string // Type?query to Type/id
}

func (r *resolver) register(i int, e *WriteEntry, assign func(int, string) string) error {
	given := e.ID
	if e.ID == "" && (e.Method == "POST" || e.Method == "PUT") {
		if e.ID = assign(i, e.Type); !ValidID(e.ID) {
			return entryError(i, "", "no valid id was assigned")
		}
	}
	if e.Resource != nil && given == "" {
		SetID(e.Resource, e.ID)
	}
	if e.ID == "" {
		return nil
	}
	target := e.Type + "/" + e.ID
	for _, q := range []string{e.IfNoneExist, e.Query} {
		if q != "" {
			r.byQuery[canonicalQuery(e.Type, q)] = target
		}
	}
	if e.FullURL == "" || e.Resource == nil {
		return nil
	}
	if other, dup := r.byURL[e.FullURL]; dup && other != target {
		return entryError(i, ".fullUrl", "the same as another entry's")
	}
	r.byURL[e.FullURL] = target
	return nil
}

// canonicalQuery makes two spellings of one query equal: order and escaping of parameters.
func canonicalQuery(typ, query string) string {
	values, err := url.ParseQuery(query)
	if err != nil {
		return typ + "?" + query
	}
	return typ + "?" + values.Encode()
}

// distinct refuses two writes of one resource in one transaction (R4 3.1.0.11.2).
func distinct(entries []WriteEntry) error {
	seen := make(map[string]bool, len(entries))
	for i, e := range entries {
		if e.ID == "" || e.Method == "GET" {
			continue
		}
		// Two conditional creates may well match one existing resource.
		if e.IfNoneExist != "" {
			continue
		}
		key := e.Type + "/" + e.ID
		if seen[key] {
			return entryError(i, "", "a second write of one resource")
		}
		seen[key] = true
	}
	return nil
}

// rewrite returns what is wrong, or "".
func (r *resolver) rewrite(n *Node, base string) string {
	switch n.Kind {
	case KindArray:
		for _, item := range n.Items {
			if wrong := r.rewrite(item, base); wrong != "" {
				return wrong
			}
		}
	case KindObject:
		for i := range n.Members {
			m := &n.Members[i]
			if ownScope(n, i) {
				continue
			}
			if m.Value.Kind != KindString {
				if wrong := r.rewrite(m.Value, base); wrong != "" {
					return wrong
				}
				continue
			}
			text, wrong := r.resolve(m.Name, m.Value.Text, base)
			if wrong != "" {
				return wrong
			}
			if text != m.Value.Text {
				m.Value = Str(text)
			}
		}
	}
	return ""
}

func (r *resolver) resolve(name, text, base string) (string, string) {
	switch name {
	case "reference":
		return r.reference(text, base)
	case "url", "uri", "valueUri", "valueUrl", "valueOid", "valueUuid":
		if target, ok := r.byURL[text]; ok {
			return target, ""
		}
	case "div":
		return r.narrative(text), ""
	}
	return text, ""
}

func (r *resolver) reference(ref, base string) (string, string) {
	if strings.HasPrefix(ref, "#") {
		return ref, ""
	}
	if target, ok := r.byURL[ref]; ok {
		return target, ""
	}
	if query := strings.IndexByte(ref, '?'); query > 0 && typeName(ref[:query]) {
		if target, ok := r.byQuery[canonicalQuery(ref[:query], ref[query+1:])]; ok {
			return target, ""
		}
		return ref, ""
	}
	if strings.HasPrefix(ref, "urn:") {
		return "", "a urn reference that no entry has as its fullUrl"
	}
	if refBase, typ, id, ok := SplitReference(ref); ok {
		if refBase == "" {
			refBase = base
		}
		if target, ok := r.byURL[refBase+typ+"/"+id]; ok {
			return target, ""
		}
	}
	return ref, ""
}

// narrative rewrites links to entries in XHTML.
func (r *resolver) narrative(div string) string {
	if !strings.Contains(div, "href=") && !strings.Contains(div, "src=") {
		return div
	}
	for _, attribute := range []string{`href="`, `src="`} {
		var b strings.Builder
		rest := div
		for {
			i := strings.Index(rest, attribute)
			if i < 0 {
				break
			}
			i += len(attribute)
			end := strings.IndexByte(rest[i:], '"')
			if end < 0 {
				break
			}
			link := rest[i : i+end]
			if target, ok := r.byURL[link]; ok {
				link = target
			}
			b.WriteString(rest[:i])
			b.WriteString(link)
			rest = rest[i+end:]
		}
		b.WriteString(rest)
		div = b.String()
	}
	return div
}

// ResolveConditional rewrites the conditional references (Type?query) that
// ResolveTransaction left. find returns the id of the one match; its error, which must
// hold no values, ends the work and is returned in a *BundleError.
func ResolveConditional(entries []WriteEntry, find func(typ, query string) (id string, err error)) error {
	for i := range entries {
		var failed error
		References(entries[i].Resource, func(ref *Node) {
			typ, query, ok := strings.Cut(ref.Str("reference"), "?")
			if failed != nil || !ok || !typeName(typ) || query == "" {
				return
			}
			id, err := find(typ, query)
			if err != nil {
				failed = err
				return
			}
			ref.Set("reference", Str(typ+"/"+id))
		})
		if failed != nil {
			wrong := entryError(i, ".resource", "conditional reference: "+failed.Error())
			wrong.Err = failed
			return wrong
		}
	}
	return nil
}
