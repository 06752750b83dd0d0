package fhirbundle

import (
	"regexp"
	"testing"

	"stafett/adapters/adaptertest"
)

func TestRules_Suite(t *testing.T) {
	adaptertest.RunRules(t, Wire{}, adaptertest.Prescribed{
		ID: regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`),
	})
}
