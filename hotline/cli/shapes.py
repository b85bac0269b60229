"""What a daemon's answers look like, as far as the verbs rely on it.

A daemon of another version, or a program that only looks like one, may say anything inside of a well
formed answer. It is held against these shapes before a verb shows a word of it, so that a verb may take
what it finds for what it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

Shape = Any
"""A type (``float``: any number), None, or made of shapes: [each], {name: one}, (either, or).

A name with a question mark may be missing, or null. What is not named is not looked at: a newer daemon
says more.
"""

Check = Callable[[Any], str | None]
"""Gives None for what fits, and else the first place that does not: "", ".more", ".messages[3].row"."""

NUMBER_MOST: Final = 2**64
"""No count, row or time is longer; what is would not be JSON to every reader, nor a float to us."""


def fault(value: Any, check: Check) -> str | None:
    """Give the first place of value that does not fit, as ``messages[3].row``, or None."""
    found = check(value)
    return None if found is None else found.removeprefix(".")


def _check(shape: Shape) -> Check:
    """Make a shape into what looks at values: the answer to a batch holds a thousand of one shape."""
    if isinstance(shape, tuple):
        return _either([_check(one) for one in shape])
    if isinstance(shape, list):
        return _each(_check(shape[0]))
    if isinstance(shape, dict):
        return _named(
            [
                (name.removesuffix("?"), name.endswith("?"), _check(one))
                for name, one in shape.items()
            ]
        )
    if shape in (int, float):
        return lambda value: (
            None if type(value) in (int, shape) and abs(value) <= NUMBER_MOST else ""
        )
    if shape is None:
        return lambda value: None if value is None else ""
    return lambda value: None if type(value) is shape else ""


def _either(checks: list[Check]) -> Check:
    def check(value: Any) -> str | None:
        first = checks[0](value)
        if first is None or any(other(value) is None for other in checks[1:]):
            return None
        return first

    return check


def _each(inside: Check) -> Check:
    def check(value: Any) -> str | None:
        if type(value) is not list:
            return ""
        for number, one in enumerate(value):
            found = inside(one)
            if found is not None:
                return f"[{number}]{found}"
        return None

    return check


def _named(checks: list[tuple[str, bool, Check]]) -> Check:
    def check(value: Any) -> str | None:
        if type(value) is not dict:
            return ""
        for name, may_miss, inside in checks:
            one = value.get(name)
            if one is None and may_miss:
                continue
            found = inside(one)
            if found is not None:
                return f".{name}{found}"
        return None

    return check


_NAMES: Final = "id line direction precedence subject body author".split()
_TIMES: Final = (
    "composed_at expires_at ack_by sent_at delivered_at received_at acknowledged_at".split()
)
_WORDS: Final = (*_NAMES, *_TIMES, "acknowledged_by", "decision", "note", "state")
_MESSAGE: Final = {"number?": int, "attempts?": int, **{f"{word}?": str for word in _WORDS}}
_DAMAGED: Final = {"row": int, "id?": str, "line?": str, "why?": str, "hint?": str}
_PAGE: Final = {"messages": [{"row": int, **_MESSAGE}], "more": bool, "damaged?": [_DAMAGED]}
_NOTICES: Final = [{"code?": str, "text?": str}]

_LINE: Final = {
    "name": str,
    "state": str,
    **{f"{word}?": str for word in "reason detail since address key_change".split()},
    **{f"{word}?": str for word in "peer_id peer_pinned_id".split()},
    **{f"{word}?": str for word in "verified_at verified_by revoked_at revoked_by".split()},
    **{f"{word}?": float for word in "rtt_ms clock_offset_ms last_heard_s drain_s".split()},
    **{f"{word}?": float for word in "delivered_per_s next_attempt_s session_age_s".split()},
    **{f"{word}?": int for word in "queued queued_bytes in_flight attempts".split()},
    **{f"{word}?": int for word in "unacknowledged unread".split()},
    "clock_differs?": bool,
    "attended?": bool,
    "notices?": _NOTICES,
}

_STATUS: Final = {
    "station": str,
    "station_id?": str,
    "notices?": _NOTICES,
    "key_change?": {"number": int, "waiting": [str], "old_keys": [str]},
    "lines": [_LINE],
}

_ERROR: Final = {"message?": str, "code?": str, "hint?": str}
_SENT: Final = (
    {"id": str, "state": str, "repeated?": bool, "error?": None, "at?": int},
    # Sent before; how far it has come could not be read.
    {"id": str, "state": None, "repeated": bool, "error?": None, "at?": int},
    {"id?": str, "error": _ERROR, "at?": int},
)

_RESULTS: Final[dict[str, Shape]] = {
    "send": {"results": [_SENT], "queued?": int, "line?": {"state": str, "reason?": str}},
    "inbox": _PAGE,
    "outbox": _PAGE,
    "show": {"messages": [_MESSAGE], "damaged?": [_DAMAGED]},
    "ack": {"message": _MESSAGE},
    "cancel": {"message": _MESSAGE},
    "status": _STATUS,
    "retry": {
        "lines": [str],
        "outcomes?": [{"line": str, "outcome": str, "state?": str, "reason?": str}],
    },
    "recover": {"line": str},
    "verify": {"verified_at": str, "verified_by": str},
    "revoke": {"revoked_at": str, "revoked_by": str},
    "trust": {f"{word}?": str for word in "verified_at verified_by revoked_at revoked_by".split()},
    "rotate": {"number": int},
    "courier_key": {"key": str},
    "courier_add": {"line": str, "new": bool},
    "courier_export": {
        "line": str,
        **dict.fromkeys(("after", "last", "entry_bytes"), int),
        "receipt?": int,
        "more": bool,
        "file": str,
    },
    "courier_import": {
        "line": str,
        **dict.fromkeys(("after", "last", "entries", "messages", "delivered"), int),
    },
    "wait": {"messages": [{"id": str, "state": str}]},
    "watch": {},
}
RESULTS: Final = {method: _check(shape) for method, shape in _RESULTS.items()}
"""By method."""

PROGRESS: Final = _check({"done": int, "total": int})

_EVENT: Final = {"event": str, "at?": str, "line?": str}
_EVENTS: Final[dict[str, Shape]] = {
    "message": {**_EVENT, "message": _MESSAGE},
    "state": {**_EVENT, "state": str, "reason?": str, "detail?": str},
    "acknowledged": {**_EVENT, "id": str, "acknowledged_by?": str, "decision?": str},
    "missed": {**_EVENT, "ids": [str], "flash": bool, "why": str, "hint?": str},
    "keys": {**_EVENT, "what": str, "id": str},
    "delivered": {
        **_EVENT,
        "number": int,
        "messages": int,
        "waiting?": int,
        "delivered_per_s?": float,
        "drain_s?": float,
    },
}
EVENTS: Final = {kind: _check(shape) for kind, shape in _EVENTS.items()}
"""By what their ``event`` says; of another one only that is known."""
_ANY_EVENT: Final = _check(_EVENT)


def event_fault(params: dict[str, Any]) -> str | None:
    """Give the first place of an event's params that is not of its shape."""
    kind = params.get("event")
    return fault(params, EVENTS.get(kind, _ANY_EVENT) if isinstance(kind, str) else _ANY_EVENT)
