CREATE TABLE meta (
  one            INTEGER PRIMARY KEY CHECK (one = 1),
  epoch          TEXT    NOT NULL,
  secret         BLOB    NOT NULL,
  schema_version INTEGER NOT NULL,
  probe          INTEGER NOT NULL DEFAULT 0
);

-- The chain's end and the counters that units take numbers from.
CREATE TABLE head (
  one      INTEGER PRIMARY KEY CHECK (one = 1),
  entry    INTEGER NOT NULL,
  digest   BLOB    NOT NULL,
  event    INTEGER NOT NULL,
  message  INTEGER NOT NULL,
  handover INTEGER NOT NULL,
  delivery INTEGER NOT NULL,
  audit    INTEGER NOT NULL,
  resource INTEGER NOT NULL,
  version  INTEGER NOT NULL
);

CREATE TABLE entry (
  n      INTEGER PRIMARY KEY,
  body   BLOB NOT NULL,
  digest BLOB NOT NULL
);

CREATE TABLE message (
  pos          INTEGER PRIMARY KEY,
  entry        INTEGER NOT NULL,
  id           TEXT    NOT NULL,
  sender       TEXT    NOT NULL,
  caller       TEXT    NOT NULL,
  wire         TEXT    NOT NULL,
  type         TEXT    NOT NULL,
  external_id  TEXT    NOT NULL,
  digest       TEXT    NOT NULL,
  received_at  INTEGER NOT NULL,
  correlation  TEXT    NOT NULL,
  disposition  TEXT    NOT NULL,
  reason       TEXT    NOT NULL,
  detail       TEXT    NOT NULL,
  handover     TEXT    NOT NULL,
  conversation TEXT    NOT NULL,
  answer_code  INTEGER NOT NULL,
  repeats      TEXT    NOT NULL,
  contact      TEXT    NOT NULL,
  deadline     INTEGER NOT NULL,
  step         INTEGER NOT NULL,
  resolution   TEXT    NOT NULL,
  person       TEXT    NOT NULL,
  version      INTEGER NOT NULL,
  erased       INTEGER NOT NULL,
  content      BLOB    NOT NULL
);
CREATE UNIQUE INDEX message_id ON message (id);
CREATE UNIQUE INDEX message_once ON message (sender, external_id, digest)
  WHERE disposition <> 'repeated' AND external_id <> '';
CREATE INDEX message_handover ON message (handover) WHERE handover <> '';
CREATE INDEX message_parked ON message (deadline) WHERE disposition IN ('parked', 'moving') AND resolution = '';

CREATE TABLE message_content (
  pos      INTEGER PRIMARY KEY REFERENCES message (pos),
  raw      BLOB,
  answer   BLOB,
  envelope BLOB,
  report   BLOB
);

CREATE TABLE handover (
  pos       INTEGER PRIMARY KEY,
  entry     INTEGER NOT NULL,
  id        TEXT    NOT NULL,
  chain     TEXT    NOT NULL,
  sender    TEXT    NOT NULL,
  receiver  TEXT    NOT NULL,
  copies    TEXT    NOT NULL,
  open      INTEGER NOT NULL,
  attention INTEGER NOT NULL,
  deadline  INTEGER NOT NULL,
  due       INTEGER NOT NULL,
  version   INTEGER NOT NULL,
  doc       TEXT    NOT NULL
);
CREATE UNIQUE INDEX handover_id ON handover (id);
CREATE INDEX handover_chain ON handover (chain);
CREATE INDEX handover_due ON handover (due) WHERE due > 0;
CREATE INDEX handover_open ON handover (pos) WHERE open = 1;
CREATE INDEX handover_attention ON handover (pos) WHERE attention = 1;

CREATE TABLE handover_key (
  kind     TEXT NOT NULL,
  party    TEXT NOT NULL,
  value    TEXT NOT NULL,
  handover TEXT NOT NULL,
  PRIMARY KEY (kind, party, value, handover)
) WITHOUT ROWID;
CREATE INDEX handover_key_of ON handover_key (handover);

CREATE TABLE resource (
  rid      INTEGER PRIMARY KEY,
  type     TEXT    NOT NULL,
  id       TEXT    NOT NULL,
  version  INTEGER NOT NULL,
  vid      INTEGER NOT NULL,
  deleted  INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  handover TEXT    NOT NULL
);
CREATE UNIQUE INDEX resource_id ON resource (type, id);
CREATE INDEX resource_updated ON resource (type, at);
CREATE INDEX resource_handover ON resource (handover) WHERE handover <> '';

