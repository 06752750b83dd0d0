package fhirbundle

import (
	"regexp"
	"testing"
	"time"

	"stafett/adapters/adaptertest"
)

func TestRules_Suite(t *testing.T) {
	adaptertest.RunRules(t, Codec{}, adaptertest.Prescribed{
		ID:         regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`),
		TimeLayout: time.RFC3339,
		Types:      []string{"transaction", "message", "Task", "POST Task", "DELETE Patient"},
		Texts:      []string{"task", "GET Task", "POST ", "POST Task Task"},
	})
}
