"""What a daemon's answers look like, as far as the verbs rely on it.

A daemon of another version, or a program that only looks like one, may say anything inside of a well
formed answer. It is held against these shapes before a verb shows a word of it, so that a verb may take
what it finds for what it is.
"""

from __future__ import annotations

from typing import Any, Final

Shape = Any
"""A type (``float``: any number), None, or made of shapes: [each], {name: one}, (either, or).

A name with a question mark may be missing, or null. What is not named is not looked at: a newer daemon
says more.
"""

NUMBER_MOST: Final = 2**64
"""No count, row or time is longer; what is would not be JSON to every reader, nor a float to us."""

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
    {"id": str, "state": str, "repeated?": bool, "error?": None},
    {"id?": str, "error": _ERROR},
)

RESULTS: Final[dict[str, Shape]] = {
    "send": {"results": [_SENT]},
    "inbox": _PAGE,
    "outbox": _PAGE,
    "show": {"messages": [_MESSAGE], "damaged?": [_DAMAGED]},
    "ack": {"message": _MESSAGE},
    "cancel": {"message": _MESSAGE},
    "status": _STATUS,
    "retry": {"lines": [str]},
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
"""By method."""

PROGRESS: Final = {"done": int, "total": int}

_EVENT: Final = {"event": str, "at?": str, "line?": str}
EVENTS: Final[dict[str, Shape]] = {
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
"""By what their ``event`` says; of another one only that is known."""


def fault(value: Any, shape: Shape, where: str = "") -> str | None:
    """Give the first place of value that is not of this shape, as ``messages[3].row``, or None."""
    if isinstance(shape, tuple):
        faults = [fault(value, one, where) for one in shape]
        return None if None in faults else faults[0]
    if isinstance(shape, list):
        if type(value) is not list:
            return where
        found = (fault(one, shape[0], f"{where}[{n}]") for n, one in enumerate(value))
        return next((one for one in found if one is not None), None)
    if isinstance(shape, dict):
        return _fault_within(value, shape, where)
    return None if _fits(value, shape) else where


def _fault_within(value: Any, shape: dict[str, Shape], where: str) -> str | None:
    if type(value) is not dict:
        return where
    for named, one in shape.items():
        name = named.removesuffix("?")
        inside = value.get(name)
        if inside is None and name != named:
            continue
        found = fault(inside, one, f"{where}.{name}" if where else name)
        if found is not None:
            return found
    return None


def _fits(value: Any, kind: type | None) -> bool:
    if kind is None:
        return value is None
    if kind in (int, float):
        return type(value) in (int, kind) and bool(abs(value) <= NUMBER_MOST)
    return type(value) is kind


def event_fault(params: dict[str, Any]) -> str | None:
    """Give the first place of an event's params that is not of its shape."""
    kind = params.get("event")
    shape = EVENTS.get(kind, _EVENT) if isinstance(kind, str) else _EVENT
    return fault(params, shape)
