-- A station's keys may change while its lines go on. A line stays founded under the two cards that were
-- pinned when it was made: its empty heads name them. own_id is ours; of old lines, the store's.
ALTER TABLE line ADD COLUMN own_id BLOB CHECK (length(own_id) = 32);

UPDATE line SET own_id = (SELECT id FROM station);

-- The successions that stand in a log; key: line, side, number of the last entry that carries it.
-- ended: the card before this one is refused.
CREATE TABLE key_change (
    key INTEGER PRIMARY KEY,
    ended INTEGER NOT NULL DEFAULT 0,
    id BLOB NOT NULL CHECK (length(id) = 32),
    succession BLOB NOT NULL
) STRICT;
