package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"stafett/directory"
	"stafett/mappings/language"
)

// agreedOverlays refuses a party whose overlay no mapping has: its messages would be read as
// if nothing were agreed.
func agreedOverlays(dir *directory.Directory, set *language.Set) error {
	var errs []error
	for _, p := range dir.Parties() {
		if p.Overlay != "" && !slices.Contains(set.Overlays(), p.Overlay) {
			errs = append(errs, fmt.Errorf("directory: party %s: there is no overlay %q; the mappings have %s",
				p.ID, p.Overlay, strings.Join(set.Overlays(), ", ")))
		}
	}
	return errors.Join(errs...)
}
