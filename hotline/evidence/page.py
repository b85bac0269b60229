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
    from collections.abc import Iterator, Sequence

    from hotline.evidence.changes import Change
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
    said = "each part of this message, in" if proven.interrupted else "this message, as"
    yield f"- {writer} signed {said} {which} of its log for {reader} (Ed25519, over the"
    yield f"  log up to entry {proven.signed})."
    yield from _received(proven)
    yield from _answered(proven)
    yield from _sealed(proven)
    yield ""
    yield "WHAT THIS DOES NOT PROVE"
    yield ""
    yield from _limits(proven)
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
    if proven.interrupted:
        yield f"  {'parts':<11}with other entries between them: see what this does not prove, below"
    yield ""
    for line in archival(said.body).split("\n"):
        yield f"  | {line}"


def _received(proven: Proven) -> Iterator[str]:
    writer, reader = proven.writer.name, proven.reader.name
    if proven.receipt is not None:
        number, time_ns = proven.receipt
        covered = "these parts" if proven.interrupted else "this message"
        yield f"- {reader} signed that its disk had the log of {writer} up to entry {number}, which"
        yield f"  covers {covered} (Ed25519); at {_time(time_ns)} by its clock."
        yield from _old_keys(proven.receipt_by, proven.reader_changes, proven.writer)
    elif proven.reader_checkpoint is not None and proven.reader_checkpoint.message:
        it = "these parts" if proven.interrupted else "it"
        yield f"- That {reader} had {it} is proven by its checkpoint, below; there is no receipt here."
    elif not proven.answers:
        yield f"- Not that {reader} received it: there is no receipt here."


def _answered(proven: Proven) -> Iterator[str]:
    writer, reader = proven.writer.name, proven.reader.name
    if not proven.answers:
        yield f"- Not that anyone at {reader} read it: there is no acknowledgement here."
    for answer in proven.answers:
        said = answer.entry
        what = f"what entry {proven.numbers[1]} ends" if proven.interrupted else "it"
        yield f"- {reader} signed that {_word(said.operator)} acknowledged {what}:"
        yield f"  {_DECISIONS[said.decision]}; as entry {answer.number} of its log for {writer}"
        yield f"  (Ed25519, over the log up to entry {proven.answer_signed}); at"
        yield f"  {_time(said.time_ns)} by its clock. Note: {_word(said.note)}"
    if proven.answer_receipt is not None:
        number, time_ns = proven.answer_receipt
        yield f"- {writer} signed that its disk had the log of {reader} up to entry {number}, which"
        yield f"  covers the acknowledgement (Ed25519); at {_time(time_ns)} by its clock."
        yield from _old_keys(proven.answer_receipt_by, proven.writer_changes, proven.reader)


def _sealed(proven: Proven) -> Iterator[str]:
    writer, reader = proven.writer, proven.reader
    checkpoints = (
        (writer, reader, proven.writer_checkpoint, proven.writer_changes),
        (reader, writer, proven.reader_checkpoint, proven.reader_changes),
    )
    for card, other, sealed, found in checkpoints:
        if sealed is None:
            continue
        what = _what(sealed, "the parts of the message" if proven.interrupted else "the message")
        yield f"- {card.name} signed both logs with ML-DSA-87 too, which covers {what}; at"
        yield f"  {_time(sealed.time_ns)} by its clock."
        yield from _old_keys(sealed.by, found, other)
    yield ""
    lasting = [card.name for card, _, sealed, _ in checkpoints if sealed is not None]
    if len(lasting) == len(checkpoints):
        yield "  What a checkpoint covers stays proven if either Ed25519 or ML-DSA-87 holds. What is"
        yield "  signed with Ed25519 alone convinces until a quantum computer can forge that."
    elif lasting:
        yield f"  Only {lasting[0]} has signed with ML-DSA-87. What the other station signed convinces"
        yield "  until a quantum computer can forge Ed25519."
    else:
        yield "  All of this is signed with Ed25519 alone: it convinces until a quantum computer can"
        yield "  forge that. No checkpoint (ML-DSA-87) covers it here."


def _what(sealed: Sealed, message: str) -> str:
    if sealed.message and sealed.answer:
        return f"{message} and the acknowledgement"
    return message if sealed.message else "the acknowledgement"


def _ended(by: Card | None, found: Sequence[Change]) -> Change | None:
    """Give the change that ended the keys of a card; None for the newest that is shown."""
    return next((change for change in found if by is not None and change.before.id == by.id), None)


def _old_keys(by: Card | None, found: Sequence[Change], other: Card) -> Iterator[str]:
    """Name the keys that signed, if they are not their station's newest."""
    if (change := _ended(by, found)) is not None:
        yield f"  It signed so by its keys before entry {change.number} of its log for {other.name}."


def _limits(proven: Proven) -> Iterator[str]:
    """Give what this very file does not prove, beside what none does."""
    if proven.interrupted:
        first, last = proven.numbers
        yield "- That no entry between its parts began the message anew, and so that these are the"
        yield f"  words that were read. The run of the log from entry {first} to {last} shows it,"
        yield "  which either station can export (its own log, or the peer's):"
        yield ""
        yield f"    hotline log export LINE --side own|peer --first {first} --last {last} -o FILE"
        yield "    hotline evidence verify FILE --entries"
        yield ""
    if _by_old_keys(proven):
        yield "- That what is signed by keys before a change was signed before the change: whoever has"
        yield "  old keys can still sign what seems to stand before it. An acknowledgement behind the"
        yield "  change, or a checkpoint by the newest keys, cannot be made with them."


def _by_old_keys(proven: Proven) -> bool:
    """Tell whether a receipt or checkpoint is by keys that their station has changed."""
    sealed = proven.writer_checkpoint, proven.reader_checkpoint
    by_writer, by_reader = (None if one is None else one.by for one in sealed)
    return any(
        _ended(by, found) is not None
        for by, found in (
            (by_writer, proven.writer_changes),
            (proven.answer_receipt_by, proven.writer_changes),
            (by_reader, proven.reader_changes),
            (proven.receipt_by, proven.reader_changes),
        )
    )


def _time(time_ns: int) -> str:
    return utc_microseconds(time_ns)


def _word(text: str) -> str:
    """Give peer text for the midst of a line."""
    return f'"{archival(text, "")}"'
