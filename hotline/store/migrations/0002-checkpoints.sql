-- Both stations' post-quantum signatures over both logs: signer is whose (0 ours, 1 the peer's);
-- own_number and own_head are of the signer's log, peer_number and peer_head of the other one.

CREATE TABLE checkpoint (
    checkpoint INTEGER PRIMARY KEY,
    line INTEGER NOT NULL,
    signer INTEGER NOT NULL,
    own_number INTEGER NOT NULL,
    peer_number INTEGER NOT NULL,
    at_ns INTEGER NOT NULL,
    time_ns INTEGER NOT NULL,
    own_head BLOB NOT NULL,
    peer_head BLOB NOT NULL,
    signature BLOB NOT NULL
) STRICT;

CREATE INDEX checkpoint_own ON checkpoint (line, signer, own_number);
CREATE INDEX checkpoint_peer ON checkpoint (line, signer, peer_number);
