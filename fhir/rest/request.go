package rest

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"stafett/access"
	"stafett/fhir"
	"stafett/handover"
)

// CorrelationHeader names the id that joins an answer with the log and the ledger. It is
// always ours: a caller's own id could hold anything.
const CorrelationHeader = "X-Correlation-Id"

// handler answers one interaction.
type handler func(*request) (answer, error)

// request is one request on its way.
type request struct {
	*http.Request
	api         *api
	c           *gin.Context
	caller      access.Caller
	correlation handover.CorrelationID
	// typ is a stored type, or empty; id a valid id, or empty.
	typ, id string
	release []func()
}

// serve wraps a handler with what every request needs, in this order: a correlation id,
// recovery, authentication, then negotiation and the checks of the path.
func (a *api) serve(h handler, open bool) gin.HandlerFunc {
	return func(c *gin.Context) {
		started := a.Now()
		r := &request{Request: c.Request, api: a, c: c, correlation: handover.CorrelationID(uuid.NewString())}
		header := c.Writer.Header()
		header.Set(CorrelationHeader, string(r.correlation))
		header.Set("Cache-Control", "no-store")
		header.Set("X-Content-Type-Options", "nosniff")
		defer func() {
			for _, f := range r.release {
				f()
			}
		}()
		ans, err := r.run(h, open)
		if err != nil {
			ans = refusal(err, r.correlation)
		}
		r.log(ans.status, started, err)
		r.write(ans)
	}
}

// run guards the handler. A panic becomes an unknown fault: the sender is told to try
// again, and nothing of the panic's value leaves, because it may hold content.
func (r *request) run(h handler, open bool) (ans answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			ans, err = answer{}, &handover.Fault{Kind: handover.FaultUnknown, Op: "rest.serve", Err: panicked(p)}
		}
	}()
	if !open {
		if r.caller, err = r.authenticate(); err != nil {
			return answer{}, err
		}
	}
	r.caller.Correlation = r.correlation
	if err := r.negotiate(); err != nil {
		return answer{}, err
	}
	if err := r.place(); err != nil {
		return answer{}, err
	}
	return h(r)
}

func panicked(p any) error {
	what := fmt.Sprintf("%T", p)
	var rt runtime.Error
	if e, ok := p.(error); ok && errors.As(e, &rt) {
		what = rt.Error()
	}
	return fmt.Errorf("panic: %s\n%s", what, debug.Stack())
}

func (r *request) authenticate() (access.Caller, error) {
	if r.api.Authenticator == nil {
		return access.Caller{}, &handover.Fault{Kind: handover.FaultUnauthenticated, Op: "rest.authenticate"}
	}
	headers := r.Header.Values("Authorization")
	if len(headers) > 1 {
		return access.Caller{}, &handover.Fault{Kind: handover.FaultUnauthenticated, Op: "rest.authenticate", Text: "more than one Authorization header"}
	}
	return r.api.Authenticator.Authenticate(r.Context(), access.Bearer(r.Header.Get("Authorization")))
}

// place reads type and id from the path.
func (r *request) place() error {
	typ, id := r.c.Param("type"), r.c.Param("id")
	if strings.HasPrefix(typ, "$") || strings.HasPrefix(id, "$") {
		return wireFault(http.StatusNotFound, "not-supported", handover.FaultUnsupported, "no operations are served here", "")
	}
	if typ != "" {
		if !r.api.types[typ] {
			return wireFault(http.StatusNotFound, "not-supported", handover.FaultUnsupported, "resources of this type are not stored here", "")
		}
		r.typ = typ
	}
	if id != "" {
		if !fhir.ValidID(id) {
			return &handover.Fault{Kind: handover.FaultNotFound, Op: "rest.place"}
		}
		r.id = id
	}
	return nil
}

// base is the absolute URL before the type.
func (r *request) base() string {
	if r.api.Base != "" {
		return r.api.Base
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + r.api.root
}

// url is the absolute URL of a resource, or of a version of it.
func (r *request) url(typ, id string, version int64) string {
	u := r.base() + "/" + typ + "/" + id
	if version > 0 {
		u += fmt.Sprintf("/_history/%d", version)
	}
	return u
}

func (a *api) unknownPath(*request) (answer, error) {
	return answer{}, wireFault(http.StatusNotFound, "not-supported", handover.FaultUnsupported, "no interaction is served at this path", "")
}

func (a *api) methodNotAllowed(allow string) handler {
	return func(*request) (answer, error) {
		return answer{}, &wireError{verdict: verdict{http.StatusMethodNotAllowed, "not-supported"},
			Fault:  &handover.Fault{Kind: handover.FaultUnsupported, Op: "rest", Text: "this method is not served here"},
			header: http.Header{"Allow": {allow}}}
	}
}
