-- The time of the last resource version: the next one is later, whatever the clock says.
ALTER TABLE head ADD COLUMN at BIGINT NOT NULL DEFAULT 0;
UPDATE head SET at = COALESCE((SELECT max(at) FROM resource_version), 0);
