package engine

import (
	"testing"

	"stafett/mappings/account"
)

func TestShown_NamesOfNoFormatAreNotTold(t *testing.T) {
	for path, want := range map[string]string{
		"carried.MsgHead/MsgInfo/Haugland":           "carried.MsgHead/MsgInfo/?",
		"carried.MsgHead/MsgInfo/Patient[2]/@Ola":    "carried.MsgHead/MsgInfo/Patient[2]/?",
		"carried.MsgHead/MsgInfo/Patient/FamilyName": "carried.MsgHead/MsgInfo/Patient/FamilyName",
		"carried.PV1-36":                             "carried.PV1-36",
		"carried.ZPD[2]-3.1":                         "carried.ZPD[2]-3.1",
		"carried.OLA-3.1":                            "carried.?-3.1",
		"patient.name[0].family":                     "patient.name[0].family",
	} {
		r := account.Report{Leftover: []account.Leftover{{Path: path, Label: "Haugland"}}}
		got := Shown(r).Leftover[0]
		if got.Path != want || got.Path != path && got.Label == "Haugland" {
			t.Errorf("%s is shown as %s, %s", path, got.Path, got.Label)
		}
		if r.Leftover[0].Path != path {
			t.Errorf("%s was changed", path)
		}
	}
}
