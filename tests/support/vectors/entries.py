"""Entries: the values and their one encoding, and encodings that must be refused."""

from __future__ import annotations

from hotline.model import Decision, Precedence
from hotline.wire import entries
from support.vectors.fixed import NOW_NS, Json

SHORT = entries.Message(
    "m1", Precedence.FLASH, NOW_NS, None, "kowalski", "Air", "Aircraft off course"
)
LONG = entries.Message(
    "m2", Precedence.ROUTINE, NOW_NS, NOW_NS + 10**9, "петров", "Движение", "Колонна. " * 600
)
ANSWER = entries.Acknowledgement(
    "ack.1.wilco", "m1", 1, Decision.WILCO, NOW_NS, "petrov", "tracking"
)
TEST = entries.Test("t1", NOW_NS, "kowalski")
EDGE = entries.Message("A" * 64, Precedence.PRIORITY, 2**64 - 1, 0, "", "", "")


def parts() -> list[entries.Part]:
    """Cut the long message as a writer may."""
    whole = entries.encode(LONG)
    return [
        entries.Part(LONG.id, LONG.precedence, at, len(whole), whole[at : at + 8064])
        for at in range(0, len(whole), 8064)
    ]


def make() -> Json:
    """Give entries of every kind, and what is none."""
    good: list[entries.Entry] = [SHORT, EDGE, *parts(), ANSWER, TEST]
    encoded = entries.encode(SHORT)
    return {
        "entries": [
            {"kind": int(one.KIND), "fields": _values(one), "entry": entries.encode(one)}
            for one in good
        ],
        "long_message": {"fields": _values(LONG), "encoding": entries.encode(LONG)},
        "refused": [
            {"why": "a byte follows", "entry": encoded + b"\0"},
            {"why": "a byte is missing", "entry": encoded[:-1]},
            {"why": "kind in two bytes", "entry": b"\x98\xcc\x01" + encoded[2:]},
            {"why": "array header in three bytes", "entry": b"\xdc\x00\x08" + encoded[1:]},
            {"why": "id in a longer form", "entry": encoded.replace(b"\xa2m1", b"\xd9\x02m1")},
            {"why": "id as bin", "entry": encoded.replace(b"\xa2m1", b"\xc4\x02m1")},
            {"why": "id with a slash", "entry": encoded.replace(b"\xa2m1", b"\xa2m/")},
            {"why": "precedence 4", "entry": encoded.replace(b"\xa2m1\x00", b"\xa2m1\x04")},
            {"why": "precedence true", "entry": encoded.replace(b"\xa2m1\x00", b"\xa2m1\xc3")},
            {"why": "a map", "entry": b"\x81\x01\x02"},
            {"why": "no known kind", "entry": b"\x91\x7f"},
            {"why": "no text", "entry": encoded.replace(b"\xa3Air", b"\xa3\xff\xfe\xfd")},
        ],
    }


def _values(entry: entries.Entry) -> Json:
    return {
        name: int(value) if isinstance(value := getattr(entry, name), int) else value
        for name in entries.fields(entry)
    }
