"""Evidence of one message: what it proves, and that nothing else can be made of it."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import msgpack  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.errors import DecodeError, EvidenceError
from hotline.evidence import file, page, proof
from hotline.evidence.excerpt import Excerpt, ReceiptOver
from hotline.evidence.proof import Evidence, Proven, prove
from hotline.evidence.signers import Signers
from hotline.identity import Card
from hotline.model import Decision, Precedence, Side
from hotline.text import block
from hotline.wire import entries
from hotline.wire.frames import NUMBER_MAX
from support.evidence_case import BODY, LONG, Case
from support.flips import Walk, remembered, unseen
from support.line_frames import HEADS, IDS, SIGNATURES, U64
from support.line_world import identity

NUMBERS = st.integers(1, NUMBER_MAX)


@pytest.fixture(scope="module")
def proofs(case: Case) -> list[Evidence]:
    """Give the evidence of the message that was answered, as each station has it."""
    return [holder.evidence(side, "air-7") for holder, side in case.holders]


# --- what it proves -------------------------------------------------------------------------------


def test_both_stations_prove_the_same_message(case: Case, proofs: list[Evidence]) -> None:
    """Each side must be able to prove alone what both agreed on, without the other's help."""
    for evidence in proofs:
        proven = prove(evidence.encode())
        assert (proven.writer, proven.reader) == (
            case.author.station.card,
            case.reader.station.card,
        )
        assert (proven.message.id, proven.message.body) == ("air-7", BODY)
        assert proven.message.precedence is Precedence.FLASH
        assert [one.entry.decision for one in proven.answers] == [Decision.READ, Decision.WILCO]
        for sealed in (proven.writer_checkpoint, proven.reader_checkpoint):
            assert sealed is not None
            assert (sealed.message, sealed.answer) == (True, True)


def test_a_receipt_is_in_the_hands_of_who_got_it(proofs: list[Evidence]) -> None:
    """A station keeps the receipts that it was given; its own word for itself would prove nothing."""
    by_author, by_reader = (prove(evidence.encode()) for evidence in proofs)
    assert by_author.receipt is not None
    assert by_author.answer_receipt is None
    assert by_reader.receipt is None
    assert by_reader.answer_receipt is not None
    for proven, own, others in ((by_author, 1, 0), (by_reader, 0, 1)):
        told = page.page(proven)
        writer, reader = proven.writer.name, proven.reader.name
        assert told.count(f"- {reader} signed that its disk had the log of {writer}") == own
        assert told.count(f"- {writer} signed that its disk had the log of {reader}") == others


@pytest.mark.parametrize("identifier", ["long", "plain"])
def test_long_and_unanswered_messages(case: Case, identifier: str) -> None:
    """A message in parts is proven part by part; silence is not made into an answer."""
    for holder, side in case.holders:
        proven = prove(holder.evidence(side, identifier).encode())
        assert proven.answers == ()
        assert proven.answer_signed is None
        assert proven.message.body == (LONG if identifier == "long" else "nobody answers")
        assert (proven.numbers[0] < proven.numbers[1]) == (identifier == "long")


def test_nothing_else_that_was_said_stands_in_it(case: Case) -> None:
    """Who shows one message to a third person must not show all the others with it."""
    for holder, side in case.holders:
        data = holder.evidence(side, "air-7").encode()
        assert b"long long" not in data
        assert b"nobody answers" not in data


def test_a_message_that_is_not_in_the_log_has_no_evidence(case: Case) -> None:
    """What is queued has not been signed: there is nothing to prove, and it must be said."""
    with pytest.raises(EvidenceError, match="not in the log"):
        case.author.evidence(Side.OWN, "never-sent")


# --- what cannot be made of it --------------------------------------------------------------------


def places(evidence: Evidence, walk: Walk) -> list[int]:
    """Give every place but for most of those within long keys and signatures, which are all alike."""
    data = evidence.encode()
    dull = []
    for card in (evidence.writer.founding, evidence.reader.founding):
        at = data.index(card.encoded)
        dull.append((at + 100, at + len(card.encoded) - 20))
    for checkpoint in (evidence.writer_checkpoint, evidence.reader_checkpoint):
        if checkpoint is not None:
            at = data.index(checkpoint.signature)
            dull.append((at + 10, at + len(checkpoint.signature) - 10))
    return walk.but(len(data), dull, 211)


@pytest.mark.parametrize("holder", [0, 1])
def test_any_flipped_bit_is_found(proofs: list[Evidence], holder: int, walk: Walk) -> None:
    """One bit that nobody signed is a place where a forger can write."""
    where = places(proofs[holder], walk)
    assert len(where) > 1000
    with remembered():
        assert unseen(prove, proofs[holder].encode(), where, EvidenceError) == []


