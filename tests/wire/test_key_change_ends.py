"""Where a key change ends is asked of bytes that nobody has checked yet."""

from __future__ import annotations

from hotline.model import Precedence
from hotline.wire import entries

PART = entries.Part(entries.key_change_id(bytes(32)), Precedence.IMMEDIATE, 9000, 9005, b"chunk")


def part(**changed: object) -> bytes:
    """Give a part that differs from the last one of a key change."""
    values = {name: getattr(PART, name) for name in PART.__slots__} | changed
    return entries.encode(entries.Part(**values))


def test_only_the_last_part_of_a_key_change_ends_one() -> None:
    """Behind it other keys sign: a run that was cut elsewhere would be checked with the wrong ones."""
    assert entries.ends_key_change(part())
    assert not entries.ends_key_change(part(offset=8999))
    assert not entries.ends_key_change(part(id="m1"))
    test = entries.Test(PART.id, 1, "lt")
    assert not entries.ends_key_change(entries.encode(test))


def test_damaged_parts_end_nothing() -> None:
    """A peer sends what it likes: its bytes are asked this before their signature is looked at."""
    whole = part()
    for cut in range(len(whole)):
        assert not entries.ends_key_change(whole[:cut])
    assert not entries.ends_key_change(whole + b"\0")
    beyond = whole.replace(b"\xcd\x23\x2d", b"\xcd\x23\x2c")  # one byte more than the whole message
    assert beyond != whole
    assert not entries.ends_key_change(beyond)
