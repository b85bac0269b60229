-- The first schema. Names are the words of the design; times are UNIX nanoseconds.
--
-- Rows that belong together lie together: where a table is keyed by one composite integer (see
-- hotline/store/keys.py), reading a run of it is one seek and a walk, and no index is needed.
-- Nothing is ever deleted from message and entry, so the next row is the greatest one plus one.

CREATE TABLE station (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    id BLOB NOT NULL CHECK (length(id) = 32)
) STRICT;

-- One row a line: everything that status needs, whatever the length of the logs.
CREATE TABLE line (
    line INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    peer_id BLOB NOT NULL UNIQUE CHECK (length(peer_id) = 32),
    own_number INTEGER NOT NULL,
    own_head BLOB NOT NULL,
    peer_number INTEGER NOT NULL,
    peer_head BLOB NOT NULL,
    receipt_number INTEGER,
    receipt_head BLOB,
    receipt_time_ns INTEGER,
    receipt_signature BLOB,
    halt_code TEXT,
    halt_text TEXT,
    halt_at_ns INTEGER,
    queued INTEGER NOT NULL DEFAULT 0,
    queued_bytes INTEGER NOT NULL DEFAULT 0,
    sealed INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0,
    acknowledged INTEGER NOT NULL DEFAULT 0,
    received INTEGER NOT NULL DEFAULT 0,
    acknowledged_here INTEGER NOT NULL DEFAULT 0,
    recovering INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Both logs of every line; key: line, side, number. Large data comes last, so that what stands
-- before it is read without touching overflow pages.
CREATE TABLE entry (
    key INTEGER PRIMARY KEY,
    messages INTEGER NOT NULL,
    head BLOB NOT NULL,
    data BLOB NOT NULL
) STRICT;

-- The writer's signature over the head at its last entry; key: line, side, last number.
CREATE TABLE signature (
    key INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    at_ns INTEGER NOT NULL,
    signature BLOB NOT NULL
) STRICT;

-- The peer's receipts over our log; key: line, own side, number.
CREATE TABLE receipt (
    key INTEGER PRIMARY KEY,
    at_ns INTEGER NOT NULL,
    time_ns INTEGER NOT NULL,
    head BLOB NOT NULL,
    signature BLOB NOT NULL
) STRICT;

-- Runs of our entries that were put on the wire once more; "after" is excluded, "upto" is not.
CREATE TABLE resumption (
    resumption INTEGER PRIMARY KEY,
    line INTEGER NOT NULL,
    upto INTEGER NOT NULL,
    after INTEGER NOT NULL,
    at_ns INTEGER NOT NULL
) STRICT;

CREATE INDEX resumption_reach ON resumption (line, upto, after);

-- Messages, acknowledgements and tests of both directions. An incoming one always stands in the
-- log: its queueing is SEALED (2). at_ns is when it was accepted (ours) or received (the peer's).
-- sealed_bytes is how much of a long message stands in parts; it is not in queue, beside the
-- content, for each part would have the whole content written again.
-- content is kept here only of what expired or was cancelled: the log will never hold it.
CREATE TABLE message (
    row INTEGER PRIMARY KEY,
    line INTEGER NOT NULL,
    side INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    precedence INTEGER NOT NULL,
    queueing INTEGER NOT NULL,
    number INTEGER,
    sealed_bytes INTEGER NOT NULL DEFAULT 0,
    at_ns INTEGER NOT NULL,
    expires_ns INTEGER,
    id TEXT NOT NULL,
    digest BLOB,
    acknowledged_ns INTEGER,
    acknowledged_by TEXT,
    decision INTEGER,
    note TEXT,
    content BLOB
) STRICT;

CREATE UNIQUE INDEX message_id ON message (line, side, id);

-- Outbox and inbox: an index ends in its table's row, which is the order of a page.
CREATE INDEX message_shown ON message (line, side) WHERE kind = 1;

-- Not acknowledged, and not withdrawn: told by content, because a test of queueing would have this
-- index written again for every message that is sealed.
CREATE INDEX message_open ON message (line, side)
    WHERE kind = 1 AND acknowledged_ns IS NULL AND content IS NULL;

CREATE INDEX message_expiry ON message (line, expires_ns)
    WHERE queueing = 0 AND expires_ns IS NOT NULL;

-- What is still to be sealed; key: line, precedence, row of message. The table is the queue: its
-- order is the order of sealing, and its pages are used again, which no index over message gives.
CREATE TABLE queue (
    key INTEGER PRIMARY KEY,
    content BLOB NOT NULL
) STRICT;

-- The entries that carry a long message.
CREATE TABLE part (
    row INTEGER NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (row, number)
) STRICT, WITHOUT ROWID;

-- Messages of the peer of which only some parts have come; numbers are packed, 8 bytes each.
CREATE TABLE partial (
    line INTEGER NOT NULL,
    id TEXT NOT NULL,
    precedence INTEGER NOT NULL,
    total_bytes INTEGER NOT NULL,
    have_bytes INTEGER NOT NULL,
    numbers BLOB NOT NULL,
    PRIMARY KEY (line, id)
) STRICT, WITHOUT ROWID;
