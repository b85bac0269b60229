"""Evidence by a station that lies: each signature in it is genuine, and what it is shown for is not."""

from __future__ import annotations

import io
from dataclasses import replace
from hashlib import sha512
from typing import TYPE_CHECKING, Any, Final

import pytest

from hotline.errors import EvidenceError
from hotline.evidence import runs
from hotline.evidence.excerpt import Excerpt, ReceiptOver
from hotline.evidence.proof import Evidence, prove
from hotline.evidence.signers import Signers
from hotline.model import Decision, Position, Precedence
from hotline.wire import entries, heads
from support import evidence_by_the_page
from support.line_sessions import pairing
from support.line_world import successor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hotline.line.pairing import Pairing
    from hotline.model import Checkpoint

WRITER: Final = pairing("north", "south")
READER: Final = pairing("south", "north")
SIGNERS: Final = Signers(WRITER.own), Signers(READER.own)

OTHER: Final = b"\7" * 64
"""The head of a history that nobody shows."""

CHUNK: Final = 8000


def message(body: str = "hold", precedence: Precedence = Precedence.ROUTINE) -> bytes:
    return entries.encode(entries.Message("air-7", precedence, 1, None, "op", "s", body))


def parts(whole: bytes, identifier: str = "air-7") -> list[bytes]:
    return [
        entries.encode(
            entries.Part(identifier, Precedence.ROUTINE, at, len(whole), whole[at : at + CHUNK])
        )
        for at in range(0, len(whole), CHUNK)
    ]


def answer_to(number: int) -> bytes:
    return entries.encode(
        entries.Acknowledgement("ack", "air-7", number, Decision.WILCO, 7, "petrov", "")
    )


def places(own: Pairing, log: Sequence[bytes], before: bytes | None = None) -> list[Position]:
    """Give every head of a log, the one before its first entry too."""
    zero = before or own.own_zero
    return [Position(n, head) for n, head in enumerate([zero, *heads.chain(zero, log)])]


def excerpt(
    own: Pairing,
    log: Sequence[bytes],
    *,
    signed: int | None = None,
    receipted: int | None = None,
    before: bytes | None = None,
) -> Excerpt:
    """Show a whole log of own's, as own signs it, and the other station its receipt."""
    heads_of, last = places(own, log, before), len(log)
    receipt = None
    if receipted is not None:
        other = READER if own is WRITER else WRITER
        receipt = ReceiptOver(receipted, 6, other.sign_receipt(heads_of[receipted], 6))
    return Excerpt(
        1,
        heads_of[0].head,
        b"".join(sha512(one).digest() for one in log),
        tuple(range(1, last + 1)),
        tuple(log),
        signed or last,
        own.sign_head(heads_of[signed or last]),
        receipt,
    )


def evidence(shown: Excerpt, answer: Excerpt | None = None, *by: Checkpoint | None) -> Evidence:
    """Put together what is shown; by are the writer's checkpoint and the reader's."""
    return Evidence(*SIGNERS, (), (), shown, answer, *(by or (None, None)))


def refused(false: Evidence, fault: str) -> None:
    """Both readers refuse it: ours, and the one that was written from the page."""
    data = false.encode()
    with pytest.raises(EvidenceError, match=fault):
        prove(data)
    with pytest.raises(AssertionError):
        evidence_by_the_page.read_evidence(data)


LOG: Final = [message()]
LONG: Final = parts(message("x" * 9000))
BACK: Final = [answer_to(1)]


def test_what_is_honest_is_proven() -> None:
    """What follows is told from this by one lie each: this must not be refused with them."""
    [_, end], [_, back] = places(WRITER, LOG), places(READER, BACK)
    proven = prove(
        evidence(
            excerpt(WRITER, LOG, receipted=1),
            excerpt(READER, BACK),
            WRITER.sign_checkpoint(end, back, 9),
            READER.sign_checkpoint(back, end, 9),
        ).encode()
    )
    assert proven.reader_checkpoint is not None
    assert (proven.reader_checkpoint.message, proven.reader_checkpoint.answer) == (True, True)
    assert prove(evidence(excerpt(WRITER, LONG, receipted=2)).encode()).numbers == (1, 2)


@pytest.mark.parametrize(("signed", "receipted"), [(1, 2), (2, 1)])
def test_a_signature_over_a_part_is_none_over_the_whole(signed: int, receipted: int) -> None:
    """Who receives could else add what was never signed, and who sends what was never received."""
    shown = excerpt(WRITER, LONG, signed=signed, receipted=receipted)
    refused(evidence(shown), "over entry 1 does not cover what is shown")


def test_a_log_begins_with_these_two_cards() -> None:
    """A log without a beginning may be cut off from anything: from another line, or from the truth."""
    refused(evidence(excerpt(WRITER, LOG, before=OTHER)), "begins with the head of another line")


@pytest.mark.parametrize("place", [Position(1, OTHER), Position(0, OTHER)])
def test_a_checkpoint_of_another_history_is_no_seal(place: Position) -> None:
    """It covers the answer; of the message its signer says something else than is shown."""
    [_, back] = places(READER, BACK)
    false = evidence(
        excerpt(WRITER, LOG), excerpt(READER, BACK), None, READER.sign_checkpoint(back, place, 9)
    )
    refused(false, f"a checkpoint has another head at entry {place.number}")


