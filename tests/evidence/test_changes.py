"""Evidence across changes of keys: where they stand in the logs, and that nobody can move them."""

from __future__ import annotations

import io
from dataclasses import replace
from hashlib import sha512
from typing import TYPE_CHECKING

import pytest

from hotline.cli import exits
from hotline.cli.main import main
from hotline.errors import EvidenceError
from hotline.evidence import exporting_runs, file, page, runs
from hotline.evidence.excerpt import Excerpt, ReceiptOver
from hotline.evidence.proof import Evidence, prove
from hotline.evidence.signers import Signers
from hotline.model import Checkpoint, Position, Side
from hotline.wire import heads
from support import evidence_by_the_page
from support.evidence_case import Case
from support.flips import Walk, remembered, unseen
from support.line_world import identity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.evidence_case import Holder


@pytest.fixture(scope="module")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """Give a line on which both stations have changed their keys."""
    made = Case(tmp_path_factory.mktemp("rotated"), rotated=True)
    yield made
    made.close()


def run_of(holder: Holder, side: Side, first: int = 1, last: int | None = None) -> bytes:
    """Write a run of one of a station's two logs."""
    record, written = holder.record, io.BytesIO()
    end = (record.own if side is Side.OWN else record.peer).number
    wanted = exporting_runs.Wanted(
        record, side, holder.own, holder.peer, first, end if last is None else last
    )
    for _ in exporting_runs.export(holder.station.store, wanted, written.write):
        pass
    return written.getvalue()


def change_of(signers: Signers) -> tuple[int, bytes]:
    """Give where a station's only change stands in its log, and the id of the new card."""
    [number] = signers.numbers
    return number, signers.cards[1].id


def test_the_page_names_the_place_and_the_new_keys(rotated: Case) -> None:
    """Which key had to sign what can be told only by who knows from where on it was in force."""
    for holder, side in rotated.holders:
        for identifier in ("long", "air-7", "plain"):
            proven = file.read(file.write(holder.evidence(side, identifier).encode()))
            shown = page.page(proven)
            for signers, found in (
                (rotated.author.own, proven.writer_changes),
                (rotated.reader.own, proven.reader_changes),
            ):
                [change] = found
                number, new_id = change_of(signers)
                assert (change.number, change.card.id) == (number, new_id)
                assert f"changed its keys in entry {number} of its log" in shown
                assert new_id.hex()[:32] in shown
                assert new_id.hex()[32:] in shown
    assert rotated.author.own.numbers != rotated.reader.own.numbers


@pytest.mark.parametrize("holder", [0, 1])
def test_any_flipped_bit_is_found(rotated: Case, holder: int, walk: Walk) -> None:
    """A byte of a succession that nobody checks is a key that nobody chose."""
    who, side = rotated.holders[holder]
    data = who.evidence(side, "air-7").encode()
    with remembered():
        where = walk.through(0, len(data), 499)
        assert unseen(prove, data, where, EvidenceError) == []


def evidence(rotated: Case) -> Evidence:
    return rotated.author.evidence(Side.OWN, "air-7")


def test_a_change_cannot_be_left_out_doubled_or_exchanged(rotated: Case) -> None:
    """Without it the signatures are those of keys that the file does not know."""
    whole = evidence(rotated)
    for false in (
        replace(whole, writer_changes=()),
        replace(whole, writer_changes=whole.writer_changes * 2),
        replace(whole, writer_changes=whole.reader_changes),
        replace(whole, writer_changes=whole.reader_changes, reader_changes=whole.writer_changes),
    ):
        with pytest.raises(EvidenceError):
            prove(false.encode())


def test_a_change_cannot_be_moved_to_another_number(rotated: Case) -> None:
    """Later in the log it would give an old key, that somebody stole, more to sign."""
    whole = evidence(rotated)
    [change] = whole.writer_changes
    for first in (change.first + 1, change.first - 1, 1):
        numbers = tuple(number - change.first + first for number in change.numbers)
        moved = replace(
            change, first=first, numbers=numbers, signed=change.signed - change.first + first
        )
        with pytest.raises(EvidenceError):
            prove(replace(whole, writer_changes=(moved,)).encode())


def test_something_else_is_no_change(rotated: Case) -> None:
    """A message in the place of a change must be told from one in plain words."""
    whole = evidence(rotated)
    [change] = whole.writer_changes
    other = rotated.author.evidence(Side.OWN, "long").message
    short = replace(change, numbers=change.numbers[:-1], entries=change.entries[:-1])
    for false in (whole.message, other, short):
        with pytest.raises(
            EvidenceError, match=r"damaged|not one message|not all parts|no change of keys"
        ):
            prove(replace(whole, writer_changes=(false,)).encode())


