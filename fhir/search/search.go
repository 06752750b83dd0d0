// Package search makes search rows from a resource and a query from a request's
// parameters, both driven by SearchParameter data.
package search