def test_any_flipped_bit_in_a_file_is_found(proofs: list[Evidence], walk: Walk) -> None:
    """In the page above the block too: it is what people read."""
    text = file.write(proofs[0].encode())
    block = text.index(b"-----BEGIN HOTLINE", text.rindex(b"before, between"))
    where = walk.but(len(text), [(block + 100, len(text) - 100)], 211)
    with remembered():
        assert unseen(file.read, text, where, EvidenceError) == []


def test_a_bit_that_is_not_looked_at_would_be_named(proofs: list[Evidence]) -> None:
    """A search that finds nothing in anything would pass for ever: a gap in the check must show."""
    data = proofs[0].encode()
    at = data.index(proofs[0].message.signature)
    with remembered(), patch.object(Card, "verify_ed25519", lambda *_: None):
        assert unseen(prove, data, range(at, at + 64), EvidenceError) == list(range(at, at + 64))


def test_bytes_before_after_and_missing_are_found(proofs: list[Evidence]) -> None:
    """What is not signed must not travel under the name of what is."""
    data = proofs[0].encode()
    for false in (data + b"\0", b"\0" + data, data[:-1], data[1:], b"", data + data):
        with pytest.raises(EvidenceError):
            prove(false)
    text = file.write(data)
    for false in (text + text, text + b"P.S. he also said\n", b"He said:\n" + text, b"\n", b""):
        with pytest.raises(EvidenceError):
            file.read(false)


def test_a_file_survives_the_mail(proofs: list[Evidence]) -> None:
    """CRLF and blank lines around the block are done by honest hands, as is cutting the page off."""
    text = file.write(proofs[0].encode())
    proven = file.read(text)
    block = text[text.index(b"\n-----BEGIN") :]
    for same in (text.replace(b"\n", b"\r\n"), block, b"\n\n" + block + b"\n\n"):
        assert file.read(same) == proven


def test_a_page_of_another_message_is_refused(case: Case, proofs: list[Evidence]) -> None:
    """A true block under a false page: whoever reads only the page would believe it."""
    plain = file.write(case.author.evidence(Side.OWN, "plain").encode())
    answered = file.write(proofs[0].encode())
    with pytest.raises(EvidenceError, match="page"):
        file.read(plain.partition(b"\n-----BEGIN")[0] + answered[answered.index(b"\n-----BEGIN") :])


def strangers(evidence: Evidence) -> Signers:
    """Give a station that has no part in the line."""
    assert evidence.writer.founding.name != "stranger"
    return Signers(identity("stranger")[1])


def test_cards_cannot_be_exchanged(proofs: list[Evidence]) -> None:
    """Signed by them for us: neither by another for us, nor by us for them, nor for another."""
    evidence = proofs[0]
    other = strangers(evidence)
    for false in (
        replace(evidence, writer=other),
        replace(evidence, reader=other),
        replace(evidence, writer=evidence.reader, reader=evidence.writer),
        replace(evidence, reader=evidence.writer),
    ):
        with pytest.raises(EvidenceError):
            prove(false.encode())


def test_parts_of_two_proofs_do_not_mix(case: Case, proofs: list[Evidence]) -> None:
    """The answer to one message under another one is the forgery that matters most."""
    other = case.author.evidence(Side.OWN, "plain")
    with pytest.raises(EvidenceError, match="another message"):
        prove(replace(other, answer=proofs[0].answer).encode())
    mixed = replace(proofs[0], message=proofs[0].answer or proofs[0].message)
    with pytest.raises(EvidenceError):
        prove(mixed.encode())
    with pytest.raises(EvidenceError):
        prove(
            replace(
                proofs[0],
                writer_checkpoint=proofs[0].reader_checkpoint,
                reader_checkpoint=proofs[0].writer_checkpoint,
            ).encode()
        )


def test_a_chain_may_not_go_on_beyond_what_is_signed(proofs: list[Evidence]) -> None:
    """Hashes that no signature reaches are bytes that anyone could have written."""
    message = proofs[0].message
    longer = replace(message, hashes=message.hashes + bytes(64))
    with pytest.raises(EvidenceError):
        prove(replace(proofs[0], message=longer).encode())


def test_an_entry_cannot_be_shown_under_another_number(proofs: list[Evidence]) -> None:
    """A receipt for entry 3 must not become one for entry 4."""
    message = proofs[0].message
    for false in (
        replace(message, first=message.first + 1, numbers=(message.numbers[0] + 1,)),
        replace(message, numbers=(message.numbers[0] + 1,)),
        replace(message, entries=(message.entries[0] + b"\0",)),
        replace(message, entries=message.entries * 2),
    ):
        with pytest.raises(EvidenceError):
            prove(replace(proofs[0], message=false).encode())


