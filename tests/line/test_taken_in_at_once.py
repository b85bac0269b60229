"""Runs of messages are read all at once: nothing of that is to be seen."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotline import limits
from hotline.line import applying
from hotline.line.pairing import Pairing
from hotline.model import Position, Precedence, Side
from hotline.store.sqlite import SqliteStore
from hotline.wire import entries, heads
from hotline.wire.frames import Entries
from support.line_world import identity

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW_NS: Final = 10**18
WRITER: Final = Pairing(*identity("south"), identity("north")[1])
READER: Final = Pairing(*identity("north"), identity("south")[1])


def said(identifier: str, precedence: Precedence = Precedence.ROUTINE, body: str = "x") -> bytes:
    return entries.encode(entries.Message(identifier, precedence, 1, None, "anna", "", body))


class Copy:
    """What one station holds of the peer's log."""

    def __init__(self, folder: str) -> None:
        self._store = SqliteStore.open(Path(folder) / "store.db", station_id=READER.own.id)
        self._line = self._store.add_line("south", READER.peer.id)
        self._end = Position(0, heads.head_zero(WRITER.own.id, READER.own.id))

    def take_in(self, data: Sequence[bytes]) -> str:
        """Give what comes of a run that the peer has signed, in words."""
        end = Position(self._end.number + len(data), heads.chain(self._end.head, data)[-1])
        run = Entries(self._end.number + 1, tuple(data), WRITER.sign_head(end, []))
        [outcome] = self._store.transact(
            [lambda tx: applying.apply(tx, self._line, READER, [run], NOW_NS, attended=True)]
        )
        if not isinstance(outcome, Exception):
            self._end = end
        return repr(outcome)

    def all_that_is_held(self) -> tuple[Any, ...]:
        """Give the numbers, the whole log, what is half there, and every message as it is shown."""
        line = self._line
        [held] = self._store.transact(
            [
                lambda tx: (
                    tx.line(line),
                    tx.entries(line, Side.PEER, 1, 10_000, 10**9),
                    tx.partials(line),
                )
            ]
        )
        most = limits.PAGE_ROWS
        return held, self._store.read(lambda reader: reader.page(Side.PEER, line=line, most=most))

    def close(self) -> None:
        self._store.close()


_IDS = st.sampled_from([f"m{n}" for n in range(40)])
_messages = st.builds(said, _IDS, st.sampled_from(Precedence))
_parts = st.builds(
    entries.Part,
    _IDS,
    st.sampled_from(Precedence),
    st.sampled_from([0, 0, limits.PART_BYTES]),
    st.just(2 * limits.PART_BYTES + 9000),
    st.just(b"x" * limits.PART_BYTES),
).map(entries.encode)
_others = st.one_of(
    st.builds(entries.Test, _IDS, st.just(1), st.just("anna")).map(entries.encode),
    _parts,
    st.sampled_from([b"\x98junk", said("key-change.1"), said("m1", body="x" * 9000)]),
)
_runs = st.lists(_messages, min_size=1, max_size=9) | st.lists(
    st.one_of(_messages, _messages, _messages, _others), min_size=1, max_size=9
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_runs, min_size=1, max_size=3), st.sampled_from([1, 2, 3, 64]))
def test_what_comes_at_once_is_what_comes_one_by_one(runs: list[list[bytes]], at_once: int) -> None:
    """One record, whatever its entries came beside; and one reason where it may not be."""
    with ExitStack() as stack:
        folders = [stack.enter_context(tempfile.TemporaryDirectory()) for _ in range(2)]
        short, long = Copy(folders[0]), Copy(folders[1])
        stack.enter_context(mock.patch.object(applying, "_READ_AT_ONCE", at_once))
        for data in runs:
            with mock.patch.object(entries, "decode_messages", return_value=None):
                one_by_one = long.take_in(data)
            assert short.take_in(data) == one_by_one
        assert short.all_that_is_held() == long.all_that_is_held()
        short.close()
        long.close()


def test_messages_are_taken_in_at_once(tmp_path: Path) -> None:
    """Else the comparison would be of one thing with itself: a run, and two with a test between."""
    copy = Copy(str(tmp_path))
    test = entries.encode(entries.Test("t1", 1, "anna"))
    with mock.patch.object(applying, "_READ_AT_ONCE", 2):
        with mock.patch.object(entries, "decode", side_effect=AssertionError):
            assert copy.take_in([said("m1"), said("m2", Precedence.FLASH), said("m3")])
        with mock.patch.object(entries, "decode", wraps=entries.decode) as decode:
            copy.take_in([said("m4"), said("m5"), test, said("m6"), said("m7")])
    assert decode.call_count == 2
    record = copy.all_that_is_held()[0][0]
    assert (record.peer.number, record.received) == (8, 7)
    copy.close()


@pytest.mark.parametrize("count", [1, 64, 65, 200])
def test_the_log_counts_its_messages_however_many_come(tmp_path: Path, count: int) -> None:
    """Each entry says how many messages there are up to it: receipts are told as messages by that."""
    copy = Copy(str(tmp_path))
    copy.take_in([said(f"m{n}") for n in range(count)])
    record, log, _ = copy.all_that_is_held()[0]
    assert [entry.messages for entry in log] == list(range(1, count + 1))
    assert record.received == count
    copy.close()
