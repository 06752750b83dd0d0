package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Guard makes a write atomic that rests on a search: on what is *not* there no version can
// be held. Whoever writes under a condition reads the guard of that condition, then
// searches, and commits at the version read: of those who searched at once, one commits.
type Guard struct {
	// Key is a digest of what the write rests on, so that no search condition, in which a
	// person's number may stand, is kept; being short, it need not be pruned.
	Key string
	// Expect is the version that must be the current one: 0 for none yet. The commit raises
	// it by one.
	Expect int64
}

// guardsAtOnce bounds what one statement asks for.
const guardsAtOnce = 200

// Guards returns the versions of guards, by key, in one reading for each guardsAtOnce of them; those
// under which nothing was written are left out.
func (s sqlReader) Guards(ctx context.Context, keys []string) (map[string]int64, error) {
	out := map[string]int64{}
	for some := range slices.Chunk(keys, guardsAtOnce) {
		args := make([]any, len(some))
		for i, key := range some {
			args[i] = cleanText(key)
		}
		in := strings.TrimSuffix(strings.Repeat("?, ", len(some)), ", ")
		_, err := read(ctx, s.db, "SELECT key, version FROM guard WHERE key IN ("+in+")", args, func(r Row) (key string, err error) {
			var version int64
			err = r.Scan(&key, &version)
			out[key] = version
			return key, err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (w *work) readGuards(tx Tx) error {
	return lookUp(tx, "SELECT version FROM guard WHERE key = ?", w.guards,
		func(key string) []any { return columnsOf(key) },
		func(key string, r Row) error {
			var version int64
			err := r.Scan(&version)
			w.guards[key] = version
			return err
		})
}

// raise raises the guards of a unit, each once. Their rows are written with the batch.
func (p *plan) raise(guards []Guard) error {
	raised := map[Guard]bool{}
	for _, g := range guards {
		g.Key = cleanText(g.Key)
		if raised[g] {
			continue
		}
		raised[g] = true
		if p.w.guards[g.Key] != g.Expect {
			return fmt.Errorf("ledger: guard: %w", ErrConflict)
		}
		put(p, p.w.guards, g.Key, g.Expect+1)
	}
	return nil
}

// queueGuards writes each guard of the batch as it stands now.
func (w *work) queueGuards(tx Tx) {
	for key, version := range w.guards {
		if version > 0 {
			tx.Queue("INSERT INTO guard (key, version) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET version = excluded.version", key, version)
		}
	}
}
