-- What a message of ours says is written once: where it was accepted. The queue holds keys only, and an entry
-- that is a message, byte for byte, names its row instead of holding it again; its data is empty then. (A
-- sealed run had each of its messages written a second time, and the pages of the queue once more to empty them.)
-- content is let go of what stands in parts, or has expired or was cancelled.
CREATE TABLE content (
    row INTEGER PRIMARY KEY,
    content BLOB NOT NULL
) STRICT;

INSERT INTO content SELECT key & 0xffffffffff, content FROM queue ORDER BY 1;

ALTER TABLE queue DROP COLUMN content;

ALTER TABLE entry ADD COLUMN row INTEGER;
