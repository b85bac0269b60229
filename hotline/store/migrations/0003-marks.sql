-- What operators have decided about cards, by the station id that a card has.

-- The pair codes of two cards were compared by voice: the newest comparison.
CREATE TABLE verification (
    own_id BLOB NOT NULL CHECK (length(own_id) = 32),
    peer_id BLOB NOT NULL CHECK (length(peer_id) = 32),
    at_ns INTEGER NOT NULL,
    operator TEXT NOT NULL,
    PRIMARY KEY (peer_id, own_id)
) STRICT, WITHOUT ROWID;

-- A card that is refused for good: nothing is ever deleted here.
CREATE TABLE revocation (
    peer_id BLOB PRIMARY KEY CHECK (length(peer_id) = 32),
    at_ns INTEGER NOT NULL,
    operator TEXT NOT NULL
) STRICT, WITHOUT ROWID;
