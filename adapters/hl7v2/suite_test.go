package hl7v2

import (
	"testing"

	"stafett/adapters/adaptertest"
	"stafett/handover"
)

func TestCodec_Suite(t *testing.T) {
	adaptertest.RunCodec(t, &Codec{}, adaptertest.Samples{
		Good:    [][]byte{admission, longAdmission(), header("EVN||20260302", "PID|1||1^^^X&Y^FNR")},
		Private: []string{"MYRVANG", "Solveig", "HAUGLAND", "12034800241"},
		CheckAnswer: func(t *testing.T, fault *handover.Fault, raw []byte) {
			m := decode(t, raw)
			code := m.Root.Text("MSA", "1")
			switch {
			case fault == nil || fault.Kind == handover.FaultIllegal:
				if code != "AA" && code != "CA" {
					t.Errorf("a positive answer is %s", code)
				}
			case code != "AE" && code != "AR" && code != "CE" && code != "CR":
				t.Errorf("%s is answered %s", fault.Kind, code)
			case m.Root.Child("ERR") == nil:
				t.Errorf("%s has no reason", fault.Kind)
			}
		},
	})
}