CREATE TABLE resource_version (
  vid      INTEGER PRIMARY KEY,
  entry    INTEGER NOT NULL,
  rid      INTEGER NOT NULL REFERENCES resource (rid),
  type     TEXT    NOT NULL,
  id       TEXT    NOT NULL,
  version  INTEGER NOT NULL,
  author   TEXT    NOT NULL,
  deleted  INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  handover TEXT    NOT NULL,
  erased   INTEGER NOT NULL,
  content  BLOB    NOT NULL,
  json     BLOB
);
CREATE UNIQUE INDEX resource_version_of ON resource_version (rid, version);

CREATE TABLE search (
  rid    INTEGER NOT NULL,
  n      INTEGER NOT NULL,
  param  INTEGER NOT NULL,
  value  TEXT    NOT NULL,
  system INTEGER NOT NULL,
  PRIMARY KEY (rid, n)
) WITHOUT ROWID;
CREATE INDEX search_by ON search (param, value, system);

CREATE TABLE visibility (
  rid   INTEGER NOT NULL,
  party TEXT    NOT NULL,
  PRIMARY KEY (rid, party)
) WITHOUT ROWID;

-- queue: 1 may be claimed, 2 is watched, 0 neither (ended, or behind another in its line).
CREATE TABLE delivery (
  ord          INTEGER PRIMARY KEY,
  entry        INTEGER NOT NULL,
  id           TEXT    NOT NULL,
  message      TEXT    NOT NULL,
  handover     TEXT    NOT NULL,
  event        TEXT    NOT NULL,
  purpose      TEXT    NOT NULL,
  receiver     TEXT    NOT NULL,
  service      TEXT    NOT NULL,
  wire         TEXT    NOT NULL,
  type         TEXT    NOT NULL,
  external_id  TEXT    NOT NULL,
  digest       TEXT    NOT NULL,
  gen_time     INTEGER NOT NULL,
  state        TEXT    NOT NULL,
  receipt_due  INTEGER NOT NULL,
  attempts     INTEGER NOT NULL,
  next_attempt INTEGER NOT NULL,
  warn_at      INTEGER NOT NULL,
  deadline     INTEGER NOT NULL,
  lease_owner  TEXT    NOT NULL,
  lease_until  INTEGER NOT NULL,
  error        TEXT    NOT NULL,
  created_at   INTEGER NOT NULL,
  sent_at      INTEGER NOT NULL,
  ended_at     INTEGER NOT NULL,
  receipt      TEXT    NOT NULL,
  contact      TEXT    NOT NULL,
  step         INTEGER NOT NULL,
  version      INTEGER NOT NULL,
  queue        INTEGER NOT NULL,
  due          INTEGER NOT NULL,
  ended        INTEGER NOT NULL,
  erased       INTEGER NOT NULL,
  content      BLOB    NOT NULL
);
CREATE UNIQUE INDEX delivery_id ON delivery (id);
CREATE INDEX delivery_message ON delivery (message) WHERE message <> '';
CREATE INDEX delivery_handover ON delivery (handover) WHERE handover <> '';
CREATE INDEX delivery_external ON delivery (external_id) WHERE external_id <> '';
CREATE INDEX delivery_parked ON delivery (ord) WHERE state IN ('refused', 'parked');
CREATE INDEX delivery_due ON delivery (queue, due) WHERE queue > 0;

CREATE TABLE delivery_content (
  ord    INTEGER PRIMARY KEY REFERENCES delivery (ord),
  raw    BLOB,
  report BLOB
);

CREATE TABLE event (
  seq        INTEGER PRIMARY KEY,
  entry      INTEGER NOT NULL,
  handover   TEXT    NOT NULL,
  chain      TEXT    NOT NULL,
  kind       TEXT    NOT NULL,
  name       TEXT    NOT NULL,
  sender     TEXT    NOT NULL,
  receiver   TEXT    NOT NULL,
  state      TEXT    NOT NULL,
  actor      TEXT    NOT NULL,
  role       TEXT    NOT NULL,
  reason     TEXT    NOT NULL,
  attention  TEXT    NOT NULL,
  message    TEXT    NOT NULL,
  at         INTEGER NOT NULL,
  chain_head TEXT    NOT NULL
);

CREATE TABLE audit (
  id          INTEGER PRIMARY KEY,
  entry       INTEGER NOT NULL,
  at          INTEGER NOT NULL,
  action      TEXT    NOT NULL,
  party       TEXT    NOT NULL,
  person      TEXT    NOT NULL,
  message     TEXT    NOT NULL,
  handover    TEXT    NOT NULL,
  delivery    TEXT    NOT NULL,
  resource    TEXT    NOT NULL,
  outcome     TEXT    NOT NULL,
  detail      TEXT    NOT NULL,
  correlation TEXT    NOT NULL
);
CREATE INDEX audit_message ON audit (message) WHERE message <> '';
CREATE INDEX audit_handover ON audit (handover) WHERE handover <> '';
