//go:build unix

package sqlite

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// fileLock keeps a second process off the ledger for this one's life. It is on a file of
// its own, because closing any descriptor of the database would drop SQLite's own locks.
type fileLock struct{ file *os.File }

func lockFile(path string) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sqlite: opening the ledger's lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("sqlite: refusing to start: another process holds the ledger (%s); several processes need PostgreSQL", path)
		}
		return nil, fmt.Errorf("sqlite: locking the ledger: %w", err)
	}
	return &fileLock{f}, nil
}

// release lets go; the file stays, since removing it would race with the next holder.
func (l *fileLock) release() error { return l.file.Close() }
