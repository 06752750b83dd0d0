package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"stafett/ledger"
)

// Backup writes a consistent copy of the ledger at path into a new file to, readable by its
// owner alone, and syncs it. It reads through SQLite itself, so that a gateway may run on
// the ledger meanwhile, and what its write-ahead log holds is in the copy.
func Backup(ctx context.Context, path, to string) (err error) {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("sqlite: no ledger to copy: %w", err)
	}
	f, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return fmt.Errorf("sqlite: making the copy's file: %w", err)
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			_ = os.Remove(to)
		}
	}()
	c, err := openToRead(path)
	if err != nil {
		return err
	}
	if err = c.current(); err == nil {
		err = c.exec(ctx, "VACUUM INTO ?", to)
	}
	if err := errors.Join(err, c.close()); err != nil {
		return fmt.Errorf("sqlite: copying: %w", translate(err))
	}
	return f.Sync()
}

// OpenCopy opens a file that nobody writes, as a backup, to be read and verified. It changes
// nothing and takes no lock; what would write fails with ledger.ErrClosed.
func OpenCopy(path string) (*ledger.SQL, func() error, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, nil, fmt.Errorf("sqlite: %w", err)
	}
	c, err := openToRead(path)
	if err != nil {
		return nil, nil, err
	}
	if err := c.current(); err != nil {
		return nil, nil, errors.Join(err, c.close())
	}
	db := &database{readers: make(chan *conn, 1), count: 1, closing: make(chan struct{})}
	db.readers <- c
	return ledger.NewSQL(db, time.Now), db.close, nil
}

func openToRead(path string) (*conn, error) {
	c, err := open("file:" + (&url.URL{Path: path}).EscapedPath() + "?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, fmt.Errorf("sqlite: opening %s for reading: %w", path, err)
	}
	return c, nil
}