def test_an_old_key_proves_no_message_after_its_time(rotated: Case) -> None:
    """Whoever stole it could add to the record: this was held against the whole log only."""
    whole = evidence(rotated)
    message, old = whole.message, rotated.author.station.keys
    assert message.first > rotated.author.own.numbers[0]
    head = message.before
    for at in range(0, (message.signed - message.first + 1) * 64, 64):
        head = sha512(head + message.hashes[at : at + 64]).digest()
    zero = heads.head_zero(whole.writer.founding.id, whole.reader.founding.id)
    forged = replace(
        message, signature=old.sign_ed25519(heads.head_message(zero, message.signed, head))
    )
    with pytest.raises(EvidenceError, match="does not verify"):
        prove(replace(whole, message=forged).encode())


def test_a_run_names_the_changes_in_it_and_those_outside(rotated: Case) -> None:
    """A run shows the log: what changed in it is seen there, and the rest must not be hidden."""
    number, new_id = change_of(rotated.author.own)
    other_id = change_of(rotated.reader.own)[1]
    found = runs.check(io.BytesIO(run_of(rotated.author, Side.OWN)))
    assert [(one.number, one.card.id) for one in found.changes] == [(number, new_id)]
    assert [card.id for card in found.elsewhere] == [other_id]
    # From the midst of the change on, its last part is enough.
    found = runs.check(io.BytesIO(run_of(rotated.author, Side.OWN, number)))
    assert [one.number for one in found.changes] == [number]
    found = runs.check(io.BytesIO(run_of(rotated.author, Side.OWN, number + 1)))
    assert found.changes == []
    assert {card.id for card in found.elsewhere} == {new_id, other_id}


def test_an_old_key_signs_nothing_behind_the_change_in_a_run(rotated: Case) -> None:
    """The run shows the change itself: what comes after it under the old key is a forgery."""
    number, _ = change_of(rotated.author.own)
    data = run_of(rotated.author, Side.OWN)
    store, old = rotated.author.station.store, rotated.author.station.keys
    signed, signature = store.read(
        lambda r: r.history().signatures(1, Side.OWN, number + 1, 2**40 - 1, 1)
    )[0]
    head = store.read(lambda r: r.history().head(1, Side.OWN, signed))
    assert head is not None
    ids = rotated.author.own.founding.id, rotated.author.peer.founding.id
    forged = old.sign_ed25519(heads.head_message(heads.head_zero(*ids), signed, head))
    assert data.count(signature) == 1
    with pytest.raises(EvidenceError, match="does not verify"):
        runs.check(io.BytesIO(data.replace(signature, forged)))


def test_a_run_does_not_change_to_keys_that_do_not_follow(rotated: Case) -> None:
    """A header that hides a succession would leave the old key in force for ever."""
    data = run_of(rotated.author, Side.OWN)
    successions = rotated.author.own.successions
    size = 4 + int.from_bytes(data[17:20], "big")
    header = list(runs.SHAPES[runs.HEADER].unpack(data[20 : 16 + size]))
    assert header[3] == successions
    for false in ((), successions * 2):
        header[3] = false
        changed = data[:16] + runs.piece(runs.HEADER, *header) + data[16 + size :]
        with pytest.raises(EvidenceError, match=r"changes? the keys|the keys of .* change"):
            runs.check(io.BytesIO(changed))


def test_numbers_of_changes_rise() -> None:
    """Two changes at one place, or backwards, are no log of anybody."""
    for numbers in ([3, 3], [4, 3]):
        with pytest.raises(EvidenceError, match="at one place"):
            Signers(identity("north")[1], (), numbers)


def test_a_change_of_keys_has_no_receipt_beside_it(rotated: Case) -> None:
    """It would be one that nobody needs, and that no rule holds to a place."""
    whole = evidence(rotated)
    assert all(one.receipt is None for one in (*whole.writer_changes, *whole.reader_changes))
    [change] = whole.writer_changes
    place = Position(change.signed, _head(change))
    keys = rotated.reader.station.keys
    zero = heads.head_zero(whole.writer.founding.id, whole.reader.founding.id)
    signature = keys.sign_ed25519(heads.receipt_message(zero, place.number, place.head, 9))
    false = replace(
        whole, writer_changes=(replace(change, receipt=ReceiptOver(change.signed, 9, signature)),)
    ).encode()
    with pytest.raises(EvidenceError, match="has a receipt beside it"):
        prove(false)
    with pytest.raises(AssertionError):
        evidence_by_the_page.read_evidence(false)


def _head(excerpt: Excerpt) -> bytes:
    """Give the head at the number that an excerpt's writer signed."""
    head = excerpt.before
    for at in range(0, (excerpt.signed - excerpt.first + 1) * 64, 64):
        head = sha512(head + excerpt.hashes[at : at + 64]).digest()
    return head


def test_a_receipt_by_keys_that_were_changed_is_told_as_one(rotated: Case) -> None:
    """It does not tell where it stands among the changes: who stole the keys can still sign one."""
    whole = evidence(rotated)
    proven = prove(whole.encode())
    number, new_id = change_of(rotated.reader.own)
    told = f"by its keys before entry {number} of its log for {proven.writer.name}."
    assert proven.receipt_by == proven.reader
    assert told in page.page(proven)
    assert "was signed before the change" in page.page(proven)
    newest = prove(rotated.author.evidence(Side.OWN, "plain").encode())
    assert newest.receipt_by is not None
    assert newest.receipt_by.id == new_id
    assert "It signed so by" not in page.page(newest)
    assert "was signed before the change" not in page.page(newest)


