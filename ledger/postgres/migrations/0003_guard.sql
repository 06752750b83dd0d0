-- Versions that writes resting on a search hold, by a digest of the condition.
CREATE TABLE guard (
  key     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL
);
