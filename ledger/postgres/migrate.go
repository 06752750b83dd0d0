package postgres

import (
	"context"
	"crypto/rand"
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"

	"stafett/ledger"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrationLock keeps two processes that start together from migrating together.
const migrationLock = 0x53544146

func (db *database) migrate(ctx context.Context) error {
	sub, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return err
	}
	steps, err := ledger.Migrations(sub)
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return err
		}
		have, err := schemaOf(ctx, tx)
		if err != nil {
			return err
		}
		if newest := steps[len(steps)-1].Version; have > newest {
			return fmt.Errorf("refusing to start: the ledger's schema is version %d, this program knows up to %d", have, newest)
		}
		for _, m := range steps[have:] {
			if err := step(ctx, tx, m); err != nil {
				return fmt.Errorf("migration %s: %w", m.Name, err)
			}
		}
		return nil
	})
}

// schemaOf returns the schema's version, 0 for a new ledger.
func schemaOf(ctx context.Context, tx pgx.Tx) (int, error) {
	var exists bool
	if err := tx.QueryRow(ctx, "SELECT to_regclass('meta') IS NOT NULL").Scan(&exists); err != nil || !exists {
		return 0, err
	}
	var version int
	err := tx.QueryRow(ctx, "SELECT schema_version FROM meta").Scan(&version)
	return version, err
}

func step(ctx context.Context, tx pgx.Tx, m ledger.Migration) error {
	if _, err := tx.Exec(ctx, m.SQL); err != nil {
		return err
	}
	if m.Version == 1 {
		_, err := tx.Exec(ctx, "INSERT INTO meta (one, epoch, secret, schema_version) VALUES (1, $1, $2, 1)",
			strings.ToLower(rand.Text()[:16]), []byte(rand.Text() + rand.Text())[:32])
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "INSERT INTO head VALUES (1, 0, '', 0, 0, 0, 0, 0, 0, 0)"); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, "UPDATE meta SET schema_version = $1", m.Version)
	return err
}
