// Package gateway puts the rooms of the gateway together: the doors by which something
// happens, and the kernel that all of them go through.
//
//	intake, fhirdoor, deliver, clock, desk  ->  kernel: load, act (plan), tell, commit
//
// It holds no logic of its own.
package gateway

import (
	"context"
	"errors"
	"fmt"

	"stafett/adapters"
	"stafett/gateway/clock"
	"stafett/gateway/deliver"
	"stafett/gateway/desk"
	"stafett/gateway/fhirdoor"
	"stafett/gateway/intake"
	"stafett/gateway/kernel"
	"stafett/handover"
	"stafett/message"
)

// Options are what a Gateway is made of. All fields without a stated default are required.
type Options struct {
	kernel.Options
	Senders map[handover.Wire]adapters.Sender
	// Limits of one message; default message.DefaultLimits.
	Limits   message.Limits
	Delivery deliver.Options
	// Owner names this process in leases; default a random id.
	Owner string
}

// Gateway takes, delivers and watches. Its methods are safe for concurrent use.
type Gateway struct {
	*intake.Intake
	FHIR *fhirdoor.Door
	*deliver.Deliverer
	*clock.Clock
	*desk.Desk
}

// New makes a gateway and checks that it can work: every party that can be escalated to
// has a contact, every wire rules and a sender.
func New(ctx context.Context, o Options) (*Gateway, error) {
	k, err := kernel.New(ctx, o.Options)
	if err != nil {
		return nil, err
	}
	if err := check(k, o); err != nil {
		return nil, err
	}
	in := intake.New(k, o.Limits)
	return &Gateway{Intake: in, FHIR: fhirdoor.New(k), Deliverer: deliver.New(k, o.Senders, o.Owner, o.Delivery),
		Clock: clock.New(k, in), Desk: desk.New(k, in)}, nil
}

// Drain waits until what the doors have in hand is answered.
func (g *Gateway) Drain() {
	g.Intake.Drain()
	g.FHIR.Drain()
}

func check(k *kernel.Kernel, o Options) error {
	if err := o.Policy.Validate(); err != nil {
		return fmt.Errorf("gateway: policy: %w", err)
	}
	var errs []error
	for _, p := range o.Directory.Parties() {
		if len(p.Contacts) == 0 {
			errs = append(errs, fmt.Errorf("gateway: party %s has no contact to escalate to", p.ID))
		}
		for _, s := range p.Services {
			if k.Rules[s.Wire] == nil || o.Senders[s.Wire] == nil {
				errs = append(errs, fmt.Errorf("gateway: party %s, service %s: wire %q is not served", p.ID, s.Name, s.Wire))
			}
		}
	}
	if _, ok := o.Directory.Party(o.OperatorContact); !ok {
		errs = append(errs, fmt.Errorf("gateway: operator contact %q is no party of the directory", o.OperatorContact))
	}
	return errors.Join(errs...)
}
