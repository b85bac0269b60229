"""The check of a whole line: whatever is changed in a store by hand is found, and named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import apsw
import pytest

from hotline.errors import EvidenceError
from hotline.evidence.audit import Audit, Auditor
from hotline.model import Position, Side
from hotline.store.archive import SqliteArchive
from hotline.store.keys import log_key
from hotline.store.statements import SAID
from support.line_sessions import pairing

if TYPE_CHECKING:
    from pathlib import Path

    from hotline.line.pairing import Pairing
    from support.evidence_case import Case, Holder

OWN, PEER = (log_key(1, side, 0) for side in Side)


@pytest.fixture(scope="module")
def pristine(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the author's store, whole and at rest."""
    path = tmp_path_factory.mktemp("audit") / "pristine.db"
    database = apsw.Connection(str(case.author.station.path))
    database.execute("VACUUM INTO ?", (str(path),))
    database.close()
    return path


@pytest.fixture
def copy(pristine: Path, tmp_path: Path) -> Path:
    """Give a copy to damage."""
    path = tmp_path / "copy.db"
    path.write_bytes(pristine.read_bytes())
    return path


def audit(path: Path, holder: Holder) -> Audit:
    """Check a store as ``log verify`` does."""
    archive = SqliteArchive.open(path, station_id=holder.own.founding.id)
    try:
        [record] = archive.read(lambda reader: reader.lines())
        return Auditor(archive, record, holder.own, holder.peer).run(lambda: None)
    finally:
        archive.close()


def change(path: Path, table: str, assignment: str, where: str) -> None:
    """Change exactly one row by hand; no assignment: delete it."""
    database = apsw.Connection(str(path))
    verb = f"UPDATE {table} SET {assignment}" if assignment else f"DELETE FROM {table}"  # noqa: S608
    database.execute(f"{verb} WHERE {where}")
    assert database.changes() == 1
    database.close()


def test_a_store_that_nobody_touched_is_whole(case: Case, copy: Path) -> None:
    """A check that cries at honest stores is one that nobody runs twice; and it must count all."""
    found = audit(copy, case.author)
    record = case.author.record
    assert (found.own_entries, found.peer_entries) == (record.own.number, record.peer.number)
    database = apsw.Connection(str(copy))
    for count, statement in (
        (found.own_signatures + found.peer_signatures, "SELECT count(*) FROM signature"),
        (found.receipts, "SELECT count(*) FROM receipt"),
        (found.own_checkpoints + found.peer_checkpoints, "SELECT count(*) FROM checkpoint"),
        (found.size_bytes, f"SELECT sum(length({SAID})) FROM entry"),  # noqa: S608
    ):
        assert count == database.execute(statement).get > 0
    database.close()


