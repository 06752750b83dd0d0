package kernel_test

import (
	"testing"
	"time"

	"stafett/gateway/kernel"
)

func TestOutages_AreToldOncePerChange(t *testing.T) {
	var o kernel.Outages
	start := time.Date(2026, 11, 28, 8, 0, 0, 0, time.UTC)
	told := 0
	fail := func(after time.Duration, key, cause string) {
		if _, tell := o.Failed(key, cause, start.Add(after)); tell {
			told++
		}
	}
	for i := range 86 {
		fail(time.Duration(i)*30*time.Second, "a", "refused")
	}
	if told != 1 {
		t.Fatalf("86 failures in 43 minutes were told %d times", told)
	}
	fail(44*time.Minute, "a", "no answer")
	fail(45*time.Minute, "a", "no answer")
	fail(46*time.Minute, "b", "no answer")
	if told != 3 {
		t.Errorf("another cause and another key: told %d times", told)
	}
	fail(105*time.Minute, "a", "no answer")
	if told != 4 {
		t.Errorf("an hour later: told %d times", told)
	}
	if out, was := o.Ended("a", start.Add(105*time.Minute)); !was || !out.Told || !out.Since.Equal(start) || out.Failures != 89 {
		t.Errorf("ended %t: %+v", was, out)
	}
	if _, was := o.Ended("a", start.Add(105*time.Minute)); was {
		t.Error("it ended twice")
	}
	for i := range 20 {
		fail(106*time.Minute+time.Duration(i)*time.Minute, "a", "no answer")
		if out, was := o.Ended("a", start.Add(106*time.Minute+time.Duration(i)*time.Minute)); !was || out.Told {
			t.Errorf("what comes and goes: ended %t, told %t", was, out.Told)
		}
	}
	if told != 4 {
		t.Errorf("what comes and goes was told %d times", told-4)
	}
	fail(140*time.Minute, "a", "no answer")
	if told != 5 {
		t.Errorf("begun anew: told %d times", told)
	}
}
