-- The last version for which a grant holds, 0 for no end; in the key, so that who still reads a
-- resource is found by steps.
CREATE TABLE grants (
  rid      INTEGER NOT NULL,
  party    TEXT    NOT NULL,
  until    INTEGER NOT NULL DEFAULT 0,
  handover TEXT    NOT NULL,
  since    INTEGER NOT NULL,
  PRIMARY KEY (rid, party, until, handover)
) WITHOUT ROWID;
-- Of handovers that have ended without the receiver: what was stored when they ended. While one is
-- declined its receiver is still told; one that is closed is told nothing.
WITH closing AS (
  SELECT e.handover, h.sender, h.receiver,
    COALESCE(min(CASE WHEN e.state IN ('forwarded', 'withdrawn', 'voided') THEN e.entry END), max(CASE WHEN e.state = 'declined' THEN e.entry END)) AS of_receiver,
    min(CASE WHEN e.state IN ('withdrawn', 'voided') THEN e.entry END) AS of_copies
  FROM event e JOIN handover h ON h.id = e.handover
  WHERE e.state IN ('declined', 'forwarded', 'withdrawn', 'voided') GROUP BY e.handover, h.sender, h.receiver),
ended AS (
  SELECT w.rid, w.party, w.handover, w.since,
    CASE WHEN w.party = closing.receiver THEN closing.of_receiver WHEN w.party <> closing.sender THEN closing.of_copies END AS entry
  FROM visibility w LEFT JOIN closing ON closing.handover = w.handover),
held AS (
  SELECT rid, party, handover, since, CASE WHEN entry IS NULL THEN 0
    ELSE COALESCE((SELECT max(v.version) FROM resource_version v WHERE v.rid = ended.rid AND v.entry <= ended.entry), -1) END AS until
  FROM ended)
INSERT INTO grants (rid, party, handover, since, until)
  SELECT rid, party, handover, since, until FROM held WHERE until = 0 OR until >= since;
DROP TABLE visibility;
ALTER TABLE grants RENAME TO visibility;
CREATE UNIQUE INDEX visibility_once ON visibility (handover, party, rid);
