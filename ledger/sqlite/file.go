package sqlite

import (
	"errors"
	"fmt"
	"os"
)

// fileMode of everything that holds the record: it is health data, and its owner's alone.
const fileMode os.FileMode = 0o600

// makeFile makes the ledger's file where there is none, before SQLite would with the mode
// of the process.
func makeFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return fmt.Errorf("sqlite: opening the ledger: %w", err)
	}
	return f.Close()
}

// ownersAlone takes from others what an older ledger's files gave them. SQLite gives its
// write-ahead log the mode of the ledger.
func ownersAlone(path string) error {
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil && info.Mode().Perm()&^fileMode != 0 {
			err = os.Chmod(name, fileMode)
		}
		if err != nil {
			return fmt.Errorf("sqlite: the ledger is not its owner's alone: %w", err)
		}
	}
	return nil
}
