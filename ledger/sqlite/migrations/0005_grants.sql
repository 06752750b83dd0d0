-- Who may read a resource: why (a handover, or as its author where that is empty), and from
-- which version on. Whoever could read one until now and is not its author reads it for the
-- handover that it belonged to, in every version.
CREATE TABLE grants (
  rid      INTEGER NOT NULL,
  party    TEXT    NOT NULL,
  handover TEXT    NOT NULL,
  since    INTEGER NOT NULL,
  PRIMARY KEY (rid, party, handover)
) WITHOUT ROWID;
INSERT INTO grants (rid, party, handover, since)
  SELECT w.rid, w.party, CASE WHEN w.party = v.author THEN '' ELSE r.handover END, 1
  FROM visibility w JOIN resource r ON r.rid = w.rid JOIN resource_version v ON v.vid = r.vid;
INSERT INTO grants (rid, party, handover, since)
  SELECT w.rid, w.party, r.handover, 1
  FROM visibility w JOIN resource r ON r.rid = w.rid JOIN resource_version v ON v.vid = r.vid
  WHERE w.party = v.author AND r.handover <> '';
DROP TABLE visibility;
DROP INDEX resource_handover;
ALTER TABLE grants RENAME TO visibility;
CREATE INDEX visibility_handover ON visibility (handover, party) WHERE handover <> '';