def test_a_stolen_old_key_receipts_what_was_written_later_and_it_shows(rotated: Case) -> None:
    """South's old key signs for a message that came after the change: it verifies, and is named."""
    whole = rotated.author.evidence(Side.OWN, "plain")
    zero = heads.head_zero(whole.writer.founding.id, whole.reader.founding.id)
    text = heads.receipt_message(zero, whole.message.signed, _head(whole.message), 9)
    forged = ReceiptOver(whole.message.signed, 9, rotated.reader.station.keys.sign_ed25519(text))
    proven = prove(replace(whole, message=replace(whole.message, receipt=forged)).encode())
    assert proven.receipt_by == proven.reader
    assert "It signed so by its keys before entry" in page.page(proven)


def test_the_receipt_of_a_run_names_keys_that_were_changed(rotated: Case) -> None:
    """The file lists the reader's later card, and the newest receipt may be by the first."""
    number = rotated.author.evidence(Side.OWN, "air-7").message.numbers[-1]
    early = runs.check(io.BytesIO(run_of(rotated.author, Side.OWN, 1, number)))
    assert early.receipt is not None
    assert (early.receipt_by, early.receipt_by_old_keys) == (early.reader, True)
    late = runs.check(io.BytesIO(run_of(rotated.author, Side.OWN)))
    assert late.receipt_by is not None
    assert (late.receipt_by.id, late.receipt_by_old_keys) == (
        change_of(rotated.reader.own)[1],
        False,
    )


def test_a_stolen_old_key_seals_what_was_written_later_and_it_shows(rotated: Case) -> None:
    """A checkpoint that seems to stand before the change may name any head of the other log."""
    whole = rotated.author.evidence(Side.OWN, "plain")
    ids = whole.reader.founding.id, whole.writer.founding.id
    own = Position(1, b"\1" * 64)
    there = Position(whole.message.signed, _head(whole.message))
    text = heads.checkpoint_message(
        heads.head_zero(*ids), own, heads.head_zero(*reversed(ids)), there, 9
    )
    signature = rotated.reader.station.keys.sign_mldsa(text, heads.CHECKPOINT_CONTEXT)
    forged = Checkpoint(own, there, 9, signature)
    hashes = whole.message.hashes[: (there.number - whole.message.first + 1) * 64]
    message = replace(whole.message, hashes=hashes, receipt=None)
    proven = prove(
        replace(whole, message=message, writer_checkpoint=None, reader_checkpoint=forged).encode()
    )
    number, _ = change_of(rotated.reader.own)
    assert f"It signed so by its keys before entry {number} of its log" in page.page(proven)
    assert "was signed before the change" in page.page(proven)


@pytest.mark.parametrize("by", ["receipt", "answer receipt", "writer seal", "reader seal"])
def test_whatever_old_keys_have_signed_the_page_warns_of_it(rotated: Case, by: str) -> None:
    """Each of the four can be made by who stole them, whenever that is."""
    proven = prove(evidence(rotated).encode())
    newest = {
        station.founding.name: station.cards[-1]
        for station in (rotated.author.own, rotated.reader.own)
    }
    writer, reader = proven.writer, proven.reader
    assert newest[writer.name] != writer
    assert newest[reader.name] != reader
    seals = {
        name: replace(sealed, by=card if by == f"{who} seal" else newest[card.name])
        for who, name, card, sealed in (
            ("writer", "writer_checkpoint", writer, proven.writer_checkpoint),
            ("reader", "reader_checkpoint", reader, proven.reader_checkpoint),
        )
        if sealed is not None
    }
    assert len(seals) == 2
    shown = page.page(
        replace(
            proven,
            receipt_by=reader if by == "receipt" else newest[reader.name],
            answer_receipt=(proven.signed, 5),
            answer_receipt_by=writer if by == "answer receipt" else newest[writer.name],
            writer_checkpoint=seals["writer_checkpoint"],
            reader_checkpoint=seals["reader_checkpoint"],
        )
    )
    assert shown.count("It signed so by its keys before entry") == 1
    assert "was signed before the change" in shown


def test_a_run_with_a_receipt_by_old_keys_says_so(
    rotated: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who reads only what the program says must not take it for one by the newest keys."""
    number = rotated.author.evidence(Side.OWN, "air-7").message.numbers[-1]
    path = tmp_path / "a.run"
    told = []
    for last in (number, None):
        path.write_bytes(run_of(rotated.author, Side.OWN, 1, last))
        assert main(["evidence", "verify", str(path)]) == exits.DONE
        told.append(" ".join(capsys.readouterr().out.split()))
    words = f"The receipt is by keys that {rotated.reader.own.founding.name} has changed"
    assert [words in one for one in told] == [True, False]
