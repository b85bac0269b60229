"""The longer statements of a transaction, and those that take many rows."""

from __future__ import annotations

from typing import Final

from hotline.store.bulk import Bulk
from hotline.store.keys import NUMBER_MASK, QUEUE_KEY_SQL

ROW: Final = "message.row, id, kind, precedence, content.content, sealed_bytes, expires_ns"

# Whatever is lost of a message that waits must be told: it is not to vanish from the queue.
_WAITS: Final = f"""
FROM message CROSS JOIN queue ON key = {QUEUE_KEY_SQL} LEFT JOIN content ON content.row = message.row
"""

SAID: Final = """
CASE WHEN entry.row IS NULL THEN data
    ELSE ifnull((SELECT content FROM content WHERE content.row = entry.row), x'') END
"""
"""The bytes of an entry, wherever they stand; of those that are lost nothing, which no head fits."""

ENTRIES: Final = f"""
SELECT key, head, {SAID}, messages FROM entry WHERE key BETWEEN ? AND ? ORDER BY key LIMIT ?
"""  # noqa: S608 - constants only

# CROSS JOIN fixes the order of the loops: the planner, which knows no figures, must not guess.
QUEUED: Final = f"""
SELECT {ROW}
FROM queue CROSS JOIN message ON message.row = key & {NUMBER_MASK}
LEFT JOIN content ON content.row = message.row
WHERE key BETWEEN ? AND ? ORDER BY key LIMIT ?
"""  # noqa: S608 - constants only

DUE: Final = f"""
SELECT {ROW} {_WAITS}
WHERE line = ? AND queueing = 0 AND expires_ns <= ? ORDER BY expires_ns LIMIT ?
"""

WAITING: Final = f"""
SELECT {ROW} {_WAITS}
WHERE line = ? AND side = 0 AND id = ? AND queueing = 0
"""

ENQUEUE: Final = Bulk(
    "INSERT INTO message"
    " (row, line, side, kind, precedence, queueing, at_ns, expires_ns, id, digest) VALUES {rows}",
    "(?, ?, 0, ?, ?, 0, ?, ?, ?, ?)",
)

# Never queued: what it says stands in the log, and nowhere else.
SEND: Final = Bulk(
    "INSERT INTO message (row, line, side, kind, precedence, queueing, number, at_ns, expires_ns,"
    " id, digest) VALUES {rows}",
    "(?, ?, 0, ?, ?, 2, ?, ?, ?, ?, ?)",
)

CONTENT: Final = Bulk("INSERT INTO content VALUES {rows}", "(?, ?)")

QUEUE: Final = Bulk("INSERT INTO queue VALUES {rows}", "(?)")

APPEND: Final = Bulk("INSERT INTO entry VALUES {rows}", "(?, ?, ?, ?, ?)")

RECEIVE: Final = Bulk(
    "INSERT INTO message (row, line, side, kind, precedence, queueing, number, at_ns, id)"
    " VALUES {rows}",
    "(?, ?, 1, ?, ?, 2, ?, ?, ?)",
)

SEAL: Final = """
UPDATE message SET queueing = 2, number = ?2 WHERE row = ?1 AND line = ?3 AND queueing < 2
"""

# By the rows alone: the planner, which knows no figures, would go through all messages of the line.
SEAL_STRETCH: Final = """
UPDATE message NOT INDEXED SET queueing = 2, number = row + ?3
WHERE row BETWEEN ?1 AND ?2 AND +line = ?4 AND +queueing < 2
"""
"""Rows that follow one another, as their numbers do."""

ROW_OF: Final = "SELECT row FROM message WHERE line = ? AND side = ? AND id = ?"

NAMED: Final = "SELECT id, digest FROM message WHERE line = ? AND side = ? AND id = ?"

# What the log holds was sent, whatever became of it here since the store was lost.
FOUND_SEALED: Final = """
UPDATE message SET queueing = 2, number = ?, content = NULL WHERE row = ? AND number IS NULL
"""

TAKE_BACK: Final = """
INSERT INTO message (row, line, side, kind, precedence, queueing, number, at_ns, id, digest)
VALUES (?, ?, 0, ?, ?, 2, ?, ?, ?, ?)
"""

QUEUED_ROW: Final = f"""
SELECT {ROW} {_WAITS} WHERE message.row = ?
"""

UNQUEUE: Final = f"""
DELETE FROM queue WHERE key = (SELECT {QUEUE_KEY_SQL} FROM message WHERE row = ?)
"""  # noqa: S608 - constants only

UNQUEUE_UPTO: Final = f"""
DELETE FROM queue WHERE key BETWEEN ? AND (SELECT {QUEUE_KEY_SQL} FROM message WHERE row = ?)
"""  # noqa: S608 - constants only

LET_GO: Final = "DELETE FROM content WHERE row = ?"

SEAL_PART: Final = """
UPDATE message SET queueing = 1, sealed_bytes = ? WHERE row = ? AND line = ? AND queueing < 2
"""

BEGUN: Final = """
SELECT row, sealed_bytes FROM queue CROSS JOIN message ON row = key & ?
WHERE key BETWEEN ? AND ? AND queueing = 1
"""

# It stays one that was begun: its state must not go back, and so it cannot expire either.
BEGIN_ANEW: Final = "UPDATE message SET sealed_bytes = 0, expires_ns = NULL WHERE row = ?"

WITHDRAW: Final = """
UPDATE message SET queueing = ?, content = (
    SELECT content.content FROM content WHERE content.row = message.row
) WHERE row = ? AND queueing = 0
"""

RESENT: Final = """
SELECT times FROM resent WHERE key BETWEEN ?1 AND ?2 ORDER BY key DESC LIMIT 1
"""
"""How often the entry at key ?2 went out once more; ?1 is where its log begins."""

RESENT_FROM: Final = f"""
INSERT INTO resent VALUES (?2, ifnull(({RESENT}), 0)) ON CONFLICT DO NOTHING
"""  # noqa: S608 - constants only

# A resend may cut a run elsewhere and sign anew in the midst of what was signed before. The time
# kept is the earliest at which any signature (or receipt) covered the place, so it never moves.
SIGNATURE: Final = """
INSERT INTO signature (key, first, at_ns, signature) VALUES (?1, ?2, min(?3, coalesce(
    (SELECT at_ns FROM signature WHERE key BETWEEN ?1 AND ?5 ORDER BY key LIMIT 1), ?3)), ?4)
ON CONFLICT DO NOTHING
"""

RECEIPT: Final = """
INSERT INTO receipt (key, at_ns, time_ns, head, signature) VALUES (?1, min(?2, coalesce(
    (SELECT at_ns FROM receipt WHERE key BETWEEN ?1 AND ?6 ORDER BY key LIMIT 1), ?2)), ?3, ?4, ?5)
ON CONFLICT DO NOTHING
"""
