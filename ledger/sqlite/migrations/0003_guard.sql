-- Versions that writes resting on a search hold, by a digest of the condition.
CREATE TABLE guard (
  key     TEXT    NOT NULL PRIMARY KEY,
  version INTEGER NOT NULL
) WITHOUT ROWID;
