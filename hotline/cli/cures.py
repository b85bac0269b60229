"""Lines on which nothing moves until somebody acts, and what to do about each.

A command that does harm if it is given by habit is never shown without what has to be true first.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from hotline.text import one_line


class Cure(NamedTuple):
    """What to do, and the command that comes last, if there is one."""

    text: str
    command: str = ""


_CALL: Final = "call the peer's operator by another way"
_RESTORED: Final = (
    f"remove nothing, and {_CALL}. If somebody restored a backup here, stop the daemon, put the"
    " newest store back, if it still exists, start, and have hotline retry said over there."
)

_HALTED: Final = {
    "fork": Cure(
        f"{_RESTORED} If it was over there, say hotline retry here once that is done. Otherwise this"
        " line cannot be recovered: keep both stores as evidence, make a new station, and pair again"
    ),
    "own-log-lost": Cure(
        f"{_RESTORED} Only if it is lost for good, no other machine runs with this station's key, and"
        " every courier file that was packed here has been imported over there or is destroyed:",
        "hotline line recover {line}",
    ),
    "peer-log-lost": Cure(
        f"remove nothing, and {_CALL}: if its store is lost for good, hotline line recover is said over"
        " there, and here nothing. Only where its newest store has been put back, or where it recovers"
        " and has no address to dial, say after that:",
        "hotline retry {line}",
    ),
    "own-key-missing": Cure(
        "put back the files of the new keys (NAME.2.key, NAME.2.card and NAME.2.succession, or 3, ...);"
        " if they are lost, a new station has to be made. With the files back, restart the daemon, and"
        " say:",
        "hotline retry {line}",
    ),
    "peer-broke-rules": Cure(
        f"keep the store as evidence, and {_CALL}: its program is at fault, or somebody else has its"
        " key. hotline retry meets the same entry again"
    ),
    "revoked": Cure(
        "this is for good. To speak with that station again, pin another card of it, under another"
        " name:",
        "hotline peer add CARD --name NAME",
    ),
}
"""By reason."""

_ANY_HALT: Final = Cure(f"remove nothing, and {_CALL}")
"""For a reason that only a newer daemon knows."""

_DOWN: Final = {
    "peer-halted": Cure(
        f"{_CALL}: the line stands still until somebody acts over there. Where the cause is gone, as"
        " after the newest store was put back here, hotline retry has to be said there"
    ),
    "peer-revoked": Cure(
        f"{_CALL}. If it was meant, a new station is needed here, with a new card"
    ),
}
"""Of a line that is down; calling again is of no use."""


def cure(line: dict[str, Any]) -> Cure | None:
    """Give what to do about a line of ``status`` on which nothing moves; None if it is no such line."""
    if not stands_still(line):
        return None
    known = _HALTED if line.get("state") == "halted" else _DOWN
    found = known.get(str(line.get("reason")), _ANY_HALT)
    return found._replace(command=found.command.format(line=one_line(str(line.get("name")))))


def stands_still(line: dict[str, Any]) -> bool:
    """Tell whether what is queued on a line in this state waits until somebody acts."""
    return line.get("state") == "halted" or line.get("reason") in _DOWN


def hint(name: str, line: dict[str, Any]) -> str:
    """Give the hint for whoever has queued something on a line that stands still."""
    return (
        f"line {name} is {line.get('state')} ({line.get('reason') or 'no reason known'}):"
        " an operator must act; see: hotline status"
    )
