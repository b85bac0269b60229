"""Runs of a log in files: whole, cut out, and tampered with."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.errors import EvidenceError
from hotline.evidence import exporting_runs, runs
from hotline.model import Side
from support.flips import Walk, remembered, unseen

if TYPE_CHECKING:
    from support.evidence_case import Case, Holder


def export(holder: Holder, side: Side, first: int = 1, last: int | None = None) -> bytes:
    """Write a run of one of a station's two logs."""
    record = holder.record
    end = (record.own if side is Side.OWN else record.peer).number
    file = io.BytesIO()
    wanted = exporting_runs.Wanted(
        record, side, holder.own, holder.peer, first, end if last is None else last
    )
    for _ in exporting_runs.export(holder.station.store, wanted, file.write):
        pass
    return file.getvalue()


def check(data: bytes) -> runs.Run:
    return runs.check(io.BytesIO(data))


def test_both_stations_export_both_logs(case: Case) -> None:
    """Either side must be able to show all that either has said."""
    for holder in (case.author, case.reader):
        for side in Side:
            seen: dict[int, bytes] = {}
            found = runs.check(io.BytesIO(export(holder, side)), seen.__setitem__)
            place = holder.record.own if side is Side.OWN else holder.record.peer
            assert (found.first, found.last) == (1, place.number)
            assert list(seen) == list(range(1, place.number + 1))
            stored = holder.station.store.read(
                lambda r, side=side: r.history().entries(1, side, 1, 9999, 10**9)  # type: ignore[misc]
            )
            assert [row.data for row in stored] == list(seen.values())
            assert (found.receipt is not None) == (side is Side.OWN)
            assert found.writer_checkpoint is not None
            assert found.reader_checkpoint is not None


def test_an_empty_log_is_told_as_such(case: Case) -> None:
    """Of a station that has only listened it said "entries 1 to 0, not 1 to 0"."""
    holder = case.author
    nothing = replace(holder.record.own, number=0)
    wanted = exporting_runs.Wanted(
        replace(holder.record, own=nothing), Side.OWN, holder.own, holder.peer, 1, 0
    )
    with pytest.raises(EvidenceError, match="the log is empty"):
        next(exporting_runs.export(holder.station.store, wanted, io.BytesIO().write))


def test_a_run_from_the_midst_ends_at_a_signed_head(case: Case) -> None:
    """An entry behind the last signature would be carried along unproven."""
    end = case.author.record.own.number
    for first in range(1, end + 1):
        found = check(export(case.author, Side.OWN, first, first))
        assert found.first == first <= found.last <= end
        assert found.signatures >= 1


def test_batches_and_pieces_change_nothing(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long log goes in many pieces; where they are cut must not matter."""
    whole = check(export(case.author, Side.OWN))
    monkeypatch.setattr(exporting_runs, "_BATCH_ENTRIES", 3)
    monkeypatch.setattr(exporting_runs, "ENTRIES_PER_FRAME", 2)
    assert check(export(case.author, Side.OWN)) == whole


@pytest.mark.parametrize(("first", "last"), [(0, 1), (1, 10**6), (5, 4)])
def test_what_is_not_in_the_log_is_refused(case: Case, first: int, last: int) -> None:
    """A file that holds less than was asked for would be taken for all there is."""
    with pytest.raises(EvidenceError, match="entries 1 to"):
        export(case.author, Side.OWN, first, last)


def survives(data: bytes) -> bool:
    try:
        check(data)
    except EvidenceError:
        return False
    return True


def test_any_flipped_bit_is_found(case: Case, walk: Walk) -> None:
    """A run in a file is only as good as its worst byte."""
    data = export(case.reader, Side.OWN, 1, 2)
    with remembered():
        where = walk.but(len(data), [(100, len(data) - 600)], 149)
        assert unseen(check, data, where, EvidenceError) == []


def pieces(data: bytes) -> list[bytes]:
    """Cut a file at its pieces."""
    at, found = len(runs.MAGIC), []
    while at < len(data):
        size = 4 + int.from_bytes(data[at + 1 : at + 4], "big")
        found.append(data[at : at + size])
        at += size
    return found


def test_pieces_cannot_be_left_out_doubled_or_moved(case: Case) -> None:
    """Each piece is sound by itself; only its place makes it true."""
    whole = pieces(export(case.author, Side.OWN))
    optional = {runs.RECEIPT, runs.WRITERS, runs.READERS, runs.SIGNATURE}
    for at, piece in enumerate(whole):
        less = whole[:at] + whole[at + 1 :]
        last_signature = piece[0] == runs.SIGNATURE and not any(
            later[0] == runs.SIGNATURE for later in whole[at + 1 :]
        )
        if piece[0] not in optional or last_signature:
            assert not survives(runs.MAGIC + b"".join(less)), at
        if piece[0] in {runs.HEADER, runs.ENTRIES, runs.END}:
            assert not survives(runs.MAGIC + b"".join([*whole[: at + 1], *whole[at:]])), at
    moved = [whole[0], *whole[2:-1], whole[1], whole[-1]]
    assert not survives(runs.MAGIC + b"".join(moved))


def test_cut_off_and_followed_by_more(case: Case) -> None:
    """A file that lost its end must not pass for a shorter run."""
    data = export(case.author, Side.OWN)
    ends = [len(runs.MAGIC)]
    for piece in pieces(data):
        ends.append(ends[-1] + len(piece))
    for end in {*ends[:-1], len(data) - 1, ends[1] + 2}:
        assert not survives(data[:end])
    assert not survives(data + b"\0")


@given(st.binary(max_size=300))
def test_junk_is_refused_in_plain_words(junk: bytes) -> None:
    """A length that lies must not make room for what never comes."""
    for data in (junk, runs.MAGIC + junk, runs.MAGIC + b"\x01\xff\xff\xff" + junk):
        with pytest.raises(EvidenceError):
            check(data)
