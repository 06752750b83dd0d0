package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"stafett/fhir"
	"stafett/handover"
	"stafett/ledger"
	"stafett/mappings/account"
)

// contentNames says under which name a mapping knows what a Task refers to.
var contentNames = []struct {
	element, name string
}{
	{"for", namePatient}, {"encounter", "encounter"}, {"focus", "request"}, {"basedOn", "careplan"},
}

// loadContent gathers what the Task of the act's handover refers to and p may see, named
// as a mapping knows it. The names stand in place of the references, as in a translated
// message.
func (g *Gateway) loadContent(ctx context.Context, a *act, p handover.PartyID) (account.Canonical, error) {
	task := a.taskNow
	c := account.Canonical{Facts: map[string]string{}}
	names := map[string]string{"Task/" + task.ID(): nameTask}
	for _, cn := range contentNames {
		for i, ref := range task.Each(cn.element) {
			typ, id, ok := localReference(ref)
			if !ok {
				continue
			}
			n, err := g.asOf(ctx, a, typ, id, p)
			if errors.Is(err, ledger.ErrNotFound) {
				continue
			}
			if err != nil {
				return c, err
			}
			name := cn.name
			if i > 0 {
				name = fmt.Sprintf("%s-%d", cn.name, i+1)
			}
			names[typ+"/"+id] = name
			c.Resources = append(c.Resources, account.Named{Name: name, Resource: n})
		}
	}
	c.Resources = append(c.Resources, account.Named{Name: nameTask, Resource: task.Clone()})
	for _, r := range c.Resources {
		fhir.References(r.Resource, func(ref *fhir.Node) {
			if name, ok := names[ref.Str("reference")]; ok {
				ref.Set("reference", fhir.Str(urnName+name))
			}
		})
	}
	return c, nil
}

// asOf is a resource as the act leaves it, for the eyes of p.
func (g *Gateway) asOf(ctx context.Context, a *act, typ, id string, p handover.PartyID) (*fhir.Node, error) {
	for _, w := range a.unit.Resources {
		if w.Type == typ && w.ID == id {
			if w.JSON == nil || !slices.Contains(w.Visible, p) {
				return nil, ledger.ErrNotFound
			}
			return fhir.Parse(w.JSON, fhir.DefaultLimits())
		}
	}
	return g.current(ctx, typ, id, p)
}

// current is a stored resource for the eyes of p; ErrNotFound where there is none.
func (g *Gateway) current(ctx context.Context, typ, id string, p handover.PartyID) (*fhir.Node, error) {
	r, err := g.ledger.Resource(ctx, typ, id)
	if err != nil {
		return nil, err
	}
	if r.Deleted || !slices.Contains(r.Visible, p) {
		return nil, ledger.ErrNotFound
	}
	return fhir.Parse(r.JSON, fhir.DefaultLimits())
}

// contentFor is what a party is told: the sender's own message where that is what happened,
// else the handover as it stands with a notice.
func (g *Gateway) contentFor(ctx context.Context, a *act, o outgoing, notice string) (account.Canonical, error) {
	var c account.Canonical
	if a.actor.Role == handover.RoleSender && resourceNamed(a.content, namePatient) != nil {
		c = a.content
		c.Resources = nil
		for _, r := range a.content.Resources {
			n := r.Resource.Clone()
			if r.Name == nameTask {
				g.project(n, a.next, a.now)
			}
			c.Resources = append(c.Resources, account.Named{Name: r.Name, Resource: n, Key: r.Key})
		}
	} else if a.taskNow != nil && takesPart(o.to.ID, a.next) {
		loaded, err := g.loadContent(ctx, a, o.to.ID)
		if err != nil {
			return c, err
		}
		c = loaded
	} else if patient := resourceNamed(a.content, namePatient); patient != nil && a.next.ID == "" {
		c.Resources = []account.Named{{Name: namePatient, Resource: patient.Clone()}}
	}
	c.Event, c.Kind = o.event, a.next.Kind
	if !g.codecs[o.service.Wire].Notice(o.typ) {
		return c, nil
	}
	text := []string{notice}
	if own := resourceNamed(a.content, "communication"); own != nil {
		for _, p := range own.Each("payload") {
			if s := p.Str("contentString"); s != "" {
				text = append(text, s)
			}
		}
	}
	c.Resources = append(c.Resources, account.Named{Name: "communication", Resource: g.communication(a, o.event, strings.Join(text, "\n\n"))})
	return c, nil
}

// communication is a notice as FHIR, about the act's Task where there is one.
func (g *Gateway) communication(a *act, event handover.EventName, text string) *fhir.Node {
	var subject *fhir.Node
	var about []*fhir.Node
	if resourceNamed(a.content, namePatient) != nil {
		subject = fhir.Obj("reference", urnName+namePatient)
	}
	if a.taskNow != nil {
		about = []*fhir.Node{fhir.Obj("reference", urnName+nameTask)}
		if a.taskNow.Get("for") != nil {
			subject = fhir.Obj("reference", urnName+namePatient)
		}
	}
	return fhir.Obj("resourceType", "Communication", "status", "completed",
		"topic", fhir.Concept(systemEvent, string(event), ""), "subject", subject, "about", about,
		"sent", a.now.UTC().Format(time.RFC3339), "payload", []*fhir.Node{fhir.Obj("contentString", text)})
}
