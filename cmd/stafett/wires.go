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

var _ tell.Bundler = fhirbundle.Codec{}

// wires are those that are served.
type wires struct {
	codecs  []adapters.Codec
	senders map[handover.Wire]adapters.Sender
}

// serve makes the wires of an installation. A new wire is one line here; what it receives
// on is opened in listen.
func serve(cfg Config) wires {
	w := wires{senders: map[handover.Wire]adapters.Sender{}}
	w.add(&hl7v2.Codec{}, &hl7v2.Sender{})
	w.add(kith.Codec{}, &kith.Sender{})
	w.add(fhirbundle.Codec{Base: cfg.HTTP.Base}, &fhirbundle.Sender{})
	return w
}

func (w *wires) add(c adapters.Codec, s adapters.Sender) {
	w.codecs = append(w.codecs, c)
	w.senders[c.Wire()] = s
}

// known are the wires as the directory asks for them.
func (w wires) known() []directory.Wire {
	known := make([]directory.Wire, len(w.codecs))
	for i, c := range w.codecs {
		known[i] = c
	}
	return known
}
