//go:build unix

package main

import "syscall"

// keepToOneself has every file that this process makes be its owner's alone: the record,
// the event store and copies of them are health data.
func keepToOneself() { syscall.Umask(0o077) }
