package rest

import (
	"strconv"
	"time"

	"stafett/fhir"
)

// bundle builds a Bundle around resources whose bytes it does not touch.
type bundle struct {
	buf     []byte
	entries int
}

type link struct{ relation, url string }

// newBundle begins a Bundle; total is left out when it is negative.
func newBundle(typ string, total int, links ...link) *bundle {
	head := fhir.Obj("resourceType", "Bundle", "type", typ)
	if total >= 0 {
		head.Set("total", fhir.Num(strconv.Itoa(total)))
	}
	for _, l := range links {
		if l.url != "" {
			head.Append("link", fhir.Obj("relation", l.relation, "url", l.url))
		}
	}
	b := &bundle{buf: head.AppendJSON(make([]byte, 0, 1024))}
	b.buf = b.buf[:len(b.buf)-1] // its closing brace comes at the end
	return b
}

// add appends an entry: its fullUrl, the resource's exact bytes (nil for none), and one
// more element (search, request, response), each left out when empty.
func (b *bundle) add(fullURL string, resource []byte, more ...fhir.Member) {
	if b.entries == 0 {
		b.buf = append(b.buf, `,"entry":[{`...)
	} else {
		b.buf = append(b.buf, `,{`...)
	}
	b.entries++
	start := len(b.buf)
	member := func(name string) {
		if len(b.buf) > start {
			b.buf = append(b.buf, ',')
		}
		b.buf = append(append(append(b.buf, '"'), name...), `":`...)
	}
	if fullURL != "" {
		member("fullUrl")
		b.buf = fhir.Str(fullURL).AppendJSON(b.buf)
	}
	if len(resource) > 0 {
		member("resource")
		b.buf = append(b.buf, resource...)
	}
	for _, m := range more {
		if m.Value != nil {
			member(m.Name)
			b.buf = m.Value.AppendJSON(b.buf)
		}
	}
	b.buf = append(b.buf, '}')
}

// bytes ends the Bundle.
func (b *bundle) bytes() []byte {
	if b.entries > 0 {
		b.buf = append(b.buf, ']')
	}
	return append(b.buf, '}')
}

// instant writes t as a FHIR instant.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z07:00")
}
