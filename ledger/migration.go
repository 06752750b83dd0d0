package ledger

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// Migration is one numbered step of a store's schema.
type Migration struct {
	Version int
	Name    string
	SQL     string
}

// Migrations reads the files 0001_name.sql, 0002_… of dir, which must be numbered from 1
// without gaps.
func Migrations(dir fs.FS) ([]Migration, error) {
	names, err := fs.Glob(dir, "*.sql")
	if err != nil {
		return nil, err
	}
	var out []Migration
	for i, name := range names {
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.Atoi(number)
		if err != nil || version != i+1 {
			return nil, fmt.Errorf("ledger: migration %s is not number %d", name, i+1)
		}
		sql, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		out = append(out, Migration{version, name, string(sql)})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("ledger: no migrations")
	}
	return out, nil
}
