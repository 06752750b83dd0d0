-- Text compares by bytes (COLLATE "C"), so that ranges and order are those of SQLite.

CREATE TABLE meta (
  one            BIGINT PRIMARY KEY CHECK (one = 1),
  epoch          TEXT COLLATE "C" NOT NULL,
  secret         BYTEA NOT NULL,
  schema_version BIGINT NOT NULL,
  probe          BIGINT NOT NULL DEFAULT 0
);

-- The chain's end and the counters that units take numbers from.
CREATE TABLE head (
  one      BIGINT PRIMARY KEY CHECK (one = 1),
  entry    BIGINT NOT NULL,
  digest   BYTEA NOT NULL,
  event    BIGINT NOT NULL,
  message  BIGINT NOT NULL,
  handover BIGINT NOT NULL,
  delivery BIGINT NOT NULL,
  audit    BIGINT NOT NULL,
  resource BIGINT NOT NULL,
  version  BIGINT NOT NULL
);

CREATE TABLE entry (
  n      BIGINT PRIMARY KEY,
  body   BYTEA NOT NULL,
  digest BYTEA NOT NULL
);

CREATE TABLE message (
  pos          BIGINT PRIMARY KEY,
  entry        BIGINT NOT NULL,
  id           TEXT COLLATE "C" NOT NULL,
  sender       TEXT COLLATE "C" NOT NULL,
  caller       TEXT COLLATE "C" NOT NULL,
  wire         TEXT COLLATE "C" NOT NULL,
  type         TEXT COLLATE "C" NOT NULL,
  external_id  TEXT COLLATE "C" NOT NULL,
  digest       TEXT COLLATE "C" NOT NULL,
  received_at  BIGINT NOT NULL,
  correlation  TEXT COLLATE "C" NOT NULL,
  disposition  TEXT COLLATE "C" NOT NULL,
  reason       TEXT COLLATE "C" NOT NULL,
  detail       TEXT COLLATE "C" NOT NULL,
  handover     TEXT COLLATE "C" NOT NULL,
  conversation TEXT COLLATE "C" NOT NULL,
  answer_code  BIGINT NOT NULL,
  repeats      TEXT COLLATE "C" NOT NULL,
  contact      TEXT COLLATE "C" NOT NULL,
  deadline     BIGINT NOT NULL,
  step         BIGINT NOT NULL,
  resolution   TEXT COLLATE "C" NOT NULL,
  person       TEXT COLLATE "C" NOT NULL,
  version      BIGINT NOT NULL,
  erased       BIGINT NOT NULL,
  content      BYTEA NOT NULL
);
CREATE UNIQUE INDEX message_id ON message (id);
CREATE UNIQUE INDEX message_once ON message (sender, external_id, digest)
  WHERE disposition <> 'repeated' AND external_id <> '';
CREATE INDEX message_handover ON message (handover) WHERE handover <> '';
CREATE INDEX message_parked ON message (deadline) WHERE disposition IN ('parked', 'moving') AND resolution = '';

CREATE TABLE message_content (
  pos      BIGINT PRIMARY KEY REFERENCES message (pos),
  raw      BYTEA,
  answer   BYTEA,
  envelope BYTEA,
  report   BYTEA
);

