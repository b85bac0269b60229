"""``hotline evidence verify``: check a file that proves what was said; needs no station."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final

from hotline.cli import exits
from hotline.cli.exits import UsageError
from hotline.cli.terminal import print_json
from hotline.errors import EvidenceError
from hotline.model import spelled
from hotline.text import reason, utc_microseconds

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from typing import BinaryIO

    from hotline.evidence.changes import Change
    from hotline.evidence.proof import Proven, Sealed
    from hotline.evidence.runs import Newest, Run
    from hotline.identity import Card


_COLUMNS: Final = 80

# O_NONBLOCK: opening a fifo would otherwise wait for a writer, for ever.
_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK

_TO_A_FILE: Final = "a run may be gone through twice: write it to a file, and name that"

_INTACT: Final = "Every byte of this file is as it was signed."


def run(args: argparse.Namespace) -> int:
    """Do what ``hotline evidence verify`` was asked."""
    from hotline.evidence import runs
    from hotline.identity import read_card

    pinned = [read_card(Path(name)) for name in args.card]
    with _opened(args.file) as file:
        if file.read(len(runs.MAGIC)) == runs.MAGIC:
            return _run(args, file, pinned)
        file.seek(0)
        return _evidence(args, file, pinned)


def _opened(name: str) -> BinaryIO:
    """Open the file; raises UsageError, for what cannot be read has not been found to be forged."""
    if name == "-":
        raise UsageError("cannot check standard input", hint=_TO_A_FILE)
    try:
        descriptor = os.open(name, _READ)
    except OSError as error:
        raise UsageError(f"cannot open {name}: {reason(error)}") from None
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise UsageError(f"cannot open {name}: is a directory")
        raise UsageError(f"cannot check {name}: it is no regular file", hint=_TO_A_FILE)
    return os.fdopen(descriptor, "rb")


def _check_pins(pinned: list[Card], *cards: Card) -> str:
    """Raise EvidenceError unless every pinned card is one of the file's; say what is left to trust."""
    ids = {card.id for card in cards}
    for card in pinned:
        if card.id not in ids:
            names = " and ".join(card.name for card in cards)
            raise EvidenceError(
                f"the file is of {names} by other cards than the one given for {card.name}",
                hint="after a change of keys too, give the card under which the line was founded",
            )
    given = {card.id for card in pinned}
    unknown = [card.name for card in cards if card.id not in given]
    if not unknown:
        return f"VERIFIED\n\n{_INTACT}\nBoth cards are the ones that you gave."
    which = " and ".join(unknown)
    left = _folded(
        f"The card of {which} comes from this file itself: it proves nothing unless you know"
        " the station id, or the pair code, by another way (or give the card with --card)."
    )
    return "\n".join(["INTACT", "", _INTACT, *left])


def _folded(text: str) -> list[str]:
    """Give a sentence, or a point of a list, in rows that a terminal shows whole."""
    indent = "  " if text.startswith("- ") else ""
    return wrap(text, _COLUMNS, subsequent_indent=indent, break_on_hyphens=False)


# --- one message ----------------------------------------------------------------------------------


def _evidence(args: argparse.Namespace, file: BinaryIO, pinned: list[Card]) -> int:
    from hotline.evidence import file as files
    from hotline.evidence.page import body

    proven = files.read(file.read(files.MAX_TEXT_BYTES + 1))
    trust = _check_pins(pinned, proven.writer, proven.reader)
    if args.json:
        print_json(_proven(proven, pinned))
        return exits.DONE
    print("\n".join(body(proven)))
    print(f"\n{trust}")
    return exits.DONE


def _proven(proven: Proven, pinned: list[Card]) -> dict[str, Any]:
    said = proven.message
    return {
        "kind": "message",
        "verified": True,
        "writer": _station(proven.writer, pinned),
        "reader": _station(proven.reader, pinned),
        "id": said.id,
        "first": proven.numbers[0],
        "number": proven.numbers[1],
        "interrupted": proven.interrupted,
        "precedence": spelled(said.precedence),
        "subject": said.subject,
        "body": said.body,
        "author": said.author,
        "composed_at": utc_microseconds(said.composed_ns),
        "signed_upto": proven.signed,
        "receipt": _receipt(proven.receipt, proven.receipt_by),
        "acknowledgements": [
            {
                "number": answer.number,
                "decision": spelled(answer.entry.decision),
                "operator": answer.entry.operator,
                "note": answer.entry.note,
                "at": utc_microseconds(answer.entry.time_ns),
            }
            for answer in proven.answers
        ],
        "acknowledgement_signed_upto": proven.answer_signed,
        "acknowledgement_receipt": _receipt(proven.answer_receipt, proven.answer_receipt_by),
        "writer_checkpoint": _sealed(proven.writer_checkpoint),
        "reader_checkpoint": _sealed(proven.reader_checkpoint),
        "key_changes": [_change(one) for one in (*proven.writer_changes, *proven.reader_changes)],
    }


def _change(change: Change) -> dict[str, Any]:
    return {"station": change.card.name, "number": change.number, "id": change.card.id.hex()}


