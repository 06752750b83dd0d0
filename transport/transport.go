// Package transport is what every wire needs below its messages: one bound on the bytes in
// hand over all wires (budget.go), TLS whose certificates renew (tls.go), and HTTP servers
// and clients with limits (http.go). It knows no message and no wire.
package transport
