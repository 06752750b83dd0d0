package conformance

import (
	"html"
	"strings"
)

// narrativeElements are what a narrative may have (txt-1): the formatting elements of
// HTML 4.0 chapters 7 to 11 (without 4) and 15, a, img and style attributes. A script or
// a form in a narrative would run where a person reads it.
var narrativeElements = func() map[string]bool {
	m := map[string]bool{}
	for name := range strings.FieldsSeq("a abbr acronym b big blockquote br caption cite code col colgroup dd dfn div dl dt em " +
		"h1 h2 h3 h4 h5 h6 hr i img li ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt ul var") {
		m[name] = true
	}
	return m
}()

// Narrative reports whether s can stand as Narrative.div.
func Narrative(s string) bool { return isDiv(s) }

// isDiv reports whether s is one well-formed XHTML div of the elements allowed, without
// event attributes and script URLs.
func isDiv(s string) bool {
	s = strings.TrimSpace(s)
	if !strings.HasPrefix(s, "<div") {
		return false
	}
	var open []string
	for {
		tag, rest, ok := nextTag(s)
		if !ok {
			return false
		}
		s = rest
		switch name := tagName(tag); {
		case tag == "": // a comment
		case strings.HasPrefix(tag, "/"):
			if len(open) == 0 || open[len(open)-1] != strings.TrimSpace(tag[1:]) {
				return false
			}
			open = open[:len(open)-1]
		case !narrativeElements[name] || !safeAttributes(tag[len(name):]):
			return false
		case !strings.HasSuffix(tag, "/"):
			open = append(open, name)
		}
		if len(open) == 0 {
			return s == ""
		}
	}
}

// nextTag returns what is between the next < and its >, "" for a comment, and what
// follows. A > inside a quoted attribute does not end the tag.
func nextTag(s string) (tag, rest string, ok bool) {
	start := strings.IndexByte(s, '<')
	if start < 0 {
		return "", "", false
	}
	s = s[start+1:]
	if comment, is := strings.CutPrefix(s, "!--"); is {
		_, rest, ok = strings.Cut(comment, "-->")
		return "", rest, ok
	}
	quote := byte(0)
	for i := range len(s) {
		switch c := s[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '<':
			return "", "", false
		case c == '>':
			return s[:i], s[i+1:], i > 0
		}
	}
	return "", "", false
}

func tagName(tag string) string {
	for i := range len(tag) {
		if c := tag[i]; isSpace(c) || c == '/' && i > 0 {
			return tag[:i]
		}
	}
	return tag
}

// safeAttributes refuses event handlers and URLs that run code.
func safeAttributes(s string) bool {
	for {
		name, rest, found := strings.Cut(s, "=")
		if !found {
			return strings.Trim(s, "/ \t\r\n") == ""
		}
		name = strings.ToLower(strings.TrimSpace(name))
		rest = strings.TrimLeft(rest, " \t\r\n")
		if rest == "" || rest[0] != '"' && rest[0] != '\'' {
			return false
		}
		end := strings.IndexByte(rest[1:], rest[0])
		if end < 0 {
			return false
		}
		value := rest[1 : 1+end]
		if strings.HasPrefix(name, "on") || strings.ContainsAny(name, " \t\r\n/") || runsCode(name, value) {
			return false
		}
		s = rest[end+2:]
	}
}

// runsCode looks at a link's scheme as a browser does, entities read.
func runsCode(name, value string) bool {
	if name != "href" && name != "src" {
		return false
	}
	scheme, rest, ok := strings.Cut(html.UnescapeString(value), ":")
	if !ok {
		return false
	}
	scheme = strings.ToLower(strings.TrimSpace(scheme))
	switch scheme {
	case "http", "https", "mailto", "tel", "urn", "ftp":
		return false
	case "data":
		return name != "src" || !strings.HasPrefix(strings.ToLower(strings.TrimSpace(rest)), "image/")
	}
	// A relative link can hold a colon behind its first slash, query or fragment.
	return !strings.ContainsAny(scheme, "/?#")
}
