package handover_test

import (
	"testing"

	"stafett/handover"
)

func TestPlainNumber(t *testing.T) {
	for spelled, want := range map[string]string{
		"80101": "80101", "80.101": "80101", "80 101": "80101", " 80101\t": "80101", "80\u00a0101": "80101", "80\u202f101": "80101",
		"\ufeff80101": "80101", "0080101": "80101", "974 793 539": "974793539", "974.793.539": "974793539", "80-101": "80101",
		"000": "000", "": "", "  ": "", " NO974793539 ": "NO974793539", "80101a": "80101a",
	} {
		if got := handover.PlainNumber(spelled); got != want {
			t.Errorf("%q: %q, want %q", spelled, got, want)
		}
	}
}

func TestPlainID(t *testing.T) {
	const id = "0f5a1c3e-2b4d-4e6f-8a1b-c2d3e4f5a6b7"
	for spelled, want := range map[string]string{
		id: id, "0F5A1C3E-2B4D-4E6F-8A1B-C2D3E4F5A6B7": id, " 0F5a1C3E-2B4D-4E6F-8A1B-C2D3E4F5A6B7\n": id,
		"{0F5A1C3E-2B4D-4E6F-8A1B-C2D3E4F5A6B7}": id, "urn:uuid:" + id: id, "URN:UUID:" + id: id,
		"FJ-1A": "FJ-1A", "": "", " M1 ": "M1", id + "0": id + "0", "x" + id: "x" + id,
	} {
		if got := handover.PlainID(spelled); got != want {
			t.Errorf("%q: %q, want %q", spelled, got, want)
		}
	}
}
