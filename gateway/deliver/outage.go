package deliver

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"stafett/handover"
	"stafett/ledger"
)

// report tells what became of an attempt: once when a receiver's service begins to fail,
// once when it answers again, and each message that it takes for bad.
func (g *Deliverer) report(d ledger.Delivery, fault *handover.Fault, now time.Time) {
	key := "send to " + string(d.Receiver) + "|" + d.Service
	switch {
	case fault == nil:
		out, was := g.k.Outages.Ended(key, now)
		if was {
			g.k.Observe.Failing(d.Receiver, d.Service, time.Time{})
		}
		if out.Told {
			g.k.Log.Info("a receiver answers again", "receiver", d.Receiver, "service", d.Service,
				"since", out.Since, "failures", out.Failures)
		}
	case fault.Kind.Temporary():
		out, tell := g.k.Outages.Failed(key, cause(fault), now)
		g.k.Observe.Failing(d.Receiver, d.Service, out.Since)
		if tell {
			g.k.Log.Warn("sends to a receiver fail", "receiver", d.Receiver, "service", d.Service, "wire", d.Wire,
				"since", out.Since, "failures", out.Failures, "fault", fault.Kind, "cause", cause(fault))
		}
	default:
		g.k.Log.Warn("a receiver's system takes a message for bad", "receiver", d.Receiver, "service", d.Service, "wire", d.Wire,
			"delivery", d.ID, "handover", d.Handover, "fault", fault.Kind, "cause", cause(fault))
	}
}

// cause is a fault with what the network said of it. Other errors below a fault may hold
// content of a message.
func cause(f *handover.Fault) string {
	var (
		name  *net.DNSError
		trust *tls.CertificateVerificationError
		op    *net.OpError
	)
	said := ""
	switch {
	case errors.As(f, &name):
		said = "the name is not known: " + name.Err
	case errors.As(f, &trust):
		said = "its certificate is not trusted: " + trust.Err.Error()
	case errors.As(f, &op):
		said = op.Err.Error()
	case errors.Is(f, context.DeadlineExceeded):
		said = "no answer in time"
	case errors.Is(f, io.EOF), errors.Is(f, io.ErrUnexpectedEOF):
		said = "the connection was closed"
	}
	if said == "" {
		return f.Error()
	}
	return f.Error() + ": " + said
}
