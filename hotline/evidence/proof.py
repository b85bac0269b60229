"""The proof of one message: both cards, its entries, the answer to it, and who signed what of that.

``prove`` takes bytes from anyone and gives back only what the signatures in them bear out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hotline.errors import DecodeError, EvidenceError, IdentityError
from hotline.evidence import changes
from hotline.evidence import excerpt as excerpts
from hotline.evidence.changes import Change
from hotline.evidence.excerpt import Checked, Excerpt
from hotline.evidence.lines import LogOf, check_checkpoint
from hotline.identity import Card
from hotline.limits import KEY_CHANGES, KIB
from hotline.model import Checkpoint, Position
from hotline.strict import Shape, blob, run, text
from hotline.wire import entries
from hotline.wire.frames import CheckpointFrame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hotline.evidence.signers import Signers

TAG: Final = "hotline/1 evidence"
CARD_BYTES: Final = 8 * KIB
MAX_BYTES: Final = 2 * excerpts.MAX_BYTES + 2 * KEY_CHANGES * changes.USUAL_BYTES

_CHECKPOINT_BYTES: Final = 5 * KIB

_SHAPE: Final = Shape(
    "evidence",
    text("tag", len(TAG)),
    blob("writer's card", CARD_BYTES, low=1),
    blob("reader's card", CARD_BYTES, low=1),
    run("writer's key changes", blob("key change", changes.MAX_BYTES, low=1), KEY_CHANGES),
    run("reader's key changes", blob("key change", changes.MAX_BYTES, low=1), KEY_CHANGES),
    blob("message", excerpts.MAX_BYTES, low=1),
    blob("answer", excerpts.MAX_BYTES, low=1, optional=True),
    blob("writer's checkpoint", _CHECKPOINT_BYTES, low=1, optional=True),
    blob("reader's checkpoint", _CHECKPOINT_BYTES, low=1, optional=True),
    max_bytes=MAX_BYTES,
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What stands in a file; ``writer`` wrote the message, ``reader`` received it.

    ``writer_changes`` and ``reader_changes`` are of their own logs, one for each change of keys.
    ``answer`` is of the reader's log and shows the acknowledgements. Each checkpoint's ``own`` log is
    its signer's.
    """

    writer: Signers
    reader: Signers
    writer_changes: tuple[Excerpt, ...]
    reader_changes: tuple[Excerpt, ...]
    message: Excerpt
    answer: Excerpt | None
    writer_checkpoint: Checkpoint | None
    reader_checkpoint: Checkpoint | None

    def encode(self) -> bytes:
        """Give the evidence's bytes."""
        return _SHAPE.pack(
            TAG,
            self.writer.founding.encoded,
            self.reader.founding.encoded,
            tuple(one.encode() for one in self.writer_changes),
            tuple(one.encode() for one in self.reader_changes),
            self.message.encode(),
            None if self.answer is None else self.answer.encode(),
            *map(_spelt, (self.writer_checkpoint, self.reader_checkpoint)),
        )

    @classmethod
    def decode(cls, data: bytes) -> Evidence:
        """Give the evidence that data spells, with both cards checked; raises EvidenceError."""
        try:
            tag, writer, reader, *rest = _SHAPE.unpack(data)
            if tag != TAG:
                raise EvidenceError(f"this is no evidence of this protocol version ({TAG!r})")
            *both_changes, message, answer, by_writer, by_reader = rest
            by_writers, by_readers = (tuple(map(Excerpt.decode, one)) for one in both_changes)
            return cls(
                changes.signers(Card.decode(writer, source="the writer's card"), by_writers),
                changes.signers(Card.decode(reader, source="the reader's card"), by_readers),
                by_writers,
                by_readers,
                Excerpt.decode(message),
                None if answer is None else Excerpt.decode(answer),
                *(None if one is None else _checkpoint(one) for one in (by_writer, by_reader)),
            )
        except (DecodeError, IdentityError) as error:
            raise EvidenceError(f"the evidence is damaged: {error}") from None


def _spelt(checkpoint: Checkpoint | None) -> bytes | None:
    if checkpoint is None:
        return None
    own, peer = checkpoint.own, checkpoint.peer
    return CheckpointFrame.SHAPE.pack(
        own.number, own.head, peer.number, peer.head, checkpoint.time_ns, checkpoint.signature
    )


def _checkpoint(body: bytes) -> Checkpoint:
    own, own_head, peer, peer_head, time_ns, signature = CheckpointFrame.SHAPE.unpack(body)
    return Checkpoint(Position(own, own_head), Position(peer, peer_head), time_ns, signature)


@dataclass(frozen=True, slots=True)
class Answer:
    """An acknowledgement, and the number of its entry in the reader's log."""

    number: int
    entry: entries.Acknowledgement


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a checkpoint covers: the message (or its receipt), and the answer; when, by its signer."""

    time_ns: int
    message: bool
    answer: bool
    by: Card | None = None
    """Of its signer's cards the one that it verifies by."""


