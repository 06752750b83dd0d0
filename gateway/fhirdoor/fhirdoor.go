// Package fhirdoor is the door of the FHIR API: writes, which go through the kernel like
// every act, and reads of what a caller may see.
//
//	write.go   a write's stages as a list, its answer, its refusal and its repeat
//	locate.go  what each entry is about, and whether the caller may
//	author.go  whose words a write holds, and whose they may be; voice.go: where it says so;
//	           spelled.go: what is read as a party's number or name
//	read.go    read, history, search; reindex
package fhirdoor

import (
	"sync"

	"stafett/conformance"
	"stafett/fhir"
	"stafett/gateway/kernel"
)

// Door takes what the FHIR API is asked. Its methods are safe for concurrent use.
type Door struct {
	k         *kernel.Kernel
	validator func(*fhir.Node) []conformance.Issue
	inHand    sync.WaitGroup
}

// New makes a door.
func New(k *kernel.Kernel) *Door { return &Door{k: k, validator: conformance.Validate} }

// Drain waits until the writes in hand are answered.
func (g *Door) Drain() { g.inHand.Wait() }
