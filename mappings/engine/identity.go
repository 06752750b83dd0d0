package engine

import (
	"crypto/sha256"
	"encoding/hex"

	"stafett/mappings/language"
)

// identity makes the business keys of resources.
type identity struct {
	*canonical
	keys []string // by declaration, of the resources so far
}

// key digests the first alternative of a resource's key that is complete; empty for none.
func (d identity) key(resource int) string {
	for _, parts := range d.m.Resources[resource].Keys {
		if text := d.text(resource, parts); text != nil {
			sum := sha256.Sum256(text)
			d.keys[resource] = hex.EncodeToString(sum[:16])
			break
		}
	}
	return d.keys[resource]
}

// text joins the parts of an alternative after the type; nil where one is missing.
func (d identity) text(resource int, parts []language.KeyPart) []byte {
	text := append(make([]byte, 0, 128), d.m.Resources[resource].Type...)
	for i := range parts {
		v := d.part(resource, &parts[i])
		if v == "" {
			return nil
		}
		text = append(append(text, 0), v...)
	}
	return text
}

func (d identity) part(resource int, p *language.KeyPart) string {
	switch {
	case p.KeyOf >= 0:
		return d.keys[p.KeyOf]
	case p.Place != nil:
		return d.read(p.Place, d.res[resource])
	}
	return p.Text
}
