"""Messages in parts: what is proven of one with other entries between its parts, and of half a one."""

from __future__ import annotations

import io
from hashlib import sha512
from typing import TYPE_CHECKING, Final

import pytest

from hotline.cli.log_entries import Entries
from hotline.errors import EvidenceError
from hotline.evidence import file, page, runs
from hotline.evidence.excerpt import Excerpt, ReceiptOver
from hotline.evidence.proof import Evidence, prove
from hotline.evidence.signers import Signers
from hotline.line import accepting, applying
from hotline.line.pairing import Pairing
from hotline.model import Acknowledged, Decision, Position, Precedence, Side
from hotline.store.sqlite import SqliteStore
from hotline.wire import entries, heads
from hotline.wire.frames import Entries as EntriesFrame
from support import evidence_by_the_page
from support.evidence_case import Case
from support.line_world import identity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CHUNK: Final = 8000
TAIL: Final = "." * 9000
WORDS: Final = (
    "HOLD your fire until told otherwise",
    "OPEN fire at everything you can see",
)
NORTH_KEYS, NORTH = identity("north")
SOUTH_KEYS, SOUTH = identity("south")
WRITER: Final = Pairing(NORTH_KEYS, NORTH, SOUTH)
READER: Final = Pairing(SOUTH_KEYS, SOUTH, NORTH)


def message(body: str, identifier: str = "air-7") -> bytes:
    return entries.encode(
        entries.Message(identifier, Precedence.ROUTINE, 1, None, "op", "s", body + TAIL)
    )


def part(whole: bytes, at: int, total: int | None = None, identifier: str = "air-7") -> bytes:
    """Give the part at an offset, which may lie about the size of the whole."""
    chunk = whole[at : at + CHUNK]
    return entries.encode(
        entries.Part(identifier, Precedence.ROUTINE, at, total or len(whole), chunk)
    )


def read_by_south(folder: Path, log: Sequence[bytes]) -> list[str]:
    """Let an honest reader take a log in and answer what it shows; gives the words it showed."""
    signature = WRITER.sign_head(Position(len(log), heads.chain(WRITER.own_zero, log)[-1]))
    store = SqliteStore.open(folder / "south.store", station_id=SOUTH.id)
    line = store.add_line("north", NORTH.id)
    run = EntriesFrame(1, tuple(log), signature)
    answer = Acknowledged("petrov", Decision.WILCO, "", 7)
    store.transact([lambda tx: applying.apply(tx, line, READER, [run], 5)])
    views = store.read(lambda reader: reader.page(Side.PEER))
    for view in views:
        store.transact(
            [lambda tx, view=view: accepting.acknowledge(tx, line, view.id, answer)]  # type: ignore[misc]
        )
    store.close()
    return [view.body[: -len(TAIL)] for view in views]


def evidence_of(log: Sequence[bytes], numbers: tuple[int, ...], *, answered: bool) -> bytes:
    """Make what the writer can: entries of its choice, beside what the reader truly signed."""
    chain, end = heads.chain(WRITER.own_zero, log), len(log)
    answer = None
    if answered:
        ack = entries.encode(
            entries.Acknowledgement("ack", "air-7", end, Decision.WILCO, 7, "petrov", "")
        )
        [head] = heads.chain(READER.own_zero, [ack])
        signature = READER.sign_head(Position(1, head))
        hashed = sha512(ack).digest()
        answer = Excerpt(1, READER.own_zero, hashed, (1,), (ack,), 1, signature, None)
    first = numbers[0]
    shown = Excerpt(
        first,
        [WRITER.own_zero, *chain][first - 1],
        b"".join(sha512(one).digest() for one in log[first - 1 :]),
        numbers,
        tuple(log[number - 1] for number in numbers),
        end,
        WRITER.sign_head(Position(end, chain[-1])),
        ReceiptOver(end, 6, READER.sign_receipt(Position(end, chain[-1]), 6)),
    )
    signers = Signers(NORTH), Signers(SOUTH)
    return Evidence(*signers, (), (), shown, answer, None, None).encode()


