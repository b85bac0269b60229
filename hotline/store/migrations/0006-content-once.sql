-- What a message of ours says is written once: where it was accepted. The queue holds keys only, and an entry
-- that is a message, byte for byte, names its row instead of holding it again; its data is empty then. (A
-- sealed run had each of its messages written a second time, and the pages of the queue once more to empty them.)
-- content is let go of what stands in parts, or has expired or was cancelled.
CREATE TABLE content (
    row INTEGER PRIMARY KEY,
    content BLOB NOT NULL
) STRICT;

INSERT INTO content SELECT key & 0xffffffffff, content FROM queue;

-- Made anew: a column that is dropped has every page of the table in memory, to be put back if it fails.
CREATE TABLE waiting (
    key INTEGER PRIMARY KEY
) STRICT;

INSERT INTO waiting SELECT key FROM queue;

DROP TABLE queue;

ALTER TABLE waiting RENAME TO queue;

ALTER TABLE entry ADD COLUMN row INTEGER;
