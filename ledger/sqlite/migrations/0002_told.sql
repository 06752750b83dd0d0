-- What a receiver was told, what was heard by nobody, and how a named person ended what was parked.
ALTER TABLE message ADD COLUMN resolved_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN unheard TEXT NOT NULL DEFAULT '';
CREATE INDEX message_resolved ON message (pos) WHERE resolution <> '';
CREATE INDEX message_unheard ON message (pos) WHERE unheard <> '';

ALTER TABLE delivery ADD COLUMN told TEXT NOT NULL DEFAULT '';
ALTER TABLE delivery ADD COLUMN resolution TEXT NOT NULL DEFAULT '';
ALTER TABLE delivery ADD COLUMN person TEXT NOT NULL DEFAULT '';
CREATE INDEX delivery_resolved ON delivery (ord) WHERE resolution <> '' OR state = 'closed';
