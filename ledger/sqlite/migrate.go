package sqlite

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strconv"

	"stafett/ledger"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// applicationID marks the file as a ledger of ours: "STAF".
const applicationID = "1398030662"

// migrate brings the schema to this program's version, each step in one transaction.
func (db *database) migrate(ctx context.Context, meta func() (string, []byte)) error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	have, err := db.writer.schema()
	if err != nil {
		return err
	}
	if newest := steps[len(steps)-1].Version; have > newest {
		return fmt.Errorf("sqlite: refusing to start: the ledger's schema is version %d, this program knows up to %d", have, newest)
	}
	for _, m := range steps {
		if m.Version <= have {
			continue
		}
		if err := db.step(ctx, m, meta); err != nil {
			return fmt.Errorf("sqlite: migration %s: %w", m.Name, err)
		}
	}
	return nil
}

// migrations are the steps to this program's schema.
func migrations() ([]ledger.Migration, error) {
	sub, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return nil, err
	}
	return ledger.Migrations(sub)
}

// current refuses a file that is not of this program's schema: what cannot be migrated can
// only be read as it is.
func (c *conn) current() error {
	steps, err := migrations()
	if err != nil {
		return err
	}
	have, err := c.schema()
	if newest := steps[len(steps)-1].Version; err == nil && have != newest {
		err = fmt.Errorf("sqlite: the file's schema is version %d and this program's %d: use the program that wrote it", have, newest)
	}
	return err
}

// schema returns the file's version, 0 for a new file.
func (c *conn) schema() (int, error) {
	version, err := c.text("PRAGMA user_version")
	if err != nil {
		return 0, fmt.Errorf("sqlite: reading the schema version: %w", translate(err))
	}
	id, err := c.text("PRAGMA application_id")
	if err != nil {
		return 0, fmt.Errorf("sqlite: reading the application id: %w", translate(err))
	}
	tables, err := c.text("SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return 0, fmt.Errorf("sqlite: reading the schema: %w", translate(err))
	}
	if id != applicationID && tables != "0" {
		return 0, fmt.Errorf("sqlite: refusing to start: the file is a database of another program")
	}
	return strconv.Atoi(version)
}

func (db *database) step(ctx context.Context, m ledger.Migration, meta func() (string, []byte)) error {
	return db.Update(ctx, func(tx ledger.Tx) error {
		if err := db.writer.script(m.SQL); err != nil {
			return err
		}
		if m.Version == 1 {
			epoch, secret := meta()
			tx.Queue("INSERT INTO meta (one, epoch, secret, schema_version) VALUES (1, ?, ?, 1)", epoch, secret)
			tx.Queue("INSERT INTO head VALUES (1, 0, x'', 0, 0, 0, 0, 0, 0, 0)")
		}
		tx.Queue("UPDATE meta SET schema_version = ?", int64(m.Version))
		tx.Queue("PRAGMA user_version = " + strconv.Itoa(m.Version))
		tx.Queue("PRAGMA application_id = " + applicationID)
		return tx.Flush()
	})
}
