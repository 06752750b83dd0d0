//go:build !unix

package main

func keepToOneself() {}