CREATE TABLE handover (
  pos       BIGINT PRIMARY KEY,
  entry     BIGINT NOT NULL,
  id        TEXT COLLATE "C" NOT NULL,
  chain     TEXT COLLATE "C" NOT NULL,
  sender    TEXT COLLATE "C" NOT NULL,
  receiver  TEXT COLLATE "C" NOT NULL,
  copies    TEXT COLLATE "C" NOT NULL,
  open      BIGINT NOT NULL,
  attention BIGINT NOT NULL,
  deadline  BIGINT NOT NULL,
  due       BIGINT NOT NULL,
  version   BIGINT NOT NULL,
  doc       TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX handover_id ON handover (id);
CREATE INDEX handover_chain ON handover (chain);
CREATE INDEX handover_due ON handover (due) WHERE due > 0;
CREATE INDEX handover_open ON handover (pos) WHERE open = 1;
CREATE INDEX handover_attention ON handover (pos) WHERE attention = 1;

CREATE TABLE handover_key (
  kind     TEXT COLLATE "C" NOT NULL,
  party    TEXT COLLATE "C" NOT NULL,
  value    TEXT COLLATE "C" NOT NULL,
  handover TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (kind, party, value, handover)
);
CREATE INDEX handover_key_of ON handover_key (handover);

CREATE TABLE resource (
  rid      BIGINT PRIMARY KEY,
  type     TEXT COLLATE "C" NOT NULL,
  id       TEXT COLLATE "C" NOT NULL,
  version  BIGINT NOT NULL,
  vid      BIGINT NOT NULL,
  deleted  BIGINT NOT NULL,
  at       BIGINT NOT NULL,
  handover TEXT COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX resource_id ON resource (type, id);
CREATE INDEX resource_updated ON resource (type, at);
CREATE INDEX resource_handover ON resource (handover) WHERE handover <> '';

CREATE TABLE resource_version (
  vid      BIGINT PRIMARY KEY,
  entry    BIGINT NOT NULL,
  rid      BIGINT NOT NULL REFERENCES resource (rid),
  type     TEXT COLLATE "C" NOT NULL,
  id       TEXT COLLATE "C" NOT NULL,
  version  BIGINT NOT NULL,
  author   TEXT COLLATE "C" NOT NULL,
  deleted  BIGINT NOT NULL,
  at       BIGINT NOT NULL,
  handover TEXT COLLATE "C" NOT NULL,
  erased   BIGINT NOT NULL,
  content  BYTEA NOT NULL,
  json     BYTEA
);
CREATE UNIQUE INDEX resource_version_of ON resource_version (rid, version);

CREATE TABLE search (
  rid    BIGINT NOT NULL,
  n      BIGINT NOT NULL,
  param  BIGINT NOT NULL,
  value  TEXT COLLATE "C" NOT NULL,
  system BIGINT NOT NULL,
  PRIMARY KEY (rid, n)
);
CREATE INDEX search_by ON search (param, value, system);

CREATE TABLE visibility (
  rid   BIGINT NOT NULL,
  party TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (rid, party)
);

-- queue: 1 may be claimed, 2 is watched, 0 neither (ended, or behind another in its line).
CREATE TABLE delivery (
  ord          BIGINT PRIMARY KEY,
  entry        BIGINT NOT NULL,
  id           TEXT COLLATE "C" NOT NULL,
  message      TEXT COLLATE "C" NOT NULL,
  handover     TEXT COLLATE "C" NOT NULL,
  event        TEXT COLLATE "C" NOT NULL,
  purpose      TEXT COLLATE "C" NOT NULL,
  receiver     TEXT COLLATE "C" NOT NULL,
  service      TEXT COLLATE "C" NOT NULL,
  wire         TEXT COLLATE "C" NOT NULL,
  type         TEXT COLLATE "C" NOT NULL,
  external_id  TEXT COLLATE "C" NOT NULL,
  digest       TEXT COLLATE "C" NOT NULL,
  gen_time     BIGINT NOT NULL,
  state        TEXT COLLATE "C" NOT NULL,
  receipt_due  BIGINT NOT NULL,
  attempts     BIGINT NOT NULL,
  next_attempt BIGINT NOT NULL,
  warn_at      BIGINT NOT NULL,
  deadline     BIGINT NOT NULL,
  lease_owner  TEXT COLLATE "C" NOT NULL,
  lease_until  BIGINT NOT NULL,
  error        TEXT COLLATE "C" NOT NULL,
  created_at   BIGINT NOT NULL,
  sent_at      BIGINT NOT NULL,
  ended_at     BIGINT NOT NULL,
  receipt      TEXT COLLATE "C" NOT NULL,
  contact      TEXT COLLATE "C" NOT NULL,
  step         BIGINT NOT NULL,
  version      BIGINT NOT NULL,
  queue        BIGINT NOT NULL,
  due          BIGINT NOT NULL,
  ended        BIGINT NOT NULL,
  erased       BIGINT NOT NULL,
  content      BYTEA NOT NULL
);
CREATE UNIQUE INDEX delivery_id ON delivery (id);
CREATE INDEX delivery_message ON delivery (message) WHERE message <> '';
CREATE INDEX delivery_handover ON delivery (handover) WHERE handover <> '';
CREATE INDEX delivery_external ON delivery (external_id) WHERE external_id <> '';
CREATE INDEX delivery_parked ON delivery (ord) WHERE state IN ('refused', 'parked');
CREATE INDEX delivery_due ON delivery (queue, due) WHERE queue > 0;

CREATE TABLE delivery_content (
  ord    BIGINT PRIMARY KEY REFERENCES delivery (ord),
  raw    BYTEA,
  report BYTEA
);

CREATE TABLE event (
  seq        BIGINT PRIMARY KEY,
  entry      BIGINT NOT NULL,
  handover   TEXT COLLATE "C" NOT NULL,
  chain      TEXT COLLATE "C" NOT NULL,
  kind       TEXT COLLATE "C" NOT NULL,
  name       TEXT COLLATE "C" NOT NULL,
  sender     TEXT COLLATE "C" NOT NULL,
  receiver   TEXT COLLATE "C" NOT NULL,
  state      TEXT COLLATE "C" NOT NULL,
  actor      TEXT COLLATE "C" NOT NULL,
  role       TEXT COLLATE "C" NOT NULL,
  reason     TEXT COLLATE "C" NOT NULL,
  attention  TEXT COLLATE "C" NOT NULL,
  message    TEXT COLLATE "C" NOT NULL,
  at         BIGINT NOT NULL,
  chain_head TEXT COLLATE "C" NOT NULL
);

CREATE TABLE audit (
  id          BIGINT PRIMARY KEY,
  entry       BIGINT NOT NULL,
  at          BIGINT NOT NULL,
  action      TEXT COLLATE "C" NOT NULL,
  party       TEXT COLLATE "C" NOT NULL,
  person      TEXT COLLATE "C" NOT NULL,
  message     TEXT COLLATE "C" NOT NULL,
  handover    TEXT COLLATE "C" NOT NULL,
  delivery    TEXT COLLATE "C" NOT NULL,
  resource    TEXT COLLATE "C" NOT NULL,
  outcome     TEXT COLLATE "C" NOT NULL,
  detail      TEXT COLLATE "C" NOT NULL,
  correlation TEXT COLLATE "C" NOT NULL
);
CREATE INDEX audit_message ON audit (message) WHERE message <> '';
CREATE INDEX audit_handover ON audit (handover) WHERE handover <> '';