def test_parts_must_be_all_of_one_message(case: Case) -> None:
    """A part left out of a long message could turn its meaning around."""
    evidence = case.author.evidence(Side.OWN, "long")
    message = evidence.message
    for keep in (slice(0, -1), slice(0, 1)):
        false = replace(message, numbers=message.numbers[keep], entries=message.entries[keep])
        with pytest.raises(EvidenceError):
            prove(replace(evidence, message=false).encode())


def test_it_can_be_shortened_only_to_what_it_still_proves(proofs: list[Evidence]) -> None:
    """Whoever leaves the answer out proves less, and the file says so."""
    less = replace(proofs[0], answer=None, writer_checkpoint=None, reader_checkpoint=None)
    shorter = replace(less.message, receipt=None)
    keep = (less.message.signed - less.message.first + 1) * 64
    shorter = replace(shorter, hashes=shorter.hashes[:keep])
    text = file.write(replace(less, message=shorter).encode()).decode()
    assert "Not that north received it" in text or "Not that south received it" in text
    assert "no acknowledgement here" in text
    assert "No checkpoint" in text


def test_a_key_change_that_is_none_is_refused(proofs: list[Evidence]) -> None:
    """Whoever could add a successor of their own making would sign in another's name from there on."""
    data = proofs[0].encode()
    values = msgpack.unpackb(data, use_list=False, max_bin_len=len(data))
    assert values[3] == ()
    changed = (*values[:3], (b"succession",), *values[4:])
    with pytest.raises(EvidenceError, match="is not strict msgpack"):
        prove(msgpack.packb(changed, use_bin_type=True))


# --- the page -------------------------------------------------------------------------------------


def test_the_page_shows_hostile_text_escaped(proofs: list[Evidence]) -> None:
    """A page that drives the reader's terminal, or forges its own last lines, proves nothing."""
    text = page.page(prove(proofs[0].encode()))
    assert "\\u{1b}[31m" in text
    assert "\\u{202e}" in text
    assert "\\u{1f680}" in text
    assert "letters \u0416\u00e9" in text
    assert all(line.startswith("  | ") for line in text.split("\n") if "-----BEGIN" in line)
    assert block(text) == text


def test_the_page_tells_what_is_and_what_is_not_proven(proofs: list[Evidence]) -> None:
    """A proof that claims too much is thrown out together with what it does prove."""
    text = page.page(prove(proofs[0].encode()))
    for words in ("will comply", "ML-DSA-87", "Ed25519", "WHAT THIS DOES NOT PROVE", "pair code"):
        assert words in text


# --- the codec ------------------------------------------------------------------------------------

receipts = st.none() | st.builds(ReceiptOver, NUMBERS, U64, SIGNATURES)
excerpts = st.builds(
    Excerpt,
    first=NUMBERS,
    before=HEADS,
    hashes=st.integers(1, 4).flatmap(lambda n: st.binary(min_size=64 * n, max_size=64 * n)),
    numbers=st.lists(NUMBERS, min_size=1, max_size=4).map(tuple),
    entries=st.lists(st.binary(min_size=1, max_size=99), min_size=1, max_size=4).map(tuple),
    signed=NUMBERS,
    signature=SIGNATURES,
    receipt=receipts,
)


@given(excerpts)
def test_an_excerpt_survives_its_encoding(excerpt: Excerpt) -> None:
    """A number that changes on the way makes a true proof look forged."""
    assert Excerpt.decode(excerpt.encode()) == excerpt


@given(excerpts, st.data())
def test_an_excerpt_is_refused_in_any_other_spelling(excerpt: Excerpt, data: st.DataObject) -> None:
    """Two spellings of one proof are one too many."""
    encoded = excerpt.encode()
    cut = data.draw(st.integers(0, len(encoded) - 1))
    for false in (encoded[:cut], encoded + b"\0"):
        with pytest.raises(DecodeError):
            Excerpt.decode(false)


@given(st.binary(max_size=200))
def test_junk_is_refused_in_plain_words(junk: bytes) -> None:
    """A traceback tells the third person nothing."""
    for check in (prove, file.read):
        with pytest.raises(EvidenceError):
            check(junk)


@given(st.integers(0, 2**64 - 1), IDS, st.text(max_size=50), st.text(max_size=50))
def test_a_page_can_be_made_of_any_message(
    time_ns: int, identifier: str, subject: str, body: str
) -> None:
    """A message whose page cannot be made could never be proven."""
    cards = identity("north")[1], identity("south")[1]
    said = entries.Message(identifier, Precedence.ROUTINE, time_ns, time_ns, body, subject, body)
    answer = proof.Answer(
        1, entries.Acknowledgement("a", identifier, 1, Decision.READ, time_ns, subject, body)
    )
    sealed = proof.Sealed(time_ns, message=True, answer=False)
    text = page.page(
        Proven(*cards, said, (1, 1), 1, (1, time_ns), (answer,), 1, None, sealed, None)
    )
    assert block(text) == text
    text.encode()