@dataclass(frozen=True, slots=True)
class Proven:
    """What the signatures bear out, and nothing else.

    ``signed`` and ``answer_signed`` are the numbers that the Ed25519 signatures reach to.
    """

    writer: Card
    reader: Card
    message: entries.Message
    numbers: tuple[int, int]
    """Of the first and the last entry that carry the message."""
    signed: int
    receipt: tuple[int, int] | None
    """The number that the reader's receipt reaches to, and its time (UNIX ns)."""
    answers: tuple[Answer, ...]
    answer_signed: int | None
    answer_receipt: tuple[int, int] | None
    writer_checkpoint: Sealed | None
    reader_checkpoint: Sealed | None
    writer_changes: tuple[Change, ...] = ()
    reader_changes: tuple[Change, ...] = ()
    receipt_by: Card | None = None
    """Of the reader's cards the one that the receipt verifies by."""
    answer_receipt_by: Card | None = None
    interrupted: bool = False
    """Whether other entries stand between those that carry the message.

    One of them may have begun it anew. Its reader then joined other parts than are shown here.
    """


def prove(data: bytes) -> Proven:
    """Check every byte of evidence and give what it proves; raises EvidenceError."""
    return weigh(Evidence.decode(data))


def weigh(evidence: Evidence) -> Proven:
    """Give what evidence proves whose cards are sound; raises EvidenceError."""
    writer, reader = evidence.writer.founding, evidence.reader.founding
    if writer.id == reader.id:
        raise EvidenceError("both cards are the same station's")
    sent, back = LogOf(evidence.writer, evidence.reader), LogOf(evidence.reader, evidence.writer)
    for log, shown in ((sent, evidence.writer_changes), (back, evidence.reader_changes)):
        for one in shown:
            excerpts.check(one, log, ())
    by_writer, by_reader = evidence.writer_checkpoint, evidence.reader_checkpoint
    writers_card = None if by_writer is None else check_checkpoint(sent, back, by_writer)
    readers_card = None if by_reader is None else check_checkpoint(back, sent, by_reader)
    in_sent = [*_places(by_writer, own=True), *_places(by_reader, own=False)]
    in_back = [*_places(by_writer, own=False), *_places(by_reader, own=True)]
    message = excerpts.check(evidence.message, sent, in_sent)
    said = _message(message)
    answer = None
    answers: tuple[Answer, ...] = ()
    if evidence.answer is not None:
        answer = excerpts.check(evidence.answer, back, in_back)
        answers = _answers(answer, said, message.last_shown)
    return Proven(
        writer,
        reader,
        said,
        (message.excerpt.first, message.last_shown),
        message.excerpt.signed,
        _receipt(message),
        answers,
        None if answer is None else answer.excerpt.signed,
        None if answer is None else _receipt(answer),
        _sealed(by_writer, writers_card, message, answer, own=True),
        _sealed(by_reader, readers_card, message, answer, own=False),
        tuple(changes.of(evidence.writer)),
        tuple(changes.of(evidence.reader)),
        message.receipt_by,
        None if answer is None else answer.receipt_by,
        message.excerpt.interrupted,
    )


def _places(checkpoint: Checkpoint | None, *, own: bool) -> Sequence[Position]:
    if checkpoint is None:
        return ()
    return (checkpoint.own if own else checkpoint.peer,)


def _receipt(checked: Checked) -> tuple[int, int] | None:
    receipt = checked.excerpt.receipt
    return None if receipt is None else (receipt.number, receipt.time_ns)


def _sealed(
    checkpoint: Checkpoint | None,
    by: Card | None,
    message: Checked,
    answer: Checked | None,
    *,
    own: bool,
) -> Sealed | None:
    """Say what a checkpoint covers; own: it is the writer's, and its own log holds the message."""
    if checkpoint is None:
        return None
    sent, back = checkpoint.own, checkpoint.peer
    if not own:
        sent, back = back, sent
    covers_answer = answer is not None and answer.covers(back)
    sealed = Sealed(checkpoint.time_ns, message.covers(sent), covers_answer, by)
    if not (sealed.message or sealed.answer):
        raise EvidenceError("a checkpoint covers nothing of what is shown")
    return sealed


def _message(checked: Checked) -> entries.Message:
    """Give the message that an excerpt shows: one entry, or all of its parts and nothing else."""
    shown = checked.excerpt.entries
    try:
        first = entries.decode(shown[0])
        if isinstance(first, entries.Message) and len(shown) == 1:
            return first
        return _joined([entries.decode(data) for data in shown])
    except DecodeError as error:
        raise EvidenceError(f"what is shown is no message: {error}") from None


def _joined(shown: Sequence[entries.Entry]) -> entries.Message:
    first, whole = changes.joined(shown)
    message = entries.decode_message(whole)
    if (message.id, message.precedence) != (first.id, first.precedence):
        raise EvidenceError("the parts carry another message than they say")
    return message


def _answers(checked: Checked, said: entries.Message, number: int) -> tuple[Answer, ...]:
    """Give the acknowledgements that an excerpt shows: of this message, and nothing else."""
    found = []
    for at, data in zip(checked.excerpt.numbers, checked.excerpt.entries, strict=True):
        try:
            entry = entries.decode(data)
        except DecodeError as error:
            raise EvidenceError(f"the answer is no acknowledgement: {error}") from None
        if not isinstance(entry, entries.Acknowledgement):
            raise EvidenceError("the answer is no acknowledgement")
        if (entry.message_id, entry.number) != (said.id, number):
            raise EvidenceError("the acknowledgement is of another message")
        found.append(Answer(at, entry))
    return tuple(found)
