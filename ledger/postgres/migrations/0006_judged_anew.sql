-- A refusal is no first answer: the same bytes may be judged anew.
DROP INDEX message_once;
CREATE UNIQUE INDEX message_once ON message (sender, external_id, digest)
  WHERE disposition NOT IN ('repeated', 'refused') AND external_id <> '';
CREATE INDEX message_external ON message (sender, external_id)
  WHERE disposition <> 'repeated' AND external_id <> '';
