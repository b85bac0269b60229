-- How often entries of ours went out once more: a row says it of all from its number on, up to the next
-- row's; key: line, own side, number. (There was a row for each time, and whoever looked at an old message
-- had them all counted that came after it.)
CREATE TABLE resent (
    key INTEGER PRIMARY KEY,
    times INTEGER NOT NULL
) STRICT;

INSERT INTO resent
SELECT line << 41 | number, sum(sum(change)) OVER (PARTITION BY line ORDER BY number) FROM (
    SELECT line, after + 1 AS number, 1 AS change FROM resumption
    UNION ALL
    SELECT line, upto + 1, -1 FROM resumption
) GROUP BY line, number;

DROP TABLE resumption;
