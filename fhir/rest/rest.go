// Package rest is the FHIR R4 (4.0.1) HTTP API: it reads requests, hands every write to a
// Writer and every read to a Reader, and writes answers. It decides nothing: validation,
// visibility and what a Task means belong to the Writer and the Reader, which package
// gateway implements.
//
// Served are metadata, create, read, vread, update, delete, history (instance, type,
// system), search by GET and by POST, batch and transaction (R4 3.1.0), in JSON only.
// Resources leave byte for byte as they are stored.
//
// Everything but metadata needs a bearer token. Whoever has none learns nothing, not even
// which types are stored. What a caller may not read is answered as not found.
//
// The server that carries the routes must be bounded in time, or a slow sender holds
// memory and a connection for ever: transport.Harden sets the timeouts that the limits here assume.
package rest

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"stafett/access"
	"stafett/fhir"
	"stafett/fhir/search"
	"stafett/handover"
	"stafett/transport"
)

// Writer takes every write. Errors are *handover.Fault; any other is answered as
// temporary. A positive result is returned only after the commit (invariant 1). Of a
// batch or transaction the result has one entry for each entry of w, in order.
type Writer interface {
	Write(ctx context.Context, c access.Caller, w fhir.Write) (fhir.WriteResult, error)
}

// Refuser is what a Writer is as well when it keeps a record of bodies that could not be
// read. Refuse returns f once the record is stored, or the fault that kept it from that.
type Refuser interface {
	Refuse(ctx context.Context, c access.Caller, raw []byte, f *handover.Fault) error
}

// Reader takes every read. Errors are *handover.Fault. Faults: not-found, also for what
// the caller may not see; gone.
type Reader interface {
	Read(ctx context.Context, c access.Caller, typ, id string) (fhir.Version, error)
	ReadVersion(ctx context.Context, c access.Caller, typ, id string, version int64) (fhir.Version, error)
	// History returns versions newest first. id is empty for a type, typ for the whole
	// system; before continues behind a page.
	History(ctx context.Context, c access.Caller, typ, id string, count int, before string) (fhir.VersionPage, error)
	Search(ctx context.Context, c access.Caller, q search.Query) (fhir.VersionPage, error)
}

// Options configure the API.
type Options struct {
	// Base is the absolute URL under which the routes are reached, without a final slash.
	// When it is empty, links are made of each request's Host.
	Base          string
	Writer        Writer
	Reader        Reader
	Authenticator access.Authenticator
	// Limits of one body; zero for fhir.DefaultLimits.
	Limits fhir.Limits
	// EntriesMax is how many entries a batch or transaction may have; zero for 1000.
	EntriesMax int
	// InFlight bounds the bytes of all bodies being worked on; nil for 64 MB of its own.
	// Share one with the other wires to bound them together.
	InFlight *transport.Budget
	// Now is the clock; nil for time.Now.
	Now func() time.Time
	// Logger gets one line per request, without query, body or token; nil for none.
	Logger *slog.Logger
	// Types that are stored; nil for fhir.StoredTypes.
	Types []string
	// Version of the software, for the CapabilityStatement.
	Version string
}

// entriesMaxDefault is the default of Options.EntriesMax.
const entriesMaxDefault = 1000

// api is the API behind its routes.
type api struct {
	Options
	types    map[string]bool
	root     string // path of the group, when Base is empty
	metadata []byte
}

// Mount adds the API's routes to r, which is the group at Base's path.
func Mount(r gin.IRouter, opts Options) {
	a := newAPI(opts)
	if g, ok := r.(interface{ BasePath() string }); ok {
		a.root = strings.TrimSuffix(g.BasePath(), "/")
	}
	shapes := []struct {
		paths   []string
		methods map[string]handler
	}{
		{[]string{"", "/"}, map[string]handler{"POST": a.bundle}},
		{[]string{"/metadata"}, map[string]handler{"GET": a.capabilities}},
		{[]string{"/_history"}, map[string]handler{"GET": a.history}},
		{[]string{"/:type"}, map[string]handler{"GET": a.search, "POST": a.create, "PUT": a.update, "DELETE": a.remove}},
		{[]string{"/:type/_search"}, map[string]handler{"POST": a.searchForm}},
		{[]string{"/:type/_history"}, map[string]handler{"GET": a.history}},
		{[]string{"/:type/:id"}, map[string]handler{"GET": a.read, "PUT": a.update, "DELETE": a.remove}},
		{[]string{"/:type/:id/_history"}, map[string]handler{"GET": a.history}},
		{[]string{"/:type/:id/_history/:version"}, map[string]handler{"GET": a.readVersion}},
		{[]string{"/:type/:id/:more"}, nil},
	}
	for _, s := range shapes {
		if get, ok := s.methods["GET"]; ok {
			s.methods["HEAD"] = get
		}
		allow := allowed(s.methods)
		for _, path := range s.paths {
			for _, method := range methods {
				h, ok := s.methods[method]
				switch {
				case s.methods == nil:
					h = a.unknownPath
				case !ok:
					h = a.methodNotAllowed(allow)
				}
				r.Handle(method, path, a.serve(h, path == "/metadata" && ok))
			}
		}
	}
}

var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}

func allowed(handlers map[string]handler) string {
	var list []string
	for _, m := range methods {
		if _, ok := handlers[m]; ok {
			list = append(list, m)
		}
	}
	return strings.Join(list, ", ")
}

// Refuse answers any request with err, as who guards this API from outside does.
func Refuse(opts Options, err error) gin.HandlerFunc {
	return newAPI(opts).serve(func(*request) (answer, error) { return answer{}, err }, true)
}

func newAPI(opts Options) *api {
	a := &api{Options: opts, types: map[string]bool{}}
	a.Base = strings.TrimSuffix(a.Base, "/")
	if a.Limits == (fhir.Limits{}) {
		a.Limits = fhir.DefaultLimits()
	}
	if a.EntriesMax == 0 {
		a.EntriesMax = entriesMaxDefault
	}
	if a.InFlight == nil {
		a.InFlight = transport.NewBudget(transport.InFlightDefault, a.Limits.Bytes)
	}
	if a.Now == nil {
		a.Now = time.Now
	}
	if a.Logger == nil {
		a.Logger = slog.New(slog.DiscardHandler)
	}
	if a.Types == nil {
		a.Types = fhir.StoredTypes()
	}
	for _, t := range a.Types {
		a.types[t] = true
	}
	a.metadata = a.capabilityStatement()
	return a
}
