package mappings

import (
	"sync"
	"time"
	_ "time/tzdata" // the party's local time must not depend on the machine
)

// Oslo is the time zone of a party that names none.
var Oslo = sync.OnceValue(func() *time.Location {
	loc, err := time.LoadLocation("Europe/Oslo")
	if err != nil {
		panic("mappings: the embedded time zone data lacks Europe/Oslo")
	}
	return loc
})
