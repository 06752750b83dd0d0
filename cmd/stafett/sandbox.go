package main

import (
	"path/filepath"

	"stafett/demo"
	"stafett/handover"
)

// sandboxConfig writes the files that the configuration of a gateway in a sandbox refers to,
// on embedded defaults and free ports, and returns it.
func sandboxConfig(s *demo.Sandbox) (Config, error) {
	c := defaultConfig()
	c.HTTP.Listen = "127.0.0.1:0"
	c.MLLP = []MLLP{{Listen: "127.0.0.1:0", Party: demo.HospitalID}}
	c.Ledger.SQLite = filepath.Join(s.Dir, "ledger.db")
	c.Events.Dir = filepath.Join(s.Dir, "events")
	c.OperatorContact = demo.HospitalID
	c.Self = Self{Name: "Stafett", HER: "80009", Facility: "STAFETT"}
	for p, password := range s.NATSPasswords {
		file, err := s.Secret("nats-"+p, password)
		if err != nil {
			return c, err
		}
		c.Events.Readers = append(c.Events.Readers, Reader{Party: handover.PartyID(p), Password: file})
	}
	token, err := s.Secret("operator", s.Operator)
	if err != nil {
		return c, err
	}
	c.Operators = []Operator{{Person: "Oda Operatør", Token: token}}
	c.Directory, err = s.WriteDirectory()
	return c, err
}