def test_a_checkpoint_over_a_part_is_no_seal() -> None:
    """It was made before the rest was there."""
    zero, first, _ = places(WRITER, LONG)
    back = places(READER, [answer_to(2)])
    shown, answer = excerpt(WRITER, LONG), excerpt(READER, [answer_to(2)])
    for signer, place in ((READER, first), (READER, zero)):
        proven = prove(
            evidence(shown, answer, None, signer.sign_checkpoint(back[1], place, 9)).encode()
        )
        assert proven.reader_checkpoint is not None
        assert (proven.reader_checkpoint.message, proven.reader_checkpoint.answer) == (False, True)


def test_a_checkpoint_that_covers_nothing_is_refused() -> None:
    """The page would say of it that it covers something."""
    zero, _ = places(WRITER, LOG)
    back = places(READER, [])
    for signer, by in ((READER, 1), (WRITER, 0)):
        both = (back[0], zero) if signer is READER else (zero, back[0])
        seals: list[Any] = [None, None]
        seals[by] = signer.sign_checkpoint(*both, 9)
        refused(evidence(excerpt(WRITER, LOG), None, *seals), "covers nothing of what is shown")


def test_an_answer_to_an_earlier_message_of_this_id() -> None:
    """A station that lost its store may use an id again: the answer is to what stood there then."""
    refused(
        evidence(excerpt(WRITER, LOG), excerpt(READER, [answer_to(2)])), "is of another message"
    )


def test_parts_that_say_another_urgency_than_what_they_carry() -> None:
    """Their reader halts at them: it never was a message to anybody."""
    false = parts(message("x" * 9000, Precedence.FLASH))
    refused(evidence(excerpt(WRITER, false)), "another message than they say")


def test_a_station_proves_nothing_to_itself() -> None:
    """With one card on both sides one station signs all there is, and a reader that says yes."""
    zero = heads.head_zero(WRITER.own.id, WRITER.own.id)
    [head] = heads.chain(zero, LOG)
    sign = WRITER.keys.sign_ed25519
    shown = replace(
        excerpt(WRITER, LOG, before=zero),
        signature=sign(heads.head_message(zero, 1, head)),
        receipt=ReceiptOver(1, 6, sign(heads.receipt_message(zero, 1, head, 6))),
    )
    refused(replace(evidence(shown), reader=SIGNERS[0]), "both cards are the same station's")


# --- changes of keys ------------------------------------------------------------------------------

SUCCESSION, NEW_KEYS = successor("north", WRITER.own, WRITER.keys, 1)
OWN_ID: Final = entries.key_change_id(SUCCESSION.card.id)


def change(identifier: str = OWN_ID) -> list[bytes]:
    """Give the entries of north's log that change its keys, under an id."""
    return parts(entries.encode(entries.KeyChange(identifier, SUCCESSION.encoded)), identifier)


def signed_by_new_keys(own: Pairing, log: Sequence[bytes]) -> bytes:
    *_, end = places(own, log)
    return NEW_KEYS.sign_ed25519(heads.head_message(own.own_zero, end.number, end.head))


def test_a_change_under_the_id_of_another_card() -> None:
    """Its reader halts at it: keys that were never in force would sign what follows."""
    for identifier, fault in ((OWN_ID, None), (entries.key_change_id(READER.own.id), "another")):
        log = [*change(identifier), message()]
        *_, before, _ = places(WRITER, log)
        shown = replace(
            excerpt(WRITER, log),
            first=len(log),
            before=before.head,
            hashes=sha512(log[-1]).digest(),
            numbers=(len(log),),
            entries=(log[-1],),
            signature=signed_by_new_keys(WRITER, log),
        )
        made = replace(evidence(shown), writer_changes=(excerpt(WRITER, log[:-1]),))
        if fault is None:
            assert prove(made.encode()).writer_changes[0].number == len(log) - 1
        else:
            refused(made, "is to another card")


def run(*pieces: tuple[Any, ...], before: bytes = WRITER.own_zero, successions: Any = ()) -> bytes:
    header = (runs.TAG, WRITER.own.encoded, READER.own.encoded, successions, (), 1, before)
    return runs.MAGIC + b"".join(runs.piece(*one) for one in ((runs.HEADER, *header), *pieces))


def test_a_run_does_not_change_to_keys_that_are_in_force() -> None:
    """A second change to them would be shown at a place where nothing changed."""
    log = [*change(), *change()]
    once = change()
    *_, end = places(WRITER, once)
    data = run(
        (runs.ENTRIES, tuple(once)),
        (runs.SIGNATURE, WRITER.sign_head(end)),
        (runs.ENTRIES, tuple(once)),
        (runs.SIGNATURE, signed_by_new_keys(WRITER, log)),
        (runs.END, len(log)),
        successions=(SUCCESSION.encoded,),
    )
    with pytest.raises(EvidenceError, match="to others than follow"):
        runs.check(io.BytesIO(data))


@pytest.mark.parametrize("before", [WRITER.own_zero, OTHER], ids=["honest", "another"])
def test_a_run_begins_with_these_two_cards(before: bytes) -> None:
    """A run from the first entry on would be shown that was never said on this line."""
    *_, end = places(WRITER, LOG, before)
    data = run(
        (runs.ENTRIES, tuple(LOG)),
        (runs.SIGNATURE, WRITER.sign_head(end)),
        (runs.END, 1),
        before=before,
    )
    if before == WRITER.own_zero:
        assert runs.check(io.BytesIO(data)).last == 1
        return
    with pytest.raises(EvidenceError, match="begins with the head of another line"):
        runs.check(io.BytesIO(data))
