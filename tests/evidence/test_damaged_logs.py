"""Evidence out of a store that is damaged: nothing is written that would be found out elsewhere."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import apsw
import pytest

from hotline.errors import EvidenceError
from hotline.evidence import export, exporting_runs
from hotline.evidence.proof import prove
from hotline.model import Side
from hotline.store.archive import SqliteArchive
from hotline.store.keys import log_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.evidence_case import Case


@pytest.fixture
def damaged(case: Case, tmp_path: Path) -> Iterator[tuple[SqliteArchive, int]]:
    """Give a copy of the reader's store, and the number of an entry that rotted in it."""
    path, holder = tmp_path / "copy.db", case.reader
    database = apsw.Connection(str(holder.station.path))
    database.execute("VACUUM INTO ?", (str(path),))
    database.close()
    number = holder.evidence(Side.PEER, "air-7").message.first
    database = apsw.Connection(str(path))
    database.execute(
        "UPDATE entry SET data = CAST(data || x'00' AS BLOB) WHERE key = ?",
        (log_key(1, Side.PEER, number),),
    )
    assert database.changes() == 1
    database.close()
    archive = SqliteArchive.open(path, station_id=holder.own.founding.id)
    yield archive, number
    archive.close()


def test_a_run_stops_at_what_is_damaged(case: Case, damaged: tuple[SqliteArchive, int]) -> None:
    """A file that is not as it was signed would be found out by whoever was to believe it."""
    (archive, number), holder = damaged, case.reader
    for first, last in ((1, number), (number, number)):
        wanted = exporting_runs.Wanted(
            holder.record, Side.PEER, holder.own, holder.peer, first, last
        )
        with pytest.raises(EvidenceError, match=f"entry {number} is damaged") as caught:
            list(exporting_runs.export(archive, wanted, io.BytesIO().write))
        assert caught.value.hint == "hotline log verify"


def test_a_message_that_is_damaged_is_told_as_that(
    case: Case, damaged: tuple[SqliteArchive, int]
) -> None:
    """That its own store has rotted is another thing to an operator than a forged signature."""
    (archive, number), holder = damaged, case.reader

    def look(identifier: str) -> None:
        archive.read(
            lambda reader: export.export(
                reader, holder.record, holder.own, holder.peer, Side.PEER, identifier
            )
        )

    with pytest.raises(EvidenceError, match=f"entry {number} is damaged") as caught:
        look("air-7")
    assert caught.value.hint == "hotline log verify"
    look("plain")  # it stands behind it


def test_a_checkpoint_too_far_away_is_left_out(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain as far as there would be no evidence at all; without it there is what is near."""
    identifier = f"before-{case.author.station.name}"
    near = case.author.evidence(Side.OWN, identifier)
    assert near.writer_checkpoint is not None
    assert near.message.receipt is not None
    reach = max(near.message.signed, near.message.receipt.number) - near.message.first + 1
    assert reach < len(near.message.hashes) // 64
    monkeypatch.setattr(export, "CHAIN_ENTRIES", reach)
    made = case.author.evidence(Side.OWN, identifier)
    assert (made.writer_checkpoint, made.reader_checkpoint) == (None, None)
    assert prove(made.encode()).receipt is not None
