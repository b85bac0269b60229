-- Each peer's courier key as it came, signed: what courier files for that peer are sealed to.
CREATE TABLE courier_key (
    line INTEGER PRIMARY KEY,
    key BLOB NOT NULL
) STRICT;