def test_a_message_that_began_anew_unseen_is_not_told_as_read(tmp_path: Path) -> None:
    """South answered one text; what is shown begins with another, of which it kept nothing."""
    shown, hidden = map(message, WORDS)
    assert len(shown) == len(hidden)
    log = [part(hidden, 0), part(shown, 0), part(shown, CHUNK)]
    assert read_by_south(tmp_path, log) == [WORDS[0]]
    data = evidence_of(log, (1, 3), answered=True)
    proven = prove(data)
    assert proven.message.body == WORDS[1] + TAIL
    assert proven.interrupted
    assert evidence_by_the_page.read_evidence(data)[0]["interrupted"]
    told = " ".join(page.page(proven).split())
    assert file.read(file.write(data)) == proven
    for claim in ("signed this message", "covers this message", "acknowledged it", "the message;"):
        assert claim not in told
    assert "signed each part of this message, in entries 1 to 3 of its log for south" in told
    assert "covers these parts" in told
    assert 'signed that "petrov" acknowledged what entry 3 ends:' in told
    limits = told.partition("WHAT THIS DOES NOT PROVE")[2]
    assert "That no entry between its parts began the message anew" in limits
    assert "The run of the log from entry 1 to 3 shows it" in limits
    assert "--first 1 --last 3" in limits


def test_the_run_shows_what_was_read(tmp_path: Path) -> None:
    """It is named as what proves the words: so it must join the parts as their reader did."""
    shown, hidden = map(message, WORDS)
    log = [part(hidden, 0), part(shown, 0), part(shown, CHUNK)]
    end = Position(3, heads.chain(WRITER.own_zero, log)[-1])
    data = runs.MAGIC + b"".join(
        (
            runs.piece(
                runs.HEADER,
                *(runs.TAG, NORTH.encoded, SOUTH.encoded, (), (), 1, WRITER.own_zero),
            ),
            runs.piece(runs.ENTRIES, tuple(log)),
            runs.piece(runs.SIGNATURE, WRITER.sign_head(end)),
            runs.piece(runs.RECEIPT, 6, READER.sign_receipt(end, 6)),
            runs.piece(runs.END, 3),
        )
    )
    told, found = Entries(), []
    runs.check(io.BytesIO(data), lambda *one: found.append(told.fields(*one)["message"]))
    assert [one and one["body"] for one in found] == [None, None, WORDS[0] + TAIL]
    assert read_by_south(tmp_path, log) == [WORDS[0]]


def test_parts_that_disagree_about_the_whole_are_no_message_in_a_run() -> None:
    """Their reader halts at the second one, and shows nothing."""
    whole = message("as it is")
    told = Entries()
    assert told.fields(1, part(whole, 0, len(whole) + 1))["message"] is None
    assert told.fields(2, part(whole, CHUNK))["message"] is None


def test_half_a_message_is_none(tmp_path: Path) -> None:
    """What its reader still waits for the rest of was never shown to anybody there."""
    short = entries.encode(
        entries.Message("air-7", Precedence.ROUTINE, 1, None, "op", "s", "x" * 2000)
    )
    for log in ([part(short, 0, 20000)], [part(message("long"), 0)]):
        (folder := tmp_path / str(len(log[0]))).mkdir()
        assert read_by_south(folder, log) == []
        data = evidence_of(log, (1,), answered=False)
        with pytest.raises(EvidenceError, match="not all parts of the message are shown"):
            prove(data)
        with pytest.raises(AssertionError):
            evidence_by_the_page.read_evidence(data)


def test_nothing_is_taken_back_of_parts_that_follow_one_another(tmp_path: Path) -> None:
    """A warning where nothing can be hidden would be read over where something is."""
    whole = message(WORDS[0])
    log = [part(whole, 0), part(whole, CHUNK)]
    assert read_by_south(tmp_path, log) == [WORDS[0]]
    data = evidence_of(log, (1, 2), answered=True)
    proven = prove(data)
    assert not proven.interrupted
    assert not evidence_by_the_page.read_evidence(data)[0]["interrupted"]
    told = " ".join(page.page(proven).split())
    assert "anew" not in told
    assert "signed this message, as" in told
    assert 'signed that "petrov" acknowledged it:' in told


def test_an_honest_flash_between_the_parts_accuses_nobody(case: Case) -> None:
    """It happens every day; both stations' files say what the whole can be seen by, and no more."""
    for holder, side in case.holders:
        data = holder.evidence(side, "long").encode()
        proven = prove(data)
        assert proven.interrupted
        assert evidence_by_the_page.read_evidence(data)[0]["interrupted"]
        told = page.page(proven)
        assert "That no entry between its parts began the message anew" in told
        assert "covers the parts of the message" in told
        assert not prove(holder.evidence(side, "air-7").encode()).interrupted
