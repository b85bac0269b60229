"""The page that a person reads: made from what was proven, and from nothing else.

It stands in the file above the block, so that anyone can read it, and whoever checks the file makes it
again and compares: a page that says anything else than the signatures bear out is found. So it must
come out alike for ever: nothing in it depends on the time, the place or the version that makes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hotline.identity import pair_code
from hotline.model import Decision, spelled
from hotline.text import archival, utc_microseconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hotline.evidence.proof import Proven, Sealed
    from hotline.identity import Card

_DECISIONS: Final = {
    Decision.READ: "read",
    Decision.WILCO: "will comply",
    Decision.CANNOT: "cannot comply",
}

_INTRODUCTION: Final = (
    "HOTLINE EVIDENCE",
    "",
    "One message between two stations, and the signatures that prove it. This page is made",
    "from the block below it and from nothing else; anyone can check both, offline:",
    "",
    "    hotline evidence verify FILE",
    "",
)

_LIMITS: Final = (
    "WHAT THIS DOES NOT PROVE",
    "",
    "- That the two cards are those of the stations they name. Compare the station ids, or the",
    "  pair code, with what both operators read to each other.",
    "- Times: each is what the clock of the station that is named showed, or was made to show.",
    "- Persons: each name is what that person's own station called them.",
    "- That nothing else was said before, between or after.",
)


def page(proven: Proven) -> str:
    """Give the whole page, as it stands in a file; lines end with LF."""
    lines = [*_INTRODUCTION, *body(proven)]
    return "".join(f"{line}\n" for line in lines)


def body(proven: Proven) -> Iterator[str]:
    """Give the lines that tell what was proven, and what was not."""
    writer, reader = proven.writer.name, proven.reader.name
    yield from _stations(proven.writer, proven.reader)
    yield from _keys(proven)
    yield "THE MESSAGE"
    yield ""
    yield from _message(proven)
    yield ""
    yield "WHAT IS PROVEN"
    yield ""
    first, last = proven.numbers
    which = f"entry {last}" if first == last else f"entries {first} to {last}"
    yield f"- {writer} signed this message, as {which} of its log for {reader} (Ed25519, over the"
    yield f"  log up to entry {proven.signed})."
    yield from _received(proven)
    yield from _answered(proven)
    yield from _sealed(proven)
    yield ""
    yield from _LIMITS


def _stations(writer: Card, reader: Card) -> Iterator[str]:
    yield "THE STATIONS"
    yield ""
    for way, card in (("from", writer), ("to", reader)):
        digits = card.id.hex()
        yield f"  {way:<11}{card.name}"
        yield f"  {'':<11}station id {digits[:32]}"
        yield f"  {'':<11}           {digits[32:]}"
    words = pair_code(writer.id, reader.id)
    for at in range(0, len(words), 4):
        label = "pair code" if at == 0 else ""
        yield f"  {label:<11}{' '.join(words[at : at + 4])}"
    yield ""


def _keys(proven: Proven) -> Iterator[str]:
    pairs = (
        (proven.writer, proven.reader, proven.writer_changes),
        (proven.reader, proven.writer, proven.reader_changes),
    )
    if not any(found for _, _, found in pairs):
        return
    yield "THE KEYS"
    yield ""
    for card, other, found in pairs:
        for change in found:
            digits = change.card.id.hex()
            yield f"  {card.name} changed its keys in entry {change.number} of its log for"
            yield f"  {other.name}, signed by its keys before; what follows is signed by those of"
            yield f"  {'':<11}station id {digits[:32]}"
            yield f"  {'':<11}           {digits[32:]}"
    yield ""


def _message(proven: Proven) -> Iterator[str]:
    said, writer = proven.message, proven.writer.name
    yield f"  {'id':<11}{said.id}"
    yield f"  {'precedence':<11}{spelled(said.precedence)}"
    yield f"  {'composed':<11}{_time(said.composed_ns)} by the clock of {writer}"
    if said.ack_by_ns is not None:
        yield f"  {'ack by':<11}{_time(said.ack_by_ns)}"
    yield f"  {'author':<11}{_word(said.author)}"
    yield f"  {'subject':<11}{_word(said.subject)}"
    yield ""
    for line in archival(said.body).split("\n"):
        yield f"  | {line}"


def _received(proven: Proven) -> Iterator[str]:
    writer, reader = proven.writer.name, proven.reader.name
    if proven.receipt is not None:
        number, time_ns = proven.receipt
        yield f"- {reader} signed that its disk had the log of {writer} up to entry {number}, which"
        yield f"  covers this message (Ed25519); at {_time(time_ns)} by its clock."
    elif proven.reader_checkpoint is not None and proven.reader_checkpoint.message:
        yield f"- That {reader} had it is proven by its checkpoint, below; there is no receipt here."
    elif not proven.answers:
        yield f"- Not that {reader} received it: there is no receipt here."


def _answered(proven: Proven) -> Iterator[str]:
    writer, reader = proven.writer.name, proven.reader.name
    if not proven.answers:
        yield f"- Not that anyone at {reader} read it: there is no acknowledgement here."
    for answer in proven.answers:
        said = answer.entry
        yield f"- {reader} signed that {_word(said.operator)} acknowledged it:"
        yield f"  {_DECISIONS[said.decision]}; as entry {answer.number} of its log for {writer}"
        yield f"  (Ed25519, over the log up to entry {proven.answer_signed}); at"
        yield f"  {_time(said.time_ns)} by its clock. Note: {_word(said.note)}"
    if proven.answer_receipt is not None:
        number, time_ns = proven.answer_receipt
        yield f"- {writer} signed that its disk had the log of {reader} up to entry {number}, which"
        yield f"  covers the acknowledgement (Ed25519); at {_time(time_ns)} by its clock."


def _sealed(proven: Proven) -> Iterator[str]:
    pairs = (
        (proven.writer, proven.writer_checkpoint),
        (proven.reader, proven.reader_checkpoint),
    )
    for card, sealed in pairs:
        if sealed is None:
            continue
        yield f"- {card.name} signed both logs with ML-DSA-87 too, which covers {_what(sealed)}; at"
        yield f"  {_time(sealed.time_ns)} by its clock."
    yield ""
    lasting = [card.name for card, sealed in pairs if sealed is not None]
    if len(lasting) == len(pairs):
        yield "  What a checkpoint covers stays proven if either Ed25519 or ML-DSA-87 holds. What is"
        yield "  signed with Ed25519 alone convinces until a quantum computer can forge that."
    elif lasting:
        yield f"  Only {lasting[0]} has signed with ML-DSA-87. What the other station signed convinces"
        yield "  until a quantum computer can forge Ed25519."
    else:
        yield "  All of this is signed with Ed25519 alone: it convinces until a quantum computer can"
        yield "  forge that. No checkpoint (ML-DSA-87) covers it here."


def _what(sealed: Sealed) -> str:
    if sealed.message and sealed.answer:
        return "the message and the acknowledgement"
    return "the message" if sealed.message else "the acknowledgement"


def _time(time_ns: int) -> str:
    return utc_microseconds(time_ns)


def _word(text: str) -> str:
    """Give peer text for the midst of a line."""
    return f'"{archival(text, "")}"'