def _station(card: Card, pinned: list[Card]) -> dict[str, Any]:
    return {"name": card.name, "id": card.id.hex(), "card_given": card in pinned}


def _newest(found: tuple[int, int] | Newest | None) -> dict[str, Any] | None:
    return None if found is None else {"upto": found[0], "at": utc_microseconds(found[1])}


def _receipt(found: tuple[int, int] | Newest | None, by: Card | None) -> dict[str, Any] | None:
    newest = _newest(found)
    return None if newest is None or by is None else {**newest, "id": by.id.hex()}


def _sealed(sealed: Sealed | None) -> dict[str, Any] | None:
    if sealed is None:
        return None
    return {
        "at": utc_microseconds(sealed.time_ns),
        "message": sealed.message,
        "acknowledgement": sealed.answer,
        "id": None if sealed.by is None else sealed.by.id.hex(),
    }


# --- a run of a log -------------------------------------------------------------------------------


def _run(args: argparse.Namespace, file: BinaryIO, pinned: list[Card]) -> int:
    from hotline.evidence import runs

    file.seek(0)
    found = runs.check(file)
    trust = _check_pins(pinned, found.writer, found.reader)
    if args.entries:
        # Only now: nothing is shown of a file that does not prove it.
        file.seek(0)
        _show(file, found, as_json=args.json)
    if args.json:
        print_json(_found(found, pinned))
        return exits.DONE
    print("\n".join(_summary(found)))
    print(f"\n{trust}")
    return exits.DONE


def _show(file: BinaryIO, found: Run, *, as_json: bool) -> None:
    from hotline.cli.log_entries import Entries, shown
    from hotline.evidence import runs

    entries = Entries()

    def show(number: int, data: bytes) -> None:
        fields = entries.fields(number, data)
        if as_json:
            print_json(fields)
        else:
            print("\n".join(shown(fields, found.reader.name)))

    runs.check(file, show)
    if not as_json:
        print()


def _found(found: Run, pinned: list[Card]) -> dict[str, Any]:
    return {
        "kind": "run",
        "verified": True,
        "writer": _station(found.writer, pinned),
        "reader": _station(found.reader, pinned),
        "first": found.first,
        "last": found.last,
        "signatures": found.signatures,
        "receipt": _receipt(found.receipt, found.receipt_by),
        "writer_checkpoint": _newest(found.writer_checkpoint),
        "reader_checkpoint": _newest(found.reader_checkpoint),
        "key_changes": [_change(one) for one in found.changes],
        "keys_elsewhere": [{"station": card.name, "id": card.id.hex()} for card in found.elsewhere],
    }


def _summary(found: Run) -> Iterator[str]:
    writer, reader = found.writer, found.reader
    which = f"Entries {found.first} to {found.last} of the log of {writer.name} for {reader.name}:"
    yield from _folded(which)
    for card in (writer, reader):
        yield from _fingerprint(f"  {card.name}", card)
    for point in _points(found):
        yield from _folded(point)
    if found.receipt_by is not None and found.receipt_by_old_keys:
        yield from _folded(
            f"- The receipt is by keys that {reader.name} has changed, and does not tell whether it was"
            " signed before the change: those of"
        )
        yield from _fingerprint("", found.receipt_by)
    for change in found.changes:
        yield from _folded(
            f"- Entry {change.number} changes the keys of {writer.name}. What follows is signed by"
            " those of"
        )
        yield from _fingerprint("", change.card)
    for card in found.elsewhere:
        yield from _folded(
            f"- {card.name} has had other keys too, by a change outside of these entries: those of"
        )
        yield from _fingerprint("", card)


def _fingerprint(label: str, card: Card) -> Iterator[str]:
    """Give a station id behind its label, in two rows or three: all its digits are wider than a row."""
    digits, indent = card.id.hex(), 12
    if len(label) >= indent:
        yield label
        label = ""
    yield f"{label:<{indent}}station id {digits[:32]}"
    yield f"{'':<{indent}}           {digits[32:]}"


def _points(found: Run) -> Iterator[str]:
    """Give what is proven, a sentence each."""
    writer, reader = found.writer, found.reader
    signatures = f"{found.signatures} signature{'' if found.signatures == 1 else 's'}"
    yield f"- {writer.name} signed all of them ({signatures}, Ed25519)."
    if found.receipt is None:
        yield f"- Not that {reader.name} received them: there is no receipt here."
    else:
        yield (
            f"- {reader.name} signed that its disk had them up to entry {found.receipt.number},"
            f" at {utc_microseconds(found.receipt.time_ns)} by its clock."
        )
    for card, newest in ((writer, found.writer_checkpoint), (reader, found.reader_checkpoint)):
        if newest is None:
            yield f"- No checkpoint of {card.name} (ML-DSA-87) covers any of them here."
        else:
            yield (
                f"- {card.name} signed them with ML-DSA-87 too, up to entry {newest.number}, at"
                f" {utc_microseconds(newest.time_ns)} by its clock."
            )