def test_batches_change_nothing(case: Case, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies at the edge of two batches would be looked at twice, or never."""
    whole = audit(copy, case.author)
    monkeypatch.setattr("hotline.evidence.audit._BATCH_ENTRIES", 3)
    monkeypatch.setattr("hotline.evidence.audit._CHECKPOINTS", 1)
    assert audit(copy, case.author) == whole


def flip(column: str) -> str:
    """Give SQL that changes a blob's last byte."""
    end = f"substr({column}, length({column}))"
    flipped = f"substr({column}, 1, length({column}) - 1) || iif({end} = x'41', x'42', x'41')"
    return f"{column} = CAST({flipped} AS BLOB)"


def first(table: str, key: str = "key", such: str = "true") -> str:
    return f"{key} = (SELECT min({key}) FROM {table} WHERE {such})"  # noqa: S608 - our own words


def last(table: str, such: str = "true") -> str:
    return f"key = (SELECT max(key) FROM {table} WHERE {such})"  # noqa: S608 - our own words


CONTENT_OF_3 = f"(SELECT entry.row FROM entry WHERE key = {OWN + 3})"  # noqa: S608

UNSIGNED = "key = (SELECT min(key) FROM entry WHERE key NOT IN (SELECT key FROM signature))"

DAMAGES: list[tuple[str, str, str, str]] = [
    ("content", flip("content"), f"row = {CONTENT_OF_3}", "entry 3 of our own log"),
    ("content", "", f"row = {CONTENT_OF_3}", "entry 3 of our own log"),
    ("entry", flip("data"), f"key = {PEER + 2}", "entry 2 of the peer's log"),
    ("entry", flip("head"), f"key = {OWN + 3}", "entry 3 of our own log"),
    ("entry", "", f"key = {OWN + 1}", "entry 1 of our own log is missing"),
    ("entry", "", f"key = {OWN + 4}", "entry 4 of our own log is missing"),
    ("entry", "", last("entry", f"key < {PEER}"), "of our own log is missing"),
    ("signature", flip("signature"), first("signature"), "signature of"),
    ("signature", flip("signature"), first("signature", such=f"key > {PEER}"), "signature of"),
    ("signature", "", last("signature"), "carry no signature"),
    ("signature", UNSIGNED, first("signature"), "sign"),
    ("receipt", flip("signature"), first("receipt"), "receipt"),
    ("receipt", flip("head"), last("receipt"), "receipt"),
    ("receipt", "time_ns = 5", first("receipt"), "receipt"),
    ("line", "receipt_time_ns = 5", "true", "receipt"),
    ("line", flip("own_head"), "true", "another head than the line"),
    ("line", flip("peer_head"), "true", "another head than the line"),
    ("line", "own_number = own_number + 1", "true", "is missing"),
    ("line", "peer_number = peer_number - 1", "true", "head"),
    ("line", flip("peer_id"), "true", "another card"),
    *(
        ("checkpoint", what, first("checkpoint", "checkpoint", f"signer = {signer}"), "checkpoint")
        for signer in (0, 1)
        for what in (
            flip("signature"),
            flip("own_head"),
            flip("peer_head"),
            "own_number = own_number + 1",
            "peer_number = 1000000",
            "time_ns = 5",
            "signer = 1 - signer",
        )
    ),
]


@pytest.mark.parametrize(("table", "assignment", "where", "named"), DAMAGES)
def test_what_is_changed_by_hand_is_found_and_named(
    case: Case, copy: Path, table: str, assignment: str, where: str, named: str
) -> None:
    """A record that can be touched up afterwards is no record."""
    change(copy, table, assignment, where)
    with pytest.raises(EvidenceError, match=named):
        audit(copy, case.author)


@pytest.fixture
def rechained(copy: Path) -> Path:
    """Give a store in which an entry was exchanged and every head after it made to fit."""
    from hotline.wire.heads import head_zero, next_head
    from support.line_world import identity

    database = apsw.Connection(str(copy))
    own = database.execute("SELECT id FROM station").get
    peer = database.execute("SELECT peer_id FROM line").get
    assert {own, peer} <= {identity(name)[1].id for name in ("north", "south")}
    head = head_zero(own, peer)
    rows = database.execute(
        f"SELECT key, {SAID} FROM entry WHERE key BETWEEN ? AND ? ORDER BY key",  # noqa: S608
        (OWN, PEER),
    ).fetchall()
    for key, data in rows:
        assert isinstance(data, bytes)
        said = data.replace(b"nobody", b"NOBODY")
        head = next_head(head, said)
        database.execute(
            "UPDATE entry SET row = NULL, data = ?, head = ? WHERE key = ?", (said, head, key)
        )
    database.execute("UPDATE line SET own_head = ?", (head,))
    database.close()
    return copy


def test_a_forger_who_makes_all_hashes_fit_is_found(case: Case, rechained: Path) -> None:
    """Anyone with the file can compute hashes; only the signatures stand in the way."""
    with pytest.raises(EvidenceError, match="signature of"):
        audit(rechained, case.author)


def test_a_line_of_another_card_is_not_checked_by_ours(case: Case, copy: Path) -> None:
    """All would be called forged, though only the wrong card was pinned."""
    own = case.author.own
    archive = SqliteArchive.open(copy, station_id=own.founding.id)
    [record] = archive.read(lambda reader: reader.lines())
    with pytest.raises(EvidenceError, match="another card"):
        Auditor(archive, record, own, own).run(lambda: None)
    archive.close()


OTHER: Final = b"\x07" * 64
"""The head of a history that neither station holds."""


def put(path: Path, statement: str, *values: object) -> None:
    """Change exactly one row by hand, to values that no file spells."""
    database = apsw.Connection(str(path))
    database.execute(statement, values)
    assert database.changes() == 1
    database.close()


def signing(case: Case, signer: Side) -> Pairing:
    """Give the keys of the author (OWN), or of its peer, as they sign on this line."""
    names = case.author.station.name, case.reader.station.name
    return pairing(*(names if signer is Side.OWN else names[::-1]))


@pytest.mark.parametrize("newest", [False, True])
def test_a_genuine_receipt_over_another_history_is_found(
    case: Case, copy: Path, newest: bool
) -> None:
    """A peer that was restored may have signed both: for the other one we have no entries."""
    receipt = case.author.record.receipt
    assert receipt is not None
    signature = signing(case, Side.PEER).sign_receipt(Position(receipt.number, OTHER), 5)
    statement = (
        "UPDATE line SET receipt_head = ?, receipt_time_ns = 5, receipt_signature = ?"
        if newest
        else f"UPDATE receipt SET head = ?, time_ns = 5, signature = ? WHERE key = {OWN}"  # noqa: S608
        f" + {receipt.number}"
    )
    put(copy, statement, OTHER, signature)
    with pytest.raises(EvidenceError, match="is for another head than our log has"):
        audit(copy, case.author)


@pytest.mark.parametrize("signer", Side)
@pytest.mark.parametrize(
    ("own", "peer", "fault"),
    [
        (Position(1, OTHER), None, "has another head at entry 1 of"),
        (None, Position(1, OTHER), "has another head at entry 1 of"),
        (Position(10**6, OTHER), None, "reaches to entry 1000000 of"),
        (None, Position(10**6, OTHER), "reaches to entry 1000000 of"),
    ],
    ids=["own log", "other log", "beyond own log", "beyond other log"],
)
def test_a_genuine_checkpoint_over_another_history_is_found(
    case: Case, copy: Path, signer: Side, own: Position | None, peer: Position | None, fault: str
) -> None:
    """Whoever signed it holds, or held, other logs than these; that has to come out, here or there."""
    record = case.author.record
    ends = (record.own, record.peer)[:: 1 if signer is Side.OWN else -1]
    made = signing(case, signer).sign_checkpoint(own or ends[0], peer or ends[1], 5)
    columns = "own_number = ?, own_head = ?, peer_number = ?, peer_head = ?, time_ns = 5"
    where = first("checkpoint", "checkpoint", f"signer = {signer.value}")
    put(
        copy,
        f"UPDATE checkpoint SET {columns}, signature = ? WHERE {where}",  # noqa: S608
        *(made.own.number, made.own.head, made.peer.number, made.peer.head, made.signature),
    )
    with pytest.raises(EvidenceError, match=fault):
        audit(copy, case.author)
