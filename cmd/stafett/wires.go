package main

import (
	"stafett/adapters"
	"stafett/adapters/fhirbundle"
	"stafett/adapters/hl7v2"
	"stafett/adapters/kith"
	"stafett/directory"
	"stafett/gateway/tell"
	"stafett/handover"
)

var _ tell.Bundler = fhirbundle.Wire{}

// wires are those that are served.
type wires struct {
	rules   []adapters.Rules
	senders map[handover.Wire]adapters.Sender
}

// serve makes the wires of an installation. A new wire is one line here; what it receives
// on is opened in listen.
func serve(cfg Config) wires {
	w := wires{senders: map[handover.Wire]adapters.Sender{}}
	w.add(&hl7v2.Codec{}, &hl7v2.Sender{})
	w.add(kith.Codec{Test: cfg.Test}, &kith.Sender{})
	w.add(fhirbundle.Wire{Base: cfg.HTTP.Base}, &fhirbundle.Sender{})
	return w
}

func (w *wires) add(r adapters.Rules, s adapters.Sender) {
	w.rules = append(w.rules, r)
	w.senders[r.Wire()] = s
}

// known are the wires as the directory asks for them.
func (w wires) known() []directory.Wire {
	known := make([]directory.Wire, len(w.rules))
	for i, r := range w.rules {
		known[i] = r
	}
	return known
}
